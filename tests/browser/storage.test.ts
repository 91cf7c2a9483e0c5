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
			await tab.waitForFunction(() => document.title === "appending");
			await tab.waitForTimeout(25 * trial);
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
	let script: string;

	interface Global {
		workers: Map<string, Worker>;
	}

	/** A worker of the page, and what asks it. */
	async function startWorker(where: Page, id = "main"): Promise<void> {
		await where.evaluate(
			([name, text]) => {
				const self = globalThis as unknown as Global;
				self.workers ??= new Map();
				const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
				self.workers.set(name, new Worker(url));
			},
			[id, script] as const,
		);
	}

	async function askIn(where: Page, id: string, ...message: unknown[]): Promise<unknown> {
		const { value, error } = await where.evaluate(
			([name, given]) =>
				new Promise<{ value?: unknown; error?: string }>((resolve) => {
					const worker = (globalThis as unknown as Global).workers.get(name) as Worker;
					worker.onmessage = ({ data }) => resolve(data);
					worker.postMessage(given);
				}),
			[id, message] as const,
		);
		if (error) throw new Error(error);
		return value;
	}

	const ask = (...message: unknown[]) => askIn(page, "main", ...message);

	beforeAll(async () => {
		server = await serveFiles({ "/": "<!doctype html><title>storage</title>" });
		browser = await launchChromium();
		page = await browser.newPage();
		await page.goto(server.url);
		script = await bundle("tests/browser/storage.worker.ts");
		await startWorker(page);
	});
	afterAll(async () => {
		await browser?.close();
		await server?.close();
	});

	it.each(CASES.map(({ name }) => name))("%s", async (name) => {
		await ask(name);
	});

	it("reads a log up to where it is damaged, in whole appends", async () => {
		expect(await ask("torn")).toEqual({ length: 4 * 16 + 58, problems: [] });
	});

	it("takes the other slot for one that is damaged, and none when both are", async () => {
		const counts = (await ask("slots")) as Record<string, number>;
		expect(Object.keys(counts).sort()).toEqual([
			"both cut: corrupt",
			"corrupt",
			"newer cut: 1",
			"newer garbled: 1",
			"nothing was written over: 2",
			"older cut: 2",
			"older garbled: 2",
		]);
		expect(counts["newer garbled: 1"]).toBeGreaterThan(20);
	});

	it("keeps a log whose beginning is damaged for whoever can read it", async () => {
		expect(await ask("damaged")).toEqual({ list: [1], incr: [{ id: 1, length_bytes: 50 }], kept: 2, of: 2 });
	});

	it("uses its files again and again", async () => {
		const list = ["30", "base-30.0", "base-30.1", "base-30.2"];
		expect(await ask("rewritten")).toEqual({ list, files: 4, bytes: [1016, 30_000] });
	});

	it("goes from worker to worker: by force from one that lives, at once from one that is gone", async () => {
		await startWorker(page, "first");
		expect(await askIn(page, "first", "hold", "handed")).toEqual({ epoch: 1, list: [1] });
		await startWorker(page, "second");
		expect(await askIn(page, "second", "hold", "handed")).toEqual({ epoch: 2, list: [1, 2] });
		expect(await askIn(page, "first", "appendKept", 5)).toMatch(/^storage: another owner has taken over/);
		await page.evaluate(() => (globalThis as unknown as Global).workers.get("second")?.terminate());
		await startWorker(page, "third");
		expect(await askIn(page, "third", "hold", "handed")).toEqual({ epoch: 3, list: [1, 2, 3] });
	});

	it("keeps what there is when the browser gives no more storage, and goes on when it does", async () => {
		const folder = mkdtempSync(join(tmpdir(), "redstart-quota-"));
		const context = await launchProfile(folder);
		const tab = await context.newPage();
		await tab.goto(server.url);
		const session = await context.newCDPSession(tab);
		const origin = server.url;
		await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 30_000_000 });
		await startWorker(tab);
		expect(await askIn(tab, "main", "fill")).toEqual({
			kind: "storage",
			cause: "QuotaExceededError",
			isWhole: true,
		});
		await session.send("Storage.overrideQuotaForOrigin", { origin });
		expect(await askIn(tab, "main", "fillOn")).toEqual({ told: "done", more: 7 });
		await context.close();
		rmSync(folder, { recursive: true, force: true });
	});
});
