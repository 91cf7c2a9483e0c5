// Kills `npx redstart` while clients write. Rows of `npm run survive`.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Judge } from "./judge.mjs";
import { sleep, until } from "./place.mjs";
import { Server } from "./server.mjs";
import { between, random } from "./stream.mjs";

/** How long a server serves before it dies, in ms. */
const LIFE_ms = [50, 1000];
/** How long it gets when it dies while it loads. */
const LOADING_ms = [20, 500];

const ROWS = [
	["appendfsync always: kill -9", ["--appendonly", "yes", "--appendfsync", "always"], "kill"],
	["appendfsync everysec: kill -9", ["--appendonly", "yes", "--appendfsync", "everysec"], "kill"],
	["appendfsync no: kill -9", ["--appendonly", "yes", "--appendfsync", "no"], "kill"],
	["everysec, many rewrites: kill -9", [...rewriting("everysec")], "kill"],
	["always, many rewrites: kill -9", [...rewriting("always")], "kill"],
	["everysec: kill -9, and again while it loads", [...rewriting("everysec")], "kill while loading"],
	["everysec: SIGTERM", ["--appendonly", "yes"], "stop"],
	["snapshots only: SIGTERM", ["--appendonly", "no", "--save", "3600 1"], "stop"],
];

function rewriting(mode) {
	const rewrites = ["--auto-aof-rewrite-percentage", "5", "--auto-aof-rewrite-min-size", "20kb"];
	return ["--appendonly", "yes", "--appendfsync", mode, ...rewrites];
}

async function chain([name, directives, death], { trials, seed, log }) {
	const folder = mkdtempSync(join(tmpdir(), "redstart-survival-"));
	const data = join(folder, "data");
	mkdirSync(data);
	const row = { name, trials: 0, acknowledged: 0, lost: 0 };
	const rng = random(seed);
	const judge = new Judge(seed);
	const open = () => new Server(data, join(folder, "socket"), directives);
	let acknowledged = 0;
	let server;
	try {
		for (let trial = 0; trial <= trials; trial++) {
			server = open();
			await server.ready();
			const { count, lost } = judge.find(await server.read(), acknowledged);
			row.lost += lost;
			if (lost > 0) log(`${name}, trial ${trial}: ${lost} of ${acknowledged} acknowledged writes are lost`);
			if (trial === trials) break;
			server.write({ seed, from: count, depth: between(rng, 1, 40), pauses: true });
			await until("the first acknowledgement", () => server.times.length > 0);
			await sleep(between(rng, ...LIFE_ms));
			if (death === "stop") await server.stop();
			else await server.kill();
			acknowledged = count + server.times.length;
			row.trials++;
			row.acknowledged += acknowledged - count;
			if (death !== "kill while loading") continue;
			server = open();
			await sleep(between(rng, ...LOADING_ms));
			await server.kill();
		}
	} finally {
		await server?.kill();
		rmSync(folder, { recursive: true, force: true });
	}
	return row;
}

/** What a short run does. */
export const SHORT = ["everysec, many rewrites: kill -9", "appendfsync always: kill -9"];

export async function* run({ trials, seed, only, log }) {
	for (const row of ROWS) {
		const [name] = row;
		if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
		try {
			yield await chain(row, { trials, seed, log });
		} catch (error) {
			yield { name, trials, error: error.message };
		}
	}
}
