/** The tarball that npm would publish, installed in an empty folder and run by each kind of host. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { Miniflare } from "miniflare";
import type { Browser } from "playwright-core";
import { build, createServer } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import webpack from "webpack";
import { root } from "../../scripts/shell.mjs";
import { launchChromium, serveFiles } from "../chromium.mjs";

/** What every host is to do, and to say. */
const USE = `
export async function use(Redstart, ReplyError) {
	const db = await Redstart.open();
	db.set("greeting", "hello", { ex: 100 });
	const heard = new Promise((resolve) => db.subscribe("news", resolve));
	db.publish("news", "heard");
	let code;
	try { db.incr("greeting"); } catch (error) { code = error instanceof ReplyError && error.code; }
	const said = [db.get("greeting"), db.pipeline().incr("n").incr("n").exec(), await heard, code, db.stats().keys];
	await db.close();
	return JSON.stringify(said);
}
`;
const SAID = JSON.stringify(["hello", [1, 2], "heard", "ERR", 2]);

let folder: string;
let browser: Browser;

const npm = (args: string[], cwd: string) => execFileSync("npm", args, { cwd, encoding: "utf8" });

/** A folder with the package installed and `files` in it. */
function consumer(name: string, files: Record<string, string>): string {
	const at = join(folder, name);
	mkdirSync(join(at, "src"), { recursive: true });
	cpSync(join(folder, "installed", "node_modules"), join(at, "node_modules"), { recursive: true });
	writeFileSync(join(at, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
	writeFileSync(join(at, "src", "use.js"), USE);
	for (const [path, text] of Object.entries(files)) writeFileSync(join(at, path), text);
	return at;
}

const PAGE_SOURCE = `
import { Redstart, ReplyError } from "redstart";
import { use } from "./use.js";
use(Redstart, ReplyError).then((said) => { document.title = said; }, (error) => { document.title = "failed: " + error; });
`;

/** The title that a page sets when its script is done, and what went wrong on it. */
async function titleOf(url: string): Promise<string> {
	const page = await browser.newPage();
	const problems: string[] = [];
	page.on("pageerror", (error) => problems.push(String(error)));
	try {
		await page.goto(url);
		await page.waitForFunction(() => document.title !== "", undefined, { timeout: 30_000 });
		const title = await page.title();
		return problems.length > 0 ? `${title} ${problems.join()}` : title;
	} finally {
		await page.close();
	}
}

/** Serves a folder and gives the title of its page. */
async function titleOfFolder(at: string, path = "/index.html"): Promise<string> {
	const server = await serveFiles({}, at);
	try {
		return await titleOf(server.url + path);
	} finally {
		await server.close();
	}
}

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "redstart-packed-"));
	const [packed] = JSON.parse(
		npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root),
	);
	const installed = join(folder, "installed");
	mkdirSync(installed);
	writeFileSync(join(installed, "package.json"), '{ "private": true }');
	npm(["install", "--offline", "--no-audit", "--no-fund", join(folder, packed.filename)], installed);
	browser = await launchChromium();
});

afterAll(async () => {
	await browser?.close();
	rmSync(folder, { recursive: true, force: true });
});

describe("the tarball", () => {
	it("holds what is needed and nothing of the sources", () => {
		const files = readdirSync(join(folder, "installed", "node_modules", "redstart"), { recursive: true }).map(
			String,
		);
		for (const needed of [
			"pkg/node.js",
			"pkg/browser.js",
			"pkg/redstart_bg.wasm",
			"pkg/index.d.ts",
			"LICENSE-MIT",
		]) {
			expect(files).toContain(needed);
		}
		expect(files.filter((file) => /^(src|js|tests|www|node_modules)\b|\.rs$/.test(file))).toEqual([]);
	});

	it("keeps its browser script small", async () => {
		const { gzipSync } = await import("node:zlib");
		const script = readFileSync(join(folder, "installed", "node_modules", "redstart", "pkg", "browser.js"));
		expect(gzipSync(script, { level: 9 }).length).toBeLessThan(16 * 1024);
	});
});

describe("installed, it runs", () => {
	it("under Node, as a file and in one piece", () => {
		const run = (entry: string) =>
			`import { Redstart, ReplyError } from "${entry}"; import { use } from "./src/use.js";
			console.log(await use(Redstart, ReplyError));`;
		const at = consumer("node", { "file.mjs": run("redstart"), "inline.mjs": run("redstart/inline") });
		for (const file of ["file.mjs", "inline.mjs"]) {
			expect(execFileSync(process.execPath, [file], { cwd: at, encoding: "utf8" }).trim()).toBe(SAID);
		}
	});

	it("in a page without a bundler", async () => {
		const at = consumer("plain", {
			"index.html": `<!doctype html><script type="importmap">{ "imports": { "redstart": "/node_modules/redstart/pkg/browser.js" } }</script>
				<script type="module" src="/src/main.js"></script>`,
			"src/main.js": PAGE_SOURCE,
		});
		expect(await titleOfFolder(at)).toBe(SAID);
	});

	it.each(["esm", "iife"] as const)("bundled by esbuild as %s, without configuration", async (format) => {
		const at = consumer(`esbuild-${format}`, {
			"src/main.js": PAGE_SOURCE,
			"index.html": `<!doctype html><script ${format === "esm" ? 'type="module"' : ""} src="/out/main.js"></script>`,
		});
		await esbuild.build({
			absWorkingDir: at,
			entryPoints: ["src/main.js"],
			bundle: true,
			format,
			outdir: "out",
			logLevel: "error",
		});
		expect(await titleOfFolder(at)).toBe(SAID);
	});

	it("built by Vite, without configuration", async () => {
		const at = consumer("vite", {
			"src/main.js": PAGE_SOURCE,
			"index.html": '<!doctype html><script type="module" src="/src/main.js"></script>',
		});
		await build({ root: at, configFile: false, logLevel: "error" });
		expect(readdirSync(join(at, "dist", "assets")).some((file) => file.endsWith(".wasm"))).toBe(true);
		expect(await titleOfFolder(join(at, "dist"))).toBe(SAID);
	});

	it("served by Vite during development", async () => {
		const at = consumer("vite-dev", {
			"src/main.js": PAGE_SOURCE,
			"index.html": '<!doctype html><script type="module" src="/src/main.js"></script>',
		});
		const server = await createServer({
			root: at,
			configFile: false,
			logLevel: "error",
			server: { port: 0 },
		});
		try {
			await server.listen();
			expect(await titleOf(server.resolvedUrls?.local[0] as string)).toBe(SAID);
		} finally {
			await server.close();
		}
	});

	it("built by webpack, without configuration", async () => {
		const at = consumer("webpack", {
			"src/index.js": PAGE_SOURCE,
			"index.html": '<!doctype html><script defer src="/dist/main.js"></script>',
		});
		await new Promise<void>((resolve, reject) => {
			webpack(
				{ context: at, mode: "production", entry: "./src/index.js", output: { path: join(at, "dist") } },
				(error, stats) => {
					if (error || stats?.hasErrors()) reject(error ?? new Error(stats?.toString()));
					else resolve();
				},
			);
		});
		expect(readdirSync(join(at, "dist")).some((file) => file.endsWith(".wasm"))).toBe(true);
		expect(await titleOfFolder(at)).toBe(SAID);
	});

	it("in workerd", async () => {
		const at = consumer("workerd", {
			"src/worker.js": `import { Redstart, ReplyError } from "redstart"; import { use } from "./use.js";
				export default { async fetch() { return new Response(await use(Redstart, ReplyError)); } };`,
		});
		const worker = new Miniflare(await forWorkerd(at, "src/worker.js"));
		try {
			const response = await worker.dispatchFetch("http://localhost/");
			expect(await response.text()).toBe(SAID);
		} finally {
			await worker.dispose();
		}
	});

	it.each(["bundler", "nodenext"])("with its types, resolved as %s", (resolution) => {
		const at = consumer(`types-${resolution}`, {
			"src/main.ts": `import { Redstart, type Reply, ReplyError, RedstartError } from "redstart";
				import { openInIsolate } from "redstart/edge";
				const db: Redstart = await Redstart.open("memory://");
				const value: string | null = db.get("k");
				const bytes: Uint8Array | null = db.bytes.get("k");
				const later: Promise<number> = db.async.incr("k");
				const reply: Reply = db.call("PING");
				const end = db.subscribe("c", (message: string, channel: string) => {});
				end();
				db.set("k", "v", { ex: 10, nx: true });
				// @ts-expect-error there is no such option
				db.set("k", "v", { exx: 10 });
				// @ts-expect-error a key is needed
				db.get();
				export { value, bytes, later, reply, ReplyError, RedstartError, openInIsolate };`,
			"tsconfig.json": JSON.stringify({
				compilerOptions: {
					target: "es2022",
					lib: ["es2023", "dom", "esnext.disposable"],
					module: resolution === "nodenext" ? "nodenext" : "esnext",
					moduleResolution: resolution,
					strict: true,
					noEmit: true,
					types: [],
				},
				include: ["src/main.ts"],
			}),
		});
		const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
		try {
			execFileSync(process.execPath, [tsc, "--project", at], { encoding: "utf8" });
		} catch (error) {
			throw new Error((error as { stdout: string }).stdout);
		}
	});
});

/** A bundle for workerd as wrangler makes it: conditions of Workers, modules of wasm beside the script. */
async function forWorkerd(at: string, entry: string) {
	const { outputFiles } = await esbuild.build({
		absWorkingDir: at,
		entryPoints: [entry],
		bundle: true,
		format: "esm",
		conditions: ["workerd", "worker", "browser"],
		external: ["*.wasm"],
		write: false,
		logLevel: "error",
	});
	const wasm = join(at, "node_modules", "redstart", "pkg", "redstart_bg.wasm");
	return {
		modules: [
			{ type: "ESModule" as const, path: "worker.js", contents: outputFiles[0]?.text ?? "" },
			{ type: "CompiledWasm" as const, path: "redstart_bg.wasm", contents: readFileSync(wasm) },
		],
		compatibilityDate: "2026-07-01",
	};
}
