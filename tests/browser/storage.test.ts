import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, serveFiles } from "../chromium.mjs";
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

	it("opens anew when the browser takes the connection away", async () => {
		const back = await page.evaluate(async () => {
			const { IndexedDbStorage } = (
				globalThis as unknown as Record<
					"it",
					{ IndexedDbStorage: new (name: string) => import("../../js/index.ts").Storage }
				>
			).it;
			const storage = new IndexedDbStorage("taken");
			await storage.load();
			await storage.put("x", Uint8Array.of(1, 2, 3));
			// Another tab that deletes the database makes the browser close every connection to it.
			await new Promise((resolve, reject) => {
				const request = indexedDB.deleteDatabase("redstart:taken");
				request.onsuccess = resolve;
				request.onerror = reject;
			});
			await storage.put("y", Uint8Array.of(4));
			const base = { name: "y", chunks: 0, seq: 1, crc: 0, length_bytes: 0 };
			await storage.commit({ version: 1, replid: "", base, incr: [], offset: 0 }, ["y"]);
			return [await storage.read("x"), [...((await storage.read("y")) ?? [])]];
		});
		expect(back).toEqual([null, [4]]);
	});

	it("keeps a former owner out although clearing the data has begun the epochs anew", async () => {
		const outcome = await page.evaluate(async () => {
			const { IndexedDbStorage } = (
				globalThis as unknown as Record<
					"it",
					{ IndexedDbStorage: new (name: string) => import("../../js/index.ts").Storage }
				>
			).it;
			const base = { name: "x", chunks: 0, seq: 1, crc: 0, length_bytes: 0 };
			const manifest = { version: 1 as const, replid: "", base, incr: [], offset: 0 };
			const first = new IndexedDbStorage("cleared");
			const { epoch } = await first.load();
			await new Promise((resolve, reject) => {
				const request = indexedDB.deleteDatabase("redstart:cleared");
				request.onsuccess = resolve;
				request.onerror = reject;
			});
			const second = new IndexedDbStorage("cleared");
			const isSame = (await second.load()).epoch === epoch;
			const refused = await first.commit(manifest, []).then(
				() => "",
				(error: Error) => error.message,
			);
			await second.commit(manifest, []);
			return [isSame, refused];
		});
		expect(outcome).toEqual([true, expect.stringMatching(/taken over/)]);
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
