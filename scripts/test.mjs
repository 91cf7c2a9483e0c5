// `npm test`: set-up, build, then every suite one after another. A failing suite stops nothing.
// The last line is the sum: `N passed, N failed` (and `, N skipped` when something could not run here).
// `npm test -- spec node` runs only the suites whose names contain one of the words.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "./build.mjs";
import { CHECKS } from "./lint.mjs";
import { findBrowser, setUp } from "./setup.mjs";
import { cacheDir, filesUnder, isMain, root, run, seconds } from "./shell.mjs";

const wanted = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

/** Adds up the `test result:` lines that libtest, wasm-bindgen-test and the transcript runners print. */
export function countResults({ code, output }) {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	for (const [, passed, failed, skipped] of output.matchAll(
		/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm,
	)) {
		counts.passed += Number(passed);
		counts.failed += Number(failed);
		counts.skipped += Number(skipped);
	}
	if (code !== 0 && counts.failed === 0) counts.failed = 1;
	return counts;
}

const has = (...paths) => filesUnder(...paths).length > 0;
const oneCheck = ({ code }) => ({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });

async function runAndCount(command, args, options = {}) {
	return countResults(await run(command, args, { timeoutMs: 15 * 60_000, ...options }));
}

async function lint() {
	const sum = { passed: 0, failed: 0, skipped: 0 };
	for (const [name, [command, ...args], applies] of CHECKS) {
		if (applies && !applies()) continue;
		const start = Date.now();
		const result = oneCheck(await run(command, args, { show: "failure" }));
		console.log(`${name}: ${result.failed ? "FAILED" : "ok"} (${seconds(start)})`);
		sum.passed += result.passed;
		sum.failed += result.failed;
	}
	return sum;
}

async function vitest(project) {
	const file = join(cacheDir, `vitest-${project}.json`);
	mkdirSync(cacheDir, { recursive: true });
	rmSync(file, { force: true });
	const { chrome } = findBrowser();
	const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${file}`];
	const { code } = await run("vitest", ["run", "--project", project, ...reporters], {
		timeoutMs: 15 * 60_000,
		env: { NO_COLOR: "1", ...(chrome ? { CHROME: chrome } : {}) },
	});
	if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
	const report = JSON.parse(readFileSync(file, "utf8"));
	const brokenFiles = report.testResults.filter(
		(t) => t.status === "failed" && t.assertionResults.length === 0,
	);
	const failed = report.numFailedTests + brokenFiles.length;
	return {
		passed: report.numPassedTests,
		failed: failed === 0 && code !== 0 ? 1 : failed,
		skipped: report.numPendingTests + report.numTodoTests,
	};
}

/** One run for each test binary: cargo would leave out those after the first that fails. */
async function wasmPackTest() {
	const { chromedriver } = findBrowser();
	const driver = chromedriver ? ["--chromedriver", chromedriver] : [];
	const args = ["test", "--headless", "--chrome", ...driver, "--mode", "no-install", ".", "--test"];
	const sum = { passed: 0, failed: 0, skipped: 0 };
	for (const binary of ["wasm", "wasm_worker"]) {
		const env = { WASM_BINDGEN_TEST_TIMEOUT: "300" };
		const counts = await runAndCount("wasm-pack", [...args, binary], { env });
		for (const key of Object.keys(sum)) sum[key] += counts[key];
	}
	return sum;
}

/**
 * What the modules may weigh, compressed: every visitor of a page loads the first, or the second where no script is to
 * run. Their difference is the Lua machine with its libraries, scripts and functions.
 */
const GZIP_LIMITS = [
	["redstart_bg.wasm", 460],
	["redstart_no_scripts_bg.wasm", 355],
];

function size() {
	const sum = { passed: 0, failed: 0, skipped: 0 };
	for (const [name, limit_kib] of GZIP_LIMITS) {
		const bytes = readFileSync(join(root, "pkg", name));
		const kib = gzipSync(bytes, { level: 9 }).length / 1024;
		console.log(`pkg/${name}: ${bytes.length} bytes, gzip ${kib.toFixed(1)} of ${limit_kib} KiB`);
		sum[kib <= limit_kib ? "passed" : "failed"]++;
	}
	return sum;
}

const transcripts = (host) => () => runAndCount("node", ["tests/spec/run.mjs", "--in", host]);

/** Name, work, and whether there is anything to run. */
const SUITES = [
	["checks: format, lint, types, generated files", lint],
	[
		"native: Rust tests, models, transcripts, tidy",
		() => runAndCount("cargo", ["test", "--no-fail-fast", "--quiet"]),
	],
	["size: what a page loads", size],
	["spec in wasm under Node", transcripts("node"), () => existsSync(join(root, "tests/spec/run.mjs"))],
	["spec in headless Chrome", transcripts("chrome"), () => existsSync(join(root, "tests/spec/run.mjs"))],
	["spec in workerd", transcripts("workerd"), () => existsSync(join(root, "tests/spec/run.mjs"))],
	["wasm-pack: wasm-bindgen tests in headless Chrome", wasmPackTest, () => has("tests/wasm.rs")],
	["js: the face and its clients under Node and workerd", () => vitest("js"), () => has("tests/js")],
	["packages: queues, locks and limiters from npm", () => vitest("packages"), () => has("tests/packages")],
	["browser: the playground and tabs in Chromium", () => vitest("browser"), () => has("tests/browser")],
	["survival: troubles of storage in Chromium", () => vitest("survival"), () => has("tests/survival")],
	[
		"survival: browsers, servers and workerd that are killed",
		() => runAndCount("node", ["scripts/survive.mjs", "--short", "--trials", "2"]),
		() => existsSync(join(root, "scripts/survive.mjs")),
	],
	["playground: terminal and page in Chromium", () => vitest("www"), () => has("tests/www")],
	["packed: the tarball in every kind of host", () => vitest("packed"), () => has("tests/packed")],
	[
		"oracle: transcripts and random streams against redis-server",
		() => runAndCount("node", ["tests/oracle/compare.mjs"]),
		() => has("tests/oracle/compare.mjs"),
	],
];

async function suite(name, work) {
	console.log(`\n== ${name}`);
	const start = Date.now();
	let counts;
	try {
		counts = await work();
	} catch (error) {
		console.error(error.stack ?? error);
		counts = { passed: 0, failed: 1, skipped: 0 };
	}
	for (const key of Object.keys(total)) total[key] += counts[key];
	if (counts.failed > 0) failures.push(name);
	const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
	console.log(`-- ${name}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${seconds(start)})`);
}

async function main() {
	const start = Date.now();
	const problems = await setUp();
	for (const problem of problems) failures.push(`set-up: ${problem}`);
	total.failed += problems.length;
	await suite("build: pkg/", async () => {
		await build();
		return { passed: 1, failed: 0, skipped: 0 };
	});
	for (const [name, work, applies] of SUITES) {
		if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
		if (applies && !applies()) continue;
		await suite(name, work);
	}
	console.log(`\nall suites in ${seconds(start)}`);
	for (const name of failures) console.log(`failed: ${name}`);
	const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
	console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
	process.exitCode = total.failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await main();
