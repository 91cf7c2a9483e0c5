// What the scripts share: where things are, running a program, and stamps that say "this was done for exactly these inputs".
// Only Node's own modules: `npm start` and `npm test` begin here on a machine where nothing is installed yet.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[/\\]$/, "");
export const cacheDir = join(root, ".cache");
export const toolsBin = join(root, "scripts", "tools", "target", "debug");

/** The environment every program runs in: the project's own tools come first in PATH. */
export function toolEnv(extra = {}) {
	const first = [toolsBin, join(root, ".tools", "bin"), join(root, "node_modules", ".bin")];
	const cargoHome =
		process.env.CARGO_HOME ?? join(process.env.HOME ?? process.env.USERPROFILE ?? "", ".cargo");
	return {
		...process.env,
		PATH: [...first, process.env.PATH ?? "", join(cargoHome, "bin")].join(delimiter),
		...extra,
	};
}

/** The path of a program in the tools' PATH, or null. */
export function which(name) {
	if (name.includes("/")) return existsSync(name) ? name : null;
	const suffixes = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
	for (const dir of toolEnv().PATH.split(delimiter)) {
		for (const suffix of suffixes) {
			const path = join(dir, name + suffix);
			if (dir && existsSync(path) && statSync(path).isFile()) return path;
		}
	}
	return null;
}

/** Runs a short program and returns its trimmed output, or null when it is missing or fails. */
export function ask(command, args) {
	const done = spawnSync(command, args, { cwd: root, env: toolEnv(), encoding: "utf8" });
	return done.status === 0 ? done.stdout.trim() : null;
}

/**
 * Runs a program in the project's root.
 * `show`: "all" passes the output on, "failure" prints it only when the program fails, "none" never.
 */
export function run(command, args, { show = "all", env = {}, cwd = root, timeoutMs = 0 } = {}) {
	return new Promise((resolve) => {
		const child = spawn(command, args, { cwd, env: toolEnv(env), stdio: ["ignore", "pipe", "pipe"] });
		let output = "";
		const take = (stream) => (chunk) => {
			output += chunk;
			if (show === "all") stream.write(chunk);
		};
		child.stdout.on("data", take(process.stdout));
		child.stderr.on("data", take(process.stderr));
		const timer = timeoutMs > 0 ? setTimeout(() => child.kill("SIGKILL"), timeoutMs) : undefined;
		child.on("error", (error) => {
			clearTimeout(timer);
			resolve({ code: 127, output: `${output}${command}: ${error.message}\n` });
		});
		child.on("close", (code, signal) => {
			clearTimeout(timer);
			if (signal) output += `\n${command} ended by ${signal}\n`;
			const failed = code !== 0;
			if (failed && show === "failure") process.stdout.write(output);
			resolve({ code: code ?? 1, output });
		});
	});
}

/** The files under the given files and folders (relative to the root), sorted, without build output. */
export function filesUnder(...paths) {
	const found = [];
	const skipped = new Set(["node_modules", "target", "dist", ".git"]);
	const walk = (path) => {
		if (!existsSync(path)) return;
		if (statSync(path).isDirectory()) {
			for (const name of readdirSync(path).sort()) if (!skipped.has(name)) walk(join(path, name));
		} else found.push(relative(root, path).split(sep).join("/"));
	};
	for (const path of paths) walk(join(root, path));
	return found;
}

/** A hash over the names and contents of files, plus any further strings. */
export function hashOf(paths, ...more) {
	const hash = createHash("sha256");
	for (const path of filesUnder(...paths)) {
		hash.update(`${path}\0`).update(readFileSync(join(root, path)));
	}
	for (const text of more) hash.update(`\0${text}`);
	return hash.digest("hex").slice(0, 32);
}

/** Whether the named piece of work was finished for exactly this hash. */
export function isStamped(name, hash) {
	const path = join(cacheDir, "stamps", name);
	return existsSync(path) && readFileSync(path, "utf8") === hash;
}

export function stamp(name, hash) {
	mkdirSync(join(cacheDir, "stamps"), { recursive: true });
	writeFileSync(join(cacheDir, "stamps", name), hash);
}

export function seconds(sinceMs) {
	return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/** Whether this module is the program that was started (and not imported by another script). */
export function isMain(url) {
	return process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1];
}
