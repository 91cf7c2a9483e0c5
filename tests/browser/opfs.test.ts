/** The built package in dedicated workers of Chromium: databases in the origin's private file system. */

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, serveFiles } from "../chromium.mjs";

/** Runs the body of an async function that is sent to it, with what the database's module exports at hand. */
const WORKER = `
import * as redstart from "/pkg/browser.js";
self.lost = [];
self.gained = 0;
self.open = async (url, options) => {
	const db = await redstart.Redstart.open(url, options);
	db.on("persistence-lost", (error) => self.lost.push(error.message));
	db.on("persistence-gained", () => self.gained++);
	return db;
};
onmessage = async ({ data }) => {
	try {
		const run = new (async () => {}).constructor("redstart", data);
		postMessage({ value: await run(redstart) });
	} catch (error) {
		postMessage({ error: (error.kind ?? error.name) + ": " + error.message });
	}
};
postMessage({});
`;

const PAGE = `<!doctype html><title>opfs</title><script type="module">
	import { Redstart } from "/pkg/browser.js";
	self.Redstart = Redstart;
	self.workers = {};
</script>`;

let browser: Browser;
let server: { url: string; close(): Promise<unknown> };
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
	server = await serveFiles({ "/": PAGE });
	browser = await launchChromium();
});
afterAll(async () => {
	await browser?.close();
	await server?.close();
});
beforeEach(async () => {
	context = await browser.newContext();
	page = await context.newPage();
	await page.goto(server.url);
	await page.waitForFunction(() => "workers" in globalThis);
	return () => context.close();
});

/** Starts a worker of the page under a name; one of that name before is terminated. */
async function start(name: string): Promise<void> {
	await page.evaluate(
		async ([id, text]) => {
			const { workers } = globalThis as unknown as { workers: Record<string, Worker> };
			workers[id]?.terminate();
			// A module in a blob knows no address of its own.
			const script = text.replaceAll('"/pkg', `"${location.origin}/pkg`);
			const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
			const worker = new Worker(url, { type: "module" });
			workers[id] = worker;
			await new Promise((resolve, reject) => {
				worker.onmessage = resolve;
				worker.onerror = (event) => reject(new Error(event.message));
			});
		},
		[name, WORKER] as const,
	);
}

/** What a function's body comes to in a worker. */
async function run(name: string, body: string): Promise<unknown> {
	const { value, error } = await page.evaluate(
		([id, text]) =>
			new Promise<{ value?: unknown; error?: string }>((resolve) => {
				const worker = (globalThis as unknown as { workers: Record<string, Worker> }).workers[id] as Worker;
				worker.onmessage = ({ data }) => resolve(data);
				worker.postMessage(text);
			}),
		[name, body] as const,
	);
	if (error) throw new Error(error);
	return value;
}

describe("a database in the origin's private file system", () => {
	it("has everything that was answered when its worker is terminated", async () => {
		await start("a");
		await run("a", `self.db = await open("opfs://app"); await db.async.set("k", "caf\\u00e9");`);
		expect(await run("a", `return db.configGet("appendonly")`)).toEqual({ appendonly: "yes" });
		for (let life = 1; life <= 3; life++) {
			const writing = `for (;;) { const n = await db.async.incr("n"); self.last = n; if (n >= ${life} * 200) return n; }`;
			expect(await run("a", writing)).toBe(life * 200);
			await start("a");
			await run("a", `self.db = await open("opfs://app");`);
			expect(await run("a", `return [db.get("k"), db.get("n")]`)).toEqual(["caf\u00e9", String(life * 200)]);
		}
	});

	it("survives a reload, rewritten or not, with large values", async () => {
		await start("a");
		await run("a", `self.db = await open("opfs://app"); await db.async.set("large", "x".repeat(5_000_000));`);
		await run("a", `await db.save(); await db.async.set("after", "1"); await db.close();`);
		await page.reload();
		await page.waitForFunction(() => "workers" in globalThis);
		await start("a");
		await run("a", `self.db = await open("opfs://app");`);
		expect(await run("a", `return [db.strlen("large"), db.get("after")]`)).toEqual([5_000_000, "1"]);
	});

	it("belongs to one worker; another has a copy, and inherits it", async () => {
		await start("a");
		await run("a", `self.db = await open("opfs://app"); await db.async.set("who", "a");`);
		await start("b");
		await run("b", `self.db = await open("opfs://app");`);
		expect(await run("b", `return db.get("who")`)).toBe("a");
		await expect.poll(() => run("b", "return lost.length")).toBe(1);
		await run("a", `await db.async.set("who", "still a");`);
		await page.evaluate(() =>
			(globalThis as unknown as { workers: Record<string, Worker> }).workers.a?.terminate(),
		);
		await expect.poll(() => run("b", "return gained")).toBe(1);
		expect(await run("b", `return db.get("who")`)).toBe("still a");
		await run("b", `await db.async.set("who", "b");`);
		await start("c");
		await run("b", "await db.close();");
		await run("c", `self.db = await open("opfs://app");`);
		expect(await run("c", `return db.get("who")`)).toBe("b");
	});

	it("becomes whole again after the site's data was cleared", async () => {
		await start("a");
		await run("a", `self.db = await open("opfs://app"); await db.async.set("k", "v"); await db.save();`);
		const session = await context.newCDPSession(page);
		await session.send("Storage.clearDataForOrigin", { origin: server.url, storageTypes: "file_systems" });
		await page.waitForTimeout(1100);
		// It may be refused for as long as there is no new base.
		await expect
			.poll(() => run("a", `return db.async.set("later", "1").catch((error) => error.message)`))
			.toBe("OK");
		await run("a", `await db.async.set("last", "2");`);
		await start("a");
		await run("a", `self.db = await open("opfs://app");`);
		expect(await run("a", `return db.mget(["k", "later", "last"])`)).toEqual(["v", "1", "2"]);
	});

	it("wants a worker, and a page is told so", async () => {
		const told = await page.evaluate(() => {
			const { Redstart } = globalThis as unknown as typeof import("../../js/redstart.ts");
			return Redstart.open("opfs://app").then(
				() => "opened",
				(error: Error & { kind?: string }) => `${error.kind}: ${error.message}`,
			);
		});
		expect(told).toBe("unsupported: OPFS wants a dedicated worker: open the database in one");
	});

	it("wants a name", async () => {
		await start("a");
		await expect(run("a", `await open("opfs://");`)).rejects.toThrow(/opfs:\/\/ wants a name/);
	});
});
