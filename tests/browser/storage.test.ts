import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, launchProfile, serveFiles } from "../chromium.mjs";
import { CASES } from "../js/storage.conformance.ts";
import { bundle } from "./page.ts";

describe("IndexedDB storage, in Chromium", () => {
	let browser: Browser;
	let page: Page;
	let server: { url: string; close(): Promise<unknown> };

	beforeAll(async () => {
		server = await serveFiles({ "/": "<!doctype html><title>storage</title>" });
		browser = await launchChromium();
		page = await browser.newPage();
		await page.goto(server.url);
		await page.addScriptTag({ content: await bundle("tests/browser/storage.page.ts") });
	});
	afterAll(async () => {
		await browser?.close();
		await server?.close();
	});

	it.each(CASES.map(({ name }) => name))("%s", async (name) => {
		await page.evaluate(
			(given) => (globalThis as unknown as Record<"it", { run(name: string): Promise<void> }>).it.run(given),
			name,
		);
	});

	/** Calls what storage.page.ts exports. */
	const inPage = (name: string, ...args: unknown[]) =>
		page.evaluate(
			([called, given]) =>
				(globalThis as unknown as { it: Record<string, (...args: unknown[]) => unknown> }).it[called]?.(
					...given,
				),
			[name, args] as const,
		);

	it("opens anew when the browser takes the connection away", async () => {
		expect(await inPage("taken")).toEqual([null, [4]]);
	});

	it("keeps a former owner out although clearing the data has begun the epochs anew", async () => {
		expect(await inPage("cleared")).toEqual([true, expect.stringMatching(/taken over/)]);
	});

	it("takes no append for a log whose data was cleared, until there is a new base", async () => {
		expect(await inPage("clearedUnderTheLog")).toEqual([
			"corrupt: the manifest is missing",
			"done",
			[4, 35, 66, 97, 128, 159, 190, 221, 252, 27].join(),
			null,
		]);
	});

	it.each([1, 2, 3, 4, 5, 6])("sends again what was under way, once and in order (%i)", async (seed) => {
		const { broken, isSame } = (await inPage("interrupted", seed)) as { broken: number; isSame: boolean };
		expect(broken).toBeGreaterThan(5);
		expect(isSame).toBe(true);
	});

	it("takes a last append over what is under way, and tells who waits", async () => {
		expect(await inPage("hurried")).toEqual({ told: ["done"], isSame: true });
	});

	it.each(["reload", "away", "close"])("stores what a page hands over when it goes: %s", async (way) => {
		const script = await bundle("tests/browser/storage.page.ts");
		const context = await browser.newContext();
		const reader = await context.newPage();
		await reader.goto(server.url);
		await reader.addScriptTag({ content: script });
		for (let trial = 0; trial < 5; trial++) {
			const name = `left-${way}-${trial}`;
			const tab = await context.newPage();
			await tab.goto(server.url);
			await tab.addScriptTag({ content: script });
			await tab.evaluate((given) => {
				void (globalThis as unknown as { it: { appendUntilLeft(name: string): void } }).it.appendUntilLeft(
					given,
				);
			}, name);
			await tab.waitForTimeout(30 + 25 * trial);
			if (way === "reload") await tab.reload();
			else if (way === "away") await tab.goto("about:blank");
			await tab.close({ runBeforeUnload: way === "close" });
			const counted = () =>
				reader.evaluate(
					(given) =>
						(globalThis as unknown as { it: { counted(name: string): Promise<unknown> } }).it.counted(given),
					name,
				);
			await expect.poll(counted).toEqual({ isInOrder: true, isAll: true });
		}
		await context.close();
	});

	it("keeps what there is when the browser gives no more storage, and goes on when it does", async () => {
		const folder = mkdtempSync(join(tmpdir(), "redstart-quota-"));
		const context = await launchProfile(folder);
		const tab = await context.newPage();
		await tab.goto(server.url);
		await tab.addScriptTag({ content: await bundle("tests/browser/storage.page.ts") });
		const session = await context.newCDPSession(tab);
		const origin = server.url;
		await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
		await tab.exposeFunction("isRoom", () => session.send("Storage.overrideQuotaForOrigin", { origin }));
		const end = await tab.evaluate(() => {
			const { it, isRoom } = globalThis as unknown as {
				it: { filled(isRoom: () => Promise<void>): Promise<unknown> };
				isRoom: () => Promise<void>;
			};
			return it.filled(isRoom);
		});
		expect(end).toMatchObject({ kind: "storage", cause: "QuotaExceededError", isWhole: true });
		await context.close();
		rmSync(folder, { recursive: true, force: true });
	});
});

describe("OPFS storage, in a dedicated worker of Chromium", () => {
	let browser: Browser;
	let page: Page;
	let server: { url: string; close(): Promise<unknown> };

	beforeAll(async () => {
		server = await serveFiles({ "/": "<!doctype html><title>storage</title>" });
		browser = await launchChromium();
		page = await browser.newPage();
		await page.goto(server.url);
		const script = await bundle("tests/browser/storage.worker.ts");
		await page.evaluate((text) => {
			const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
			(globalThis as unknown as Record<"worker", Worker>).worker = new Worker(url);
		}, script);
	});
	afterAll(async () => {
		await browser?.close();
		await server?.close();
	});

	const ask = (message: unknown) =>
		page.evaluate(
			(given) =>
				new Promise<unknown>((resolve) => {
					const { worker } = globalThis as unknown as Record<"worker", Worker>;
					worker.onmessage = ({ data }) => resolve(data);
					worker.postMessage(given);
				}),
			message,
		);

	it.each(CASES.map(({ name }) => name))("%s", async (name) => {
		expect(await ask(name)).toBe("");
	});
});
