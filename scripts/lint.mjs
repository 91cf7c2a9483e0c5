// `npm run lint`: every check that only reads. `--fix` lets rustfmt and biome rewrite what they can.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { filesUnder, isMain, root, run, seconds } from "./shell.mjs";

const fix = process.argv.includes("--fix");

/** Name, command, and whether there is anything to check yet. */
export const CHECKS = [
	["rustfmt", ["cargo", "fmt", "--all", ...(fix ? [] : ["--check"])]],
	["clippy (native)", ["cargo", "clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]],
	[
		"clippy (wasm)",
		[
			"cargo",
			"clippy",
			"--quiet",
			"--target",
			"wasm32-unknown-unknown",
			"--lib",
			"--tests",
			"--",
			"-D",
			"warnings",
		],
	],
	[
		"clippy (without scripting)",
		["cargo", "clippy", "--quiet", "--no-default-features", "--all-targets", "--", "-D", "warnings"],
	],
	["biome", ["biome", "check", "--error-on-warnings", ...(fix ? ["--write"] : []), "."]],
	[
		"tsc",
		["tsc", "--project", "tsconfig.json"],
		() => filesUnder("js", "tests/js").some((f) => f.endsWith(".ts")),
	],
	[
		"generated files",
		["node", "scripts/gen.mjs", "--check"],
		() => existsSync(join(root, "scripts", "gen.mjs")),
	],
];

if (isMain(import.meta.url)) {
	for (const [name, [command, ...args], applies] of CHECKS) {
		if (applies && !applies()) continue;
		const start = Date.now();
		const { code } = await run(command, args, { show: "failure" });
		console.log(`[lint] ${name}: ${code === 0 ? "ok" : "FAILED"} (${seconds(start)})`);
		if (code !== 0) process.exitCode = 1;
	}
}
