// Builds pkg/: the engine as wasm (cargo, wasm-bindgen, wasm-opt) and the TypeScript face around it.
// Each half is rebuilt only when its sources changed. `--dev` builds a debug engine: quick to compile, slow to run.
// There are three modules with the same exports: redstart_bg.wasm for applications, without the prose of COMMAND DOCS;
// redstart_no_scripts_bg.wasm, which also has no Lua; and redstart_docs_bg.wasm with everything, for people: `npx redstart`
// and the playground. A debug build is one module, with everything.

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { ask, cacheDir, hashOf, isMain, isStamped, root, run, seconds, stamp } from "./shell.mjs";

const WASM = join(root, "pkg", "redstart_bg.wasm");
const WASM_WITH_DOCS = join(root, "pkg", "redstart_docs_bg.wasm");
const WASM_WITHOUT_SCRIPTS = join(root, "pkg", "redstart_no_scripts_bg.wasm");
const WASM_SOURCES = [
	".cargo",
	"Cargo.toml",
	"Cargo.lock",
	"rust-toolchain.toml",
	"src",
	"scripts/build.mjs",
];

async function buildWasm(dev) {
	const hash = hashOf(WASM_SOURCES, ask("rustc", ["--version"]) ?? "", dev ? "dev" : "release");
	const made = dev ? [WASM, WASM_WITH_DOCS] : [WASM, WASM_WITH_DOCS, WASM_WITHOUT_SCRIPTS];
	if (made.every((path) => existsSync(path)) && isStamped("wasm", hash)) return "up to date";
	mkdirSync(join(root, "pkg"), { recursive: true });
	// One of an earlier build would not fit the others.
	rmSync(WASM_WITHOUT_SCRIPTS, { force: true });
	if (dev) {
		await makeModule("pkg", true, []);
		copyFileSync(WASM, WASM_WITH_DOCS);
	} else {
		await makeVariant("with-docs", [], WASM_WITH_DOCS);
		await makeVariant("no-scripts", ["--no-default-features"], WASM_WITHOUT_SCRIPTS);
		await makeModule("pkg", false, ["--no-default-features", "--features", "scripting"]);
		const folders = [join(cacheDir, "with-docs"), join(cacheDir, "no-scripts"), join(root, "pkg")];
		const scripts = folders.map((folder) => readFileSync(join(folder, "redstart.js"), "utf8"));
		if (new Set(scripts).size > 1) throw new Error("the modules need different scripts");
	}
	stamp("wasm", hash);
	if (dev) return `debug, ${statSync(WASM).size} bytes`;
	return `${sizes(WASM)}; without scripts ${sizes(WASM_WITHOUT_SCRIPTS)}; with docs ${sizes(WASM_WITH_DOCS)}`;
}

/** A module with other features, made in a folder of the cache and kept as `path`. */
async function makeVariant(name, cargoArgs, path) {
	const folder = join(cacheDir, name);
	await makeModule(folder, false, cargoArgs);
	copyFileSync(join(folder, "redstart_bg.wasm"), path);
}

/**
 * Makes the module and its script in `out`. Not with wasm-pack, which also asks cargo for an rlib: a module built alone is
 * smaller and faster, because everything in it may be inlined and thrown away.
 */
async function makeModule(out, dev, cargoArgs) {
	const target = ["--lib", "--crate-type", "cdylib", "--target", "wasm32-unknown-unknown"];
	const profile = dev ? [] : ["--release"];
	// Without optimisation calls take many times the stack.
	const linking = dev ? ["--", "-Clink-arg=-zstack-size=8388608"] : [];
	await must("cargo", ["rustc", "--quiet", "--locked", ...target, ...profile, ...cargoArgs, ...linking]);
	const built = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "wasm32-unknown-unknown");
	const names = ["--target", "web", "--out-dir", out, "--out-name", "redstart"];
	await must("wasm-bindgen", [...names, join(built, dev ? "debug" : "release", "redstart.wasm")]);
	if (dev) return;
	const module = join(out, "redstart_bg.wasm");
	// In the order of names, copies of one generic function stand side by side, where gzip sees that they are alike.
	const passes = ["-O1", "--reorder-functions-by-name", "--strip-debug", "--strip-producers"];
	await must(join(root, "node_modules", ".bin", "wasm-opt"), [...passes, module, "-o", module]);
}

async function must(program, args) {
	const { code } = await run(program, args, { show: "failure" });
	if (code !== 0) throw new Error(`${program} failed`);
}

function sizes(path) {
	const bytes = readFileSync(path);
	const kib = (length) => `${(length / 1024).toFixed(1)} KiB`;
	return `${kib(bytes.length)}, gzip ${kib(gzipSync(bytes, { level: 9 }).length)}, brotli ${kib(brotliCompressSync(bytes).length)}`;
}

async function buildJs() {
	const script = join(root, "scripts", "build-js.mjs");
	if (!existsSync(script)) return "no scripts/build-js.mjs yet";
	const inputs = ["js", "scripts/build-js.mjs", "package.json", "package-lock.json", "tsconfig.json"];
	const hash = hashOf(inputs, hashOf(["pkg/redstart_bg.wasm", "pkg/redstart.js"]));
	if (existsSync(join(root, "pkg", "index.d.ts")) && isStamped("js", hash)) return "up to date";
	const module = await import(pathToFileURL(script).href);
	await module.buildJs();
	stamp("js", hash);
	return "bundled";
}

/** Brings pkg/ up to date; throws when a half does not build. */
export async function build({ dev = false } = {}) {
	for (const [name, work] of [
		["wasm", () => buildWasm(dev)],
		["js", buildJs],
	]) {
		const start = Date.now();
		console.log(`[build] ${name}: ${await work()} (${seconds(start)})`);
	}
}

if (isMain(import.meta.url)) {
	try {
		await build({ dev: process.argv.includes("--dev") });
	} catch (error) {
		console.error(`[build] ${error.message}`);
		process.exitCode = 1;
	}
}
