// Runs the transcripts in wasm: `node tests/spec/run.mjs --in node|chrome|workerd [group...]`. Needs pkg/ (npm run build).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transcriptFiles } from "../../scripts/record.mjs";
import { root } from "../../scripts/shell.mjs";
import { runTranscripts } from "./wasm-host.mjs";

/** What is about COMMAND DOCS runs in the module that has its prose. */
const WITH_DOCS = /\/command\.resp$/;

// The script holds one instance: a module of its own for each.
async function inNode(files, wasm) {
	const { initSync } = await import(`../../pkg/redstart.js?${wasm}`);
	const module = new WebAssembly.Module(readFileSync(join(root, "pkg", wasm)));
	return runTranscripts(initSync({ module }), files);
}

async function inChrome(files, wasm) {
	const { launchChromium, serveFiles } = await import("../chromium.mjs");
	const server = await serveFiles({ "/": "<!doctype html><title>transcripts</title>" });
	const browser = await launchChromium();
	try {
		const page = await browser.newPage();
		await page.goto(server.url);
		return await page.evaluate(
			async ([given, name]) => {
				const { default: init } = await import("/pkg/redstart.js");
				const { runTranscripts } = await import("/tests/spec/wasm-host.mjs");
				return runTranscripts(await init({ module_or_path: `/pkg/${name}` }), given);
			},
			[files, wasm],
		);
	} finally {
		await browser.close();
		await server.close();
	}
}

const WORKER = `
import { initSync } from "./pkg/redstart.js";
import module from "./pkg/engine.wasm";
import { runTranscripts } from "./tests/spec/wasm-host.mjs";
let exports;
export default {
	async fetch(request) {
		exports ??= initSync({ module });
		return Response.json(await runTranscripts(exports, await request.json()));
	},
};`;

async function inWorkerd(files, wasm) {
	const { Miniflare } = await import("miniflare");
	const text = (path) => ({ type: "ESModule", path, contents: readFileSync(join(root, path), "utf8") });
	const worker = new Miniflare({
		modulesRoot: root,
		modules: [
			{ type: "ESModule", path: "worker.mjs", contents: WORKER },
			text("pkg/redstart.js"),
			{
				type: "CompiledWasm",
				path: "pkg/engine.wasm",
				contents: readFileSync(join(root, "pkg", wasm)),
			},
			...["wasm-host", "runner", "format"].map((name) => text(`tests/spec/${name}.mjs`)),
		],
		compatibilityDate: "2026-07-01",
	});
	try {
		const response = await worker.dispatchFetch("http://localhost/", {
			method: "POST",
			body: JSON.stringify(files),
		});
		if (!response.ok) throw new Error(await response.text());
		return await response.json();
	} finally {
		await worker.dispose();
	}
}

const HOSTS = { node: inNode, chrome: inChrome, workerd: inWorkerd };

async function main() {
	const at = process.argv.indexOf("--in");
	const host = HOSTS[process.argv[at + 1]];
	if (at < 0 || !host) throw new Error("usage: node tests/spec/run.mjs --in node|chrome|workerd [group...]");
	const groups = process.argv.slice(2).filter((_, i) => i !== at - 2 && i !== at - 1);
	const files = transcriptFiles(groups).map((path) => ({
		name: path,
		source: readFileSync(join(root, path), "utf8"),
	}));
	let [passed, failed] = [0, 0];
	for (const [wasm, hasDocs] of [
		["redstart_bg.wasm", false],
		["redstart_docs_bg.wasm", true],
	]) {
		const part = files.filter(({ name }) => WITH_DOCS.test(name) === hasDocs);
		if (part.length === 0) continue;
		const result = await host(part, wasm);
		passed += result.passed;
		failed += result.failed;
		for (const failure of result.failures) console.log(failure);
	}
	console.log(
		`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`,
	);
	process.exitCode = failed === 0 ? 0 : 1;
}

await main();
