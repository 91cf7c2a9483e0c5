/** RDB files in a page: from the network, through streams, into Blobs; the page goes on meanwhile. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium, serveFiles } from "../chromium.mjs";
import { errorsOf } from "./page.ts";

interface Global {
	Redstart: typeof import("../../js/redstart.ts").Redstart;
}
declare const self: Global & typeof window;

const PAGE = `<!doctype html><title>files</title><script type="module">
	import { Redstart } from "/pkg/browser.js";
	self.Redstart = Redstart;
</script>`;

let browser: Browser;
let server: { url: string; close(): Promise<unknown> };

beforeAll(async () => {
	server = await serveFiles({ "/": PAGE });
	browser = await launchChromium();
});
afterAll(async () => {
	await browser?.close();
	await server?.close();
});

it("come from fetch, from Blobs and through streams, and go into them", async () => {
	const page = await browser.newPage();
	const errors = errorsOf(page);
	await page.goto(server.url);
	await page.waitForFunction(() => self.Redstart !== undefined);
	const counts = await page.evaluate(async () => {
		const db = await self.Redstart.open("memory://");
		const sources: [string, () => Promise<Response | Blob | ReadableStream<Uint8Array>>][] = [];
		const fetched = () => fetch("/tests/data/strings-8.2.3.rdb");
		sources.push(["response", fetched]);
		sources.push(["blob", async () => (await fetched()).blob()]);
		const compressed = async () =>
			(await fetched()).body?.pipeThrough(new CompressionStream("gzip")) as ReadableStream<Uint8Array>;
		sources.push([
			"stream",
			async () =>
				(await compressed()).pipeThrough(
					new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>,
				),
		]);
		sources.push(["export", () => db.exportRdb({ as: "blob" })]);
		const found: [string, number, number][] = [];
		for (const [name, make] of sources) {
			const report = await db.importRdb(await make());
			found.push([name, report.keys + report.expired, db.dbsize()]);
		}
		const missing = await fetch("/tests/data/none.rdb");
		const failed = await db.importRdb(missing).catch((error: Error) => error.message);
		return { found, failed };
	});
	const [first] = counts.found;
	expect(first?.[1]).toBeGreaterThan(3);
	for (const [, , size] of counts.found) expect(size).toBe(first?.[2]);
	expect(counts.failed).toBe("the file cannot be fetched: 404 Not Found");
	expect(errors.filter((text) => !text.includes("404"))).toEqual([]);
	await page.close();
});

it("leave the page alive: frames are drawn, commands run", async () => {
	const page = await browser.newPage();
	await page.goto(server.url);
	await page.waitForFunction(() => self.Redstart !== undefined);
	// As slow as a phone, so that it takes long enough to be watched.
	const devtools = await page.context().newCDPSession(page);
	await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
	const seen = await page.evaluate(async () => {
		const db = await self.Redstart.open("memory://");
		for (let i = 0; i < 100_000; i += 1000) {
			const pipeline = db.pipeline();
			for (let j = i; j < i + 1000; j++) pipeline.set(`key:${j}`, `value of ${j}`);
			pipeline.exec();
		}
		let frames = 0;
		let isOver = false;
		const frame = () => {
			frames++;
			db.incr("frames");
			if (!isOver) requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
		const file = await db.exportRdb({ as: "blob" });
		const whileWriting = frames;
		const report = await db.importRdb(file);
		isOver = true;
		return { whileWriting, whileReading: frames - whileWriting, keys: report.keys };
	});
	expect(seen.whileWriting).toBeGreaterThan(2);
	expect(seen.whileReading).toBeGreaterThan(2);
	expect(seen.keys).toBeGreaterThanOrEqual(100_000);
	await page.close();
});
