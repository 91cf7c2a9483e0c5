// `npm run ready`: what to run before handing a change on: rewrite what can be rewritten, regenerate, then everything `npm test` runs.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./shell.mjs";

const steps = [
	["node", ["scripts/lint.mjs", "--fix"]],
	...(existsSync(join(root, "scripts", "gen.mjs")) ? [["node", ["scripts/gen.mjs"]]] : []),
	["node", ["scripts/test.mjs"]],
];
for (const [command, args] of steps) {
	const { code } = await run(command, args);
	if (code !== 0) process.exitCode = 1;
}
