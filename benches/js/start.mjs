// The size of what is shipped, and how long it takes to start.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { root } from "../../scripts/shell.mjs";
import { launchChromium, serveFiles } from "../../tests/chromium.mjs";
import { ratio, report } from "./measure.mjs";

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function sizes(bytes) {
	const gzip = gzipSync(bytes, { level: 9 }).length;
	const sizesText = `${kib(bytes.length)} / ${kib(gzip)} / ${kib(brotliCompressSync(bytes).length)}`;
	report("wasm: raw / gzip / brotli", sizesText, "< 150 KiB gzip", gzip < 150 * 1024);
	const face = readFileSync(join(root, "pkg", "browser.js"));
	report(
		"JavaScript for browsers: raw / gzip",
		`${kib(face.length)} / ${kib(gzipSync(face, { level: 9 }).length)}`,
	);
}

async function inNode(bytes) {
	const { Redstart } = await import(join(root, "pkg", "node.js"));
	const took = [];
	for (let i = 0; i < 15; i++) {
		// V8 knows a module it has compiled by its bytes: a section of its own makes each one new.
		const wasm = Buffer.concat([bytes, Buffer.from([0, 3, 1, 120, i])]);
		const start = performance.now();
		const db = await Redstart.open("memory://", { wasm });
		db.set("k", "v");
		took.push(performance.now() - start);
		await db.close();
	}
	const ms = median(took);
	const limit_ms = (8 * bytes.length) / 2 ** 20;
	report(
		"compile, instantiate, first command in Node",
		`${ms.toFixed(2)} ms`,
		`<= ${limit_ms.toFixed(1)} ms`,
		ms <= limit_ms,
	);
}

/** In the page: the time to open, and GET beside Map.get, in ns a call. */
async function measureInPage() {
	const { Redstart } = await import("/pkg/browser.js");
	const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
	const opened = [];
	for (let i = 0; i < 9; i++) {
		const from = performance.now();
		const db = await Redstart.open("memory://", {
			wasm: await (await fetch("/pkg/redstart_bg.wasm")).arrayBuffer(),
		});
		db.set("k", "v");
		opened.push(performance.now() - from);
		await db.close();
	}
	const db = await Redstart.open();
	const keys = Array.from({ length: 1000 }, (_, i) => `key:${String(i).padStart(6, "0")}`);
	const decoder = new TextDecoder();
	const map = new Map(keys.map((key) => [key, decoder.decode(new Uint8Array(64).fill(120))]));
	for (const key of keys) db.set(key, map.get(key));
	let sink = 0;
	// Short runs, many of them: the least is what no other work of the machine got into. A browser's clock is coarse, so
	// they are not too short.
	const run = (get, calls) => {
		const from = performance.now();
		for (let i = 0; i < calls; i++) sink += get(keys[(i * 7919) % 1000]).charCodeAt(63);
		return ((performance.now() - from) * 1e6) / calls;
	};
	const [ofMap, ofDb] = [[], []];
	for (let round = 0; round < 100; round++) {
		ofMap.push(run((key) => map.get(key), 100_000));
		ofDb.push(run((key) => db.get(key), 20_000));
	}
	return { first: opened[0], opened: middle(opened), map: Math.min(...ofMap), get: Math.min(...ofDb), sink };
}

async function inChromium() {
	const browser = await launchChromium();
	const files = await serveFiles({ "/": "<!doctype html>" });
	try {
		const page = await browser.newPage();
		await page.goto(files.url);
		const { first, opened, map, get } = await page.evaluate(measureInPage);
		const figure = `${first.toFixed(1)} ms, then ${opened.toFixed(1)} ms`;
		report("memory:// opens in Chromium, first command included", figure, "< 20 ms", opened < 20);
		ratio("GET 64 B, hot, in Chromium: against Map.get", map / get, 0.25, { detail: `${get.toFixed(0)} ns` });
	} finally {
		await browser.close();
		files.close();
	}
}

export async function start() {
	const bytes = readFileSync(join(root, "pkg", "redstart_bg.wasm"));
	sizes(bytes);
	await inNode(bytes);
	await inChromium();
}
