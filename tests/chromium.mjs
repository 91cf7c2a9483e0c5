// Chromium for tests: the installed browser under playwright, and a small server of static files and given texts.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { findBrowser } from "../scripts/setup.mjs";
import { root } from "../scripts/shell.mjs";

const FLAGS = [
	"--no-sandbox",
	"--disable-gpu",
	"--disable-dev-shm-usage",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];
const TYPES = {
	".html": "text/html",
	".js": "text/javascript",
	".mjs": "text/javascript",
	".wasm": "application/wasm",
	".json": "application/json",
	".css": "text/css",
};

/** Starts headless Chromium; throws a readable error when none is installed. */
export async function launchChromium(args = []) {
	const { chrome } = findBrowser();
	if (!chrome) throw new Error("no Chrome or Chromium found: run `npm run setup`");
	return chromium.launch({ executablePath: chrome, headless: true, args: [...FLAGS, ...args] });
}

/** The same with a profile in `folder`, which behaves as a visitor's: quotas count and data stays. */
export async function launchProfile(folder, args = []) {
	const { chrome } = findBrowser();
	if (!chrome) throw new Error("no Chrome or Chromium found: run `npm run setup`");
	const options = { executablePath: chrome, headless: true, args: [...FLAGS, ...args] };
	return chromium.launchPersistentContext(folder, options);
}

/** Serves the project's files, and `texts` (path to HTML) above them, on a free port. */
export async function serveFiles(texts = {}, folder = root) {
	const server = createServer((request, response) => {
		const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
		try {
			const body = texts[path] ?? readFileSync(join(folder, path));
			const type = path in texts ? "text/html" : (TYPES[extname(path)] ?? "application/octet-stream");
			response.writeHead(200, { "content-type": type }).end(body);
		} catch {
			response.writeHead(404).end();
		}
	});
	await new Promise((resolve) => server.listen(0, "localhost", resolve));
	const close = () => {
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	};
	return { url: `http://localhost:${server.address().port}`, close };
}
