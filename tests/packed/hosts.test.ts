/** The tarball, installed into an empty project and run in each kind of host. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import type { Browser } from "playwright-core";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../scripts/shell.mjs";
import { launchChromium, serveFiles } from "../chromium.mjs";
import { EXPECTED, newProject, type Project, program } from "./project.ts";

const tool = (name: string) => join(root, "node_modules", ".bin", name);
/** Shows what the program returns as the page's title. */
const PAGE_MAIN = `
import { run } from "./program.js";
run().then((replies) => { document.title = JSON.stringify(replies); }, (error) => { document.title = String(error); });
`;
const html = (script: string) =>
	`<!doctype html><title></title><meta charset="utf-8"><script type="module" src="${script}"></script>`;

let project: Project;
let browser: Browser;

beforeAll(async () => {
	project = newProject();
	project.write("program.js", program("redstart"));
	project.write("main.js", PAGE_MAIN);
	browser = await launchChromium();
});
afterAll(async () => {
	await browser?.close();
	project?.remove();
});

/** Opens a folder's page and waits for the title. */
async function titleOf(folder: string, page = html("./main.js")): Promise<unknown> {
	const server = await serveFiles({ "/": page }, folder);
	const tab = await browser.newPage();
	try {
		const problems: string[] = [];
		tab.on("pageerror", (error) => problems.push(String(error)));
		await tab.goto(server.url);
		await tab.waitForFunction(() => document.title !== "", undefined, { timeout: 20_000 }).catch(() => {});
		expect(problems).toEqual([]);
		return JSON.parse(await tab.title());
	} finally {
		await tab.close();
		await server.close();
	}
}

describe("the tarball", () => {
	it("holds the built package, the licences and nothing else", () => {
		const list = execFileSync("tar", ["-tzf", project.tarball], { encoding: "utf8" }).trim().split("\n");
		const allowed =
			/^package\/(pkg\/[\w.-]+\.(js|wasm)|pkg\/[\w./-]+\.d\.ts|package\.json|README\.md|LICENSE-(MIT|APACHE))$/;
		expect(list.filter((path) => !allowed.test(path))).toEqual([]);
		expect(list).toContain("package/LICENSE-MIT");
		expect(list).toContain("package/pkg/redstart_bg.wasm");
	});

	it("passes publint", async () => {
		const { messages } = await publint({ pkgDir: project.installed, pack: false, level: "warning" });
		expect(messages).toEqual([]);
	});

	it("needs no other package", () => {
		const manifest = JSON.parse(readFileSync(join(project.installed, "package.json"), "utf8"));
		expect(manifest.dependencies).toBeUndefined();
	});
});

describe("in Node", () => {
	it("runs", () => {
		const file = project.write(
			"node.js",
			'import { run } from "./program.js";\nconsole.log(JSON.stringify(await run()));\n',
		);
		expect(JSON.parse(execFileSync("node", [file], { encoding: "utf8" }))).toEqual(EXPECTED);
	});

	it("keeps a folder, and streams a file in and out", () => {
		const text = `
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Redstart } from "redstart";
const dir = mkdtempSync(join(tmpdir(), "redstart-packed-"));
const db = await Redstart.open(pathToFileURL(join(dir, "data")).href);
await db.async.set("k", "v");
const blob = await db.exportRdb({ as: "blob" });
await writeFile(join(dir, "dump.rdb"), blob.stream());
await db.close();
const back = await Redstart.open(pathToFileURL(join(dir, "data")).href);
const other = await Redstart.open();
const { keys } = await other.importRdb(createReadStream(join(dir, "dump.rdb")));
console.log(JSON.stringify([back.get("k"), keys, other.get("k")]));
await back.close();
rmSync(dir, { recursive: true });
`;
		const file = project.write("folder.js", text);
		expect(JSON.parse(execFileSync("node", [file], { encoding: "utf8", timeout: 20_000 }))).toEqual([
			"v",
			1,
			"v",
		]);
	});

	it("ends by itself: nothing keeps the process alive", () => {
		const text =
			'import { Redstart } from "redstart";\nconst db = await Redstart.open();\ndb.set("a", "1");\n';
		execFileSync("node", [project.write("ends.js", text)], { timeout: 20_000 });
	});
});

describe("with ioredis", () => {
	const source = `
import { Redis } from "ioredis";
import { Redstart } from "redstart";
import { connectorFor } from "redstart/ioredis";
const db = await Redstart.open("memory://");
const redis = new Redis({ Connector: connectorFor(db) });
await redis.set("k", "v");
const script = "return redis.call('GET', KEYS[1])";
console.log(JSON.stringify([db.get("k"), await redis.eval(script, 1, "k")]));
await db.close();
redis.disconnect();
`;
	/** As if it was installed; what it needs itself is found where the link leads. */
	function linkIoredis() {
		const link = join(project.dir, "node_modules", "ioredis");
		if (!existsSync(link)) symlinkSync(join(root, "node_modules", "ioredis"), link);
	}

	it("runs without a socket", () => {
		linkIoredis();
		const file = project.write("connector.js", source);
		expect(JSON.parse(execFileSync("node", [file], { encoding: "utf8", timeout: 20_000 }))).toEqual([
			"v",
			"v",
		]);
	});

	it("has the types that ioredis wants", () => {
		linkIoredis();
		project.write("connected/index.ts", source);
		const options = {
			noEmit: true,
			strict: true,
			target: "ES2022",
			module: "NodeNext",
			moduleResolution: "NodeNext",
			skipLibCheck: true,
			typeRoots: [join(root, "node_modules", "@types")],
			types: ["node"],
		};
		const config = project.write("connected/tsconfig.json", JSON.stringify({ compilerOptions: options }));
		const { stdout } = spawnSync(tool("tsc"), ["--project", config], { encoding: "utf8" });
		expect(stdout).toBe("");
	});
});

describe("the module without scripts", () => {
	const text = `
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Redstart } from "redstart";
const wasm = readFileSync(fileURLToPath(import.meta.resolve("redstart/no-scripts.wasm")));
const db = await Redstart.open("memory://", { wasm });
const replies = [db.set("a", "1"), db.incr("a")];
for (const words of [["EVAL", "return 1", 0], ["SCRIPT", "LOAD", "return 1"], ["FCALL", "f", 0]]) {
	try { replies.push(db.call(...words)); } catch (error) { replies.push(error.message); }
}
try { replies.push(db.script("return 1")()); } catch (error) { replies.push(error.message); }
replies.push(db.info("everything").includes("redis_version"));
console.log(JSON.stringify(replies));
`;

	it("does all the rest", () => {
		const file = project.write("no-scripts.js", text);
		const [set, incr, ...errors] = JSON.parse(execFileSync("node", [file], { encoding: "utf8" }));
		expect([set, incr, errors.pop()]).toEqual(["OK", 2, true]);
		expect(errors).toEqual([
			"ERR unknown command 'EVAL', with args beginning with: 'return 1' '0' ",
			"ERR unknown command 'SCRIPT', with args beginning with: 'LOAD' 'return 1' ",
			"ERR unknown command 'FCALL', with args beginning with: 'f' '0' ",
			"ERR unknown command 'SCRIPT', with args beginning with: 'LOAD' 'return 1' ",
		]);
	});

	it("is smaller", () => {
		const bytes = (name: string) => statSync(join(project.installed, "pkg", name)).size;
		expect(bytes("redstart_no_scripts_bg.wasm")).toBeLessThan(0.85 * bytes("redstart_bg.wasm"));
	});
});

describe("in TypeScript", () => {
	const source = `
import { defineScript, type ImportReport, Redstart, type ReplyError } from "redstart";
const db: Redstart = await Redstart.open("memory://");
const value: string | null = db.get("k");
const count: number = db.incr("n");
const add = defineScript<number>("return redis.call('INCR', KEYS[1])", { keys: 1 });
const later: Promise<number> = db.async.run(add, ["n"]);
const pair: [string, number] = db.eval<[string, number]>("return {KEYS[1], 1}", ["k"]);
const file: Uint8Array = await db.exportRdb();
const blob: Blob = await db.exportRdb({ as: "blob" });
const report: ImportReport = await db.importRdb(blob.stream(), { modules: "skip" });
export const all = { value, count, later, pair, file, report };
export type Failure = ReplyError;
`;
	it.each([
		["bundler", "ESNext"],
		["nodenext", "NodeNext"],
	])("moduleResolution %s finds the types", (moduleResolution, module) => {
		project.write("typed/index.ts", source);
		const lib = ["ES2023", "ESNext.Disposable", "DOM"];
		const options = {
			noEmit: true,
			strict: true,
			target: "ES2022",
			module,
			moduleResolution,
			lib,
			types: [],
		};
		const config = project.write("typed/tsconfig.json", JSON.stringify({ compilerOptions: options }));
		const { stdout } = spawnSync(tool("tsc"), ["--project", config], { encoding: "utf8" });
		expect(stdout).toBe("");
	});
});

describe("in a browser", () => {
	it("runs without a bundler", async () => {
		project.write("plain/program.js", program("/node_modules/redstart/pkg/browser.js"));
		project.write("plain/main.js", PAGE_MAIN);
		expect(await titleOf(project.dir, html("/plain/main.js"))).toEqual(EXPECTED);
	});

	it("runs from the inline entry, which needs no second file", async () => {
		project.write("one/main.js", PAGE_MAIN);
		project.write("one/program.js", program("redstart/inline"));
		const out = join(project.dir, "one", "out", "main.js");
		execFileSync(
			tool("esbuild"),
			["one/main.js", "--bundle", "--format=esm", `--outfile=${out}`, "--log-level=error"],
			{
				cwd: project.dir,
			},
		);
		expect(await titleOf(join(project.dir, "one", "out"))).toEqual(EXPECTED);
	});

	it("runs bundled by esbuild without configuration", async () => {
		const options = ["--bundle", "--format=esm", "--splitting", "--outdir=by-esbuild", "--log-level=error"];
		execFileSync(tool("esbuild"), ["main.js", ...options], { cwd: project.dir });
		expect(await titleOf(join(project.dir, "by-esbuild"))).toEqual(EXPECTED);
	});

	it("runs bundled by Vite without configuration", async () => {
		project.write("index.html", html("/main.js"));
		const { build } = await import("vite");
		await build({ root: project.dir, logLevel: "error", build: { outDir: "by-vite" }, configFile: false });
		const page = readFileSync(join(project.dir, "by-vite", "index.html"), "utf8");
		expect(await titleOf(join(project.dir, "by-vite"), page)).toEqual(EXPECTED);
	});

	it("runs bundled by webpack without configuration", async () => {
		const { default: webpack } = await import("webpack");
		const entry = join(project.dir, "main.js");
		const output = { path: join(project.dir, "by-webpack"), filename: "main.js" };
		const problems = await new Promise<unknown>((resolve, reject) => {
			webpack(
				{ mode: "production", context: project.dir, entry, output, performance: false },
				(error, stats) => {
					if (error) reject(error);
					else resolve(stats?.toJson({ all: false, errors: true, warnings: true }));
				},
			);
		});
		expect(problems).toMatchObject({ errors: [], warnings: [] });
		expect(await titleOf(join(project.dir, "by-webpack"))).toEqual(EXPECTED);
	});
});

describe("in workerd", () => {
	it("goes on while a script runs long", async () => {
		const pkg = join(project.installed, "pkg");
		const main = `
import { Redstart } from "./workerd.js";
export default {
	async fetch() {
		const db = await Redstart.open("memory://", { config: { "busy-reply-threshold": 20 } });
		const running = db.async.eval("while true do end").catch((error) => error.message);
		await new Promise((resolve) => setTimeout(resolve, 50));
		const told = await db.async.get("k").catch((error) => error.message);
		db.scriptKill();
		const whole = await db.async.eval("for i = 1, 500000 do end return 7");
		return Response.json([told, await running, whole]);
	},
};`;
		const worker = new Miniflare({
			modulesRoot: "/",
			modules: [
				{ type: "ESModule", path: "/main.js", contents: main },
				{ type: "ESModule", path: "/workerd.js", contents: readFileSync(join(pkg, "workerd.js"), "utf8") },
				{
					type: "CompiledWasm",
					path: "/redstart_bg.wasm",
					contents: readFileSync(join(pkg, "redstart_bg.wasm")),
				},
			],
			compatibilityDate: "2026-07-01",
		});
		try {
			const response = await worker.dispatchFetch("http://localhost/");
			const [told, killed, whole] = (await response.json()) as [string, string, number];
			expect(told).toMatch(/^BUSY Redis is busy running a script\./);
			expect(killed).toMatch(/^ERR Script killed by user with SCRIPT KILL/);
			expect(whole).toBe(7);
		} finally {
			await worker.dispose();
		}
	});

	it("runs", async () => {
		const pkg = join(project.installed, "pkg");
		const text = (path: string) => readFileSync(join(pkg, path), "utf8");
		const main = `import { run } from "./program.js";\nexport default { fetch: async () => Response.json(await run()) };`;
		const worker = new Miniflare({
			modulesRoot: "/",
			modules: [
				{ type: "ESModule", path: "/main.js", contents: main },
				{ type: "ESModule", path: "/program.js", contents: program("./workerd.js") },
				{ type: "ESModule", path: "/workerd.js", contents: text("workerd.js") },
				{
					type: "CompiledWasm",
					path: "/redstart_bg.wasm",
					contents: readFileSync(join(pkg, "redstart_bg.wasm")),
				},
			],
			compatibilityDate: "2026-07-01",
		});
		try {
			const response = await worker.dispatchFetch("http://localhost/");
			expect(await response.json()).toEqual(EXPECTED);
		} finally {
			await worker.dispose();
		}
	});
});
