// Makes a fresh machine ready: Rust's wasm target, npm packages, the wasm tools, Chromium and chromedriver.
// Each step looks first whether its work is done, so a second run takes about a second.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, hashOf, isMain, isStamped, root, run, seconds, stamp, toolsBin, which } from "./shell.mjs";

const WASM_TARGET = "wasm32-unknown-unknown";
const WASM_PACK = "0.15.1";
const NODE_AT_LEAST = [20, 19];

class Missing extends Error {}

function checkNode() {
	const [major, minor] = process.versions.node.split(".").map(Number);
	const [wantMajor, wantMinor] = NODE_AT_LEAST;
	if (major < wantMajor || (major === wantMajor && minor < wantMinor)) {
		throw new Missing(
			`Node ${process.versions.node} is too old: ${NODE_AT_LEAST.join(".")} or newer is needed`,
		);
	}
	return `Node ${process.versions.node}`;
}

async function checkRust() {
	if (!which("cargo"))
		throw new Missing("cargo is missing: install Rust from https://rustup.rs and open a new shell");
	const wanted = /channel\s*=\s*"([^"]+)"/.exec(readFileSync(join(root, "rust-toolchain.toml"), "utf8"))?.[1];
	let version = ask("rustc", ["--version"]);
	if (version === null && which("rustup")) {
		await mustRun("rustup", [
			"toolchain",
			"install",
			wanted,
			"--profile",
			"minimal",
			"-c",
			"rustfmt",
			"-c",
			"clippy",
		]);
		version = ask("rustc", ["--version"]);
	}
	if (version === null)
		throw new Missing(`rustc ${wanted} does not run: try \`rustup toolchain install ${wanted}\``);
	const lib = join(ask("rustc", ["--print", "sysroot"]) ?? "", "lib", "rustlib", WASM_TARGET);
	if (!existsSync(lib)) {
		if (!which("rustup")) {
			throw new Missing(
				`rustc has no ${WASM_TARGET} target and there is no rustup to add it: install Rust from https://rustup.rs`,
			);
		}
		await mustRun("rustup", ["target", "add", WASM_TARGET]);
	}
	return `${version.split(" (")[0]} with ${WASM_TARGET}`;
}

async function npmPackages() {
	const hash = hashOf(["package-lock.json"], process.versions.modules, process.platform, process.arch);
	if (isStamped("npm", hash) && existsSync(join(root, "node_modules", ".package-lock.json")))
		return "npm packages";
	await mustRun("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
	stamp("npm", hash);
	return "npm packages (npm ci)";
}

async function wasmBindgen() {
	const inputs = ["scripts/tools/Cargo.toml", "scripts/tools/Cargo.lock", "scripts/tools/src"];
	const hash = hashOf(inputs, ask("rustc", ["--version"]) ?? "");
	const there = ["wasm-bindgen", "wasm-bindgen-test-runner"].every((name) =>
		existsSync(join(toolsBin, name)),
	);
	if (!there || !isStamped("wasm-bindgen", hash)) {
		const manifest = join("scripts", "tools", "Cargo.toml");
		const target = join("scripts", "tools", "target");
		await mustRun("cargo", [
			"build",
			"--quiet",
			"--locked",
			"--bins",
			"--manifest-path",
			manifest,
			"--target-dir",
			target,
		]);
		stamp("wasm-bindgen", hash);
	}
	return "wasm-bindgen and its test runner";
}

async function wasmPack() {
	const list = join(root, ".tools", ".crates.toml");
	if (!existsSync(list) || !readFileSync(list, "utf8").includes(`wasm-pack ${WASM_PACK} `)) {
		const profile = ["--debug", "--config", "profile.dev.debug=false"];
		await mustRun("cargo", [
			"install",
			"wasm-pack",
			"--quiet",
			"--version",
			WASM_PACK,
			"--locked",
			...profile,
			"--root",
			".tools",
		]);
	}
	return `wasm-pack ${WASM_PACK}`;
}

const CHROME_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const CHROME_APPS = [
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Where Chrome or Chromium and chromedriver are: CHROME and CHROMEDRIVER in the environment, else PATH, else the usual places. */
export function findBrowser() {
	const found = (named, names) =>
		(named ? which(named) : names.map(which).find((path) => path !== null)) ?? null;
	return {
		chrome: found(process.env.CHROME, [...CHROME_NAMES, ...CHROME_APPS]),
		chromedriver: found(process.env.CHROMEDRIVER, ["chromedriver"]),
	};
}

async function browser() {
	let { chrome, chromedriver } = findBrowser();
	const isNamed = process.env.CHROME !== undefined || process.env.CHROMEDRIVER !== undefined;
	const canInstall = !isNamed && which("apt-get") !== null && process.getuid?.() === 0;
	if ((!chrome || !chromedriver) && canInstall) {
		await mustRun("apt-get", ["update", "-qq"]);
		const packages = ["chromium", "chromium-driver"];
		await mustRun("apt-get", ["install", "-qq", "-y", "--no-install-recommends", ...packages], {
			DEBIAN_FRONTEND: "noninteractive",
		});
		({ chrome, chromedriver } = findBrowser());
	}
	const hint =
		"install Chromium and a chromedriver of the same version (Debian: apt-get install chromium chromium-driver; macOS: brew install --cask google-chrome chromedriver), or name them in CHROME and CHROMEDRIVER";
	if (!chrome) throw new Missing(`no Chrome or Chromium found: ${hint}`);
	if (!chromedriver) throw new Missing(`no chromedriver found: ${hint}`);
	return `${chrome}, ${chromedriver}`;
}

async function mustRun(command, args, env = {}) {
	console.log(`  $ ${command} ${args.join(" ")}`);
	const { code, output } = await run(command, args, { show: "none", env });
	if (code !== 0) {
		const tail = output.trimEnd().split("\n").slice(-30).join("\n");
		throw new Missing(`\`${command} ${args.join(" ")}\` failed (exit ${code}):\n${tail}`);
	}
}

const STEPS = [
	["node", checkNode],
	["rust", checkRust],
	["npm", npmPackages],
	["wasm-bindgen", wasmBindgen],
	["wasm-pack", wasmPack],
	["browser", browser],
];

/**
 * Does what is not done yet, one printed line per step. Returns the messages of what could not be had.
 * `without` names steps the caller can live without (the playground needs no test browser).
 */
export async function setUp({ without = [] } = {}) {
	const problems = [];
	for (const [name, work] of STEPS) {
		if (without.includes(name)) continue;
		const start = Date.now();
		try {
			console.log(`[setup] ${name}: ${await work()} (${seconds(start)})`);
		} catch (error) {
			if (!(error instanceof Missing)) throw error;
			console.log(`[setup] ${name}: MISSING. ${error.message}`);
			problems.push(`${name}: ${error.message}`);
		}
	}
	return problems;
}

if (isMain(import.meta.url)) {
	const problems = await setUp();
	if (problems.length > 0) process.exitCode = 1;
	else console.log("[setup] ready: `npm start` serves the playground, `npm test` runs everything");
}
