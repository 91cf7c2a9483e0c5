// Kills workerd with a Durable Object in it that writes, and starts it again on the same folder. Rows of `npm run survive`.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Judge } from "./judge.mjs";
import { sleep, until, within } from "./place.mjs";
import { killGroup, start } from "./processes.mjs";
import { between, random, work } from "./stream.mjs";

const HOST = fileURLToPath(new URL("./object-host.mjs", import.meta.url));
const LIFE_ms = [50, 1000];
const STEP_LIMIT_ms = 60_000;

/** workerd with the object; this process is its client. */
class ObjectHost {
	constructor(folder, mode) {
		this.acknowledged = 0;
		this.started = start(process.execPath, [HOST, folder, mode], {
			onLine: (line) => {
				this.url ??= /^ready (\S+)/.exec(line)?.[1];
			},
		});
		void this.started.exited.then(() => {
			this.isGone = true;
		});
	}

	async ready() {
		await until("the address of workerd", () => {
			if (this.isGone) throw new Error(`workerd ended: ${this.started.output.slice(-2000)}`);
			return this.url;
		});
	}

	async ask(path, body = null) {
		const response = await fetch(new URL(path, this.url), { method: "POST", body: JSON.stringify(body) });
		const text = await response.text();
		if (!response.ok) throw new Error(`the object answered ${response.status}: ${text.slice(0, 1000)}`);
		return JSON.parse(text);
	}

	read() {
		return within(STEP_LIMIT_ms, "reading", this.ask("read"));
	}

	/** Writes until the end. What is issued in one turn is one request: requests may overtake each other. */
	write(how) {
		let waiting;
		const send = (commands) => {
			if (this.isStopped) return Promise.reject(new Error("stopped"));
			if (!waiting) {
				const list = [];
				waiting = { list, answer: Promise.resolve().then(() => this.ask("write", list)) };
				void Promise.resolve(waiting.answer).catch(() => undefined);
				queueMicrotask(() => {
					waiting = undefined;
				});
			}
			waiting.list.push(commands.map((command) => command.map(inJson)));
			return waiting.answer;
		};
		const acknowledge = () => {
			this.acknowledged++;
		};
		const disturb = (command) => this.ask("write", [[[command]]]).catch(() => undefined);
		this.ended = work({ ...how, send, acknowledge, disturb }).catch((error) => error);
	}

	/** Ends writing; what is under way is waited for. */
	async stop() {
		this.isStopped = true;
		await within(STEP_LIMIT_ms, "the end of writing", this.ended);
		this.isStopped = false;
	}

	async kill() {
		await killGroup(this.started);
		await this.ended;
	}
}

const inJson = (word) =>
	typeof word === "string" ? word : { bytes: Buffer.from(word.buffer).toString("base64") };

async function chain({ name, mode, death }, { trials, seed, log }) {
	const folder = mkdtempSync(join(tmpdir(), "redstart-survival-"));
	const row = { name, trials: 0, acknowledged: 0, lost: 0 };
	const rng = random(seed);
	const judge = new Judge(seed);
	let acknowledged = 0;
	let host;
	try {
		for (let trial = 0; trial <= trials; trial++) {
			if (!host) {
				host = new ObjectHost(folder, mode);
				await host.ready();
			}
			const { count, lost } = judge.find(await host.read(), acknowledged);
			row.lost += lost;
			if (lost > 0) log(`${name}, trial ${trial}: ${lost} of ${acknowledged} acknowledged writes are lost`);
			if (trial === trials) break;
			host.acknowledged = 0;
			host.write({ seed, from: count, depth: between(rng, 1, 30), pauses: true });
			const isOver = host.ended.then((error) => Promise.reject(error));
			await Promise.race([until("the first acknowledgement", () => host.acknowledged > 0), isOver]);
			isOver.catch(() => undefined);
			await sleep(between(rng, ...LIFE_ms));
			if (death === "trap") {
				// Writes under way fail with it; whoever comes next finds what was acknowledged.
				await host.ask("trap").catch(() => undefined);
				await host.stop();
			} else {
				await host.kill();
			}
			acknowledged = count + host.acknowledged;
			row.trials++;
			row.acknowledged += host.acknowledged;
			if (death !== "trap") host = undefined;
		}
	} finally {
		await host?.kill();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	}
	return row;
}

/** What a short run does. */
export const SHORT = ["Durable Object, everysec: kill -9", "Durable Object, always: trap"];

export async function* run({ trials, seed, only, log }) {
	for (const mode of ["always", "everysec"]) {
		for (const death of ["kill -9", "trap"]) {
			const name = `Durable Object, ${mode}: ${death}`;
			if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
			try {
				yield await chain({ name, mode, death }, { trials, seed, log });
			} catch (error) {
				yield { name, trials, error: error.message };
			}
		}
	}
}
