// Where a rig hears what the host that it kills has acknowledged: outside of it, over HTTP.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { root } from "../../scripts/shell.mjs";

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const HEADERS = { "cache-control": "no-cache" };

/**
 * Serves the project's files, `pages` (path to HTML), and takes reports: `POST /report/<name>` with JSON, of which
 * `reports.get(name)` is the last. `onReport(name, value)` hears each.
 */
export async function openPlace(pages = {}, port = 0) {
	const reports = new Map();
	const place = { reports, onReport: undefined, url: "", close };
	const server = createServer((request, response) => {
		const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
		if (request.method === "POST" && path.startsWith("/report/")) {
			let body = "";
			request.on("data", (chunk) => {
				body += chunk;
			});
			// One that the death of its sender cuts off counts for nothing.
			request.on("end", () => {
				const name = path.slice("/report/".length);
				reports.set(name, JSON.parse(body));
				place.onReport?.(name, reports.get(name));
				response.writeHead(204, HEADERS).end();
			});
			return;
		}
		try {
			const body = pages[path] ?? readFileSync(join(root, path));
			const type = path in pages ? "text/html" : (TYPES[extname(path)] ?? "application/octet-stream");
			response.writeHead(200, { ...HEADERS, "content-type": type }).end(body);
		} catch {
			response.writeHead(404).end();
		}
	});
	await new Promise((resolve) => server.listen(port, "localhost", resolve));
	place.url = `http://localhost:${server.address().port}`;
	return place;

	function close() {
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	}
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `ask()` gives something; after `limit_ms` throws that `what` did not come. */
export async function until(what, ask, limit_ms = 30_000) {
	const end = Date.now() + limit_ms;
	for (;;) {
		const found = await ask();
		if (found) return found;
		if (Date.now() > end) throw new Error(`${what} did not come within ${limit_ms / 1000} s`);
		await sleep(5);
	}
}

/** `promise`, or an error when it takes longer. */
export async function within(limit_ms, what, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what} took longer than ${limit_ms / 1000} s`)), limit_ms);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
