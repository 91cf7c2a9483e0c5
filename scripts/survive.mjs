// `npm run survive -- [chromium] [node] [workerd] [power] [--trials 20] [--seed N] [--only WORD]`: kills programs while they
// write and counts what is left of the writes that were acknowledged. Without a name, all but `power`, which needs root
// and a loop device. pkg/ must be built. `--short` keeps to a few rows, for `npm test`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./shell.mjs";

/**
 * Each rig is a module that exports `run({ trials, seed, only, log })`, an async generator of rows
 * `{ name, trials, acknowledged, lost, note?, error? }`: one for each way to die. A row is given up with its error. `SHORT` names those of `--short`.
 */
const RIGS = {
	chromium: "browser.mjs",
	node: "node.mjs",
	workerd: "workerd.mjs",
	power: "power.mjs",
};

function readArguments(words) {
	const chosen = {
		rigs: [],
		trials: 20,
		seed: Math.floor(Math.random() * 2 ** 31),
		only: [],
		isShort: false,
	};
	for (let i = 0; i < words.length; i++) {
		const word = words[i];
		if (word === "--trials") chosen.trials = Number(words[++i]);
		else if (word === "--seed") chosen.seed = Number(words[++i]);
		else if (word === "--short") chosen.isShort = true;
		else if (word === "--only") chosen.only.push(words[++i]);
		else if (word in RIGS) chosen.rigs.push(word);
		else throw new Error(`no rig "${word}": there are ${Object.keys(RIGS).join(", ")}`);
	}
	if (!(chosen.trials > 0) || !Number.isInteger(chosen.seed))
		throw new Error("--trials and --seed want numbers");
	return chosen;
}

const { rigs, trials, seed, only, isShort } = readArguments(process.argv.slice(2));
const wanted = rigs.length > 0 ? rigs : Object.keys(RIGS).filter((name) => name !== "power");
console.log(`seed ${seed}`);
const counts = { passed: 0, failed: 0 };
for (const rig of wanted) {
	const path = join(root, "tests", "survival", RIGS[rig]);
	if (!existsSync(path)) continue;
	const { run, SHORT = [] } = await import(pathToFileURL(path).href);
	const log = (text) => console.log(`  ${text}`);
	for await (const row of run({ trials, seed, only: isShort ? SHORT : only, log })) {
		const isGood = !row.error && row.lost === 0;
		counts[isGood ? "passed" : "failed"]++;
		const { acknowledged, lost, note, error } = row;
		const result = error ? `FAILED: ${error}` : `${acknowledged} acknowledged, ${lost} lost`;
		console.log(`${rig} | ${row.name} | ${row.trials} trials | ${result}${note ? ` | ${note}` : ""}`);
	}
}
const verdict = counts.failed > 0 ? "FAILED" : "ok";
console.log(`test result: ${verdict}. ${counts.passed} passed; ${counts.failed} failed; 0 ignored`);
process.exitCode = counts.failed > 0 ? 1 : 0;
