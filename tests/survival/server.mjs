// A server on a Unix socket that is going to be killed, and its client, which is this process and outlives it.

import { join } from "node:path";
import { Redis } from "ioredis";
import { root } from "../../scripts/shell.mjs";
import { until, within } from "./place.mjs";
import { killGroup, start } from "./processes.mjs";
import { readAll, work } from "./stream.mjs";

const PROGRAM = [process.execPath, join(root, "pkg", "cli.js")];
const START_LIMIT_ms = 60_000;

/**
 * Starts `npx redstart` in a folder; `socket` is a path elsewhere. Another program that takes the same directives can be
 * named in REDSTART_SURVIVAL_SERVER: redis-server shows what a rig is worth.
 */
export class Server {
	constructor(folder, socket, directives) {
		const [command, ...first] = process.env.REDSTART_SURVIVAL_SERVER?.split(" ") ?? PROGRAM;
		const args = ["--port", "0", "--unixsocket", socket, "--dir", folder, ...directives];
		this.socket = socket;
		this.started = start(command, [...first, ...args]);
		/** When each write of a run was acknowledged, in ms since 1970, from the first of the run on. */
		this.times = [];
		void this.started.exited.then(() => {
			this.isGone = true;
		});
	}

	/** Resolves once it has loaded its data and answers. */
	async ready() {
		const ask = () => {
			if (this.isGone) throw new Error(`the server ended: ${this.started.output.slice(-2000)}`);
			return this.connect();
		};
		await until("an answer of the server", ask, START_LIMIT_ms);
		return this;
	}

	async connect() {
		const options = { path: this.socket, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 };
		const redis = new Redis({ ...options, enableReadyCheck: false, enableOfflineQueue: false });
		redis.on("error", () => undefined);
		try {
			await redis.connect();
			await redis.ping();
		} catch {
			redis.disconnect();
			return false;
		}
		this.redis = redis;
		return true;
	}

	read() {
		return within(
			START_LIMIT_ms,
			"reading",
			readAll((...words) => this.redis.call(...words)),
		);
	}

	/** Writes until the server dies. Resolves then, with the error that ended it. */
	write({ seed, from, depth, options, pauses }) {
		const { redis, times } = this;
		times.length = 0;
		const send = async (commands) => {
			const words = commands.map((command) => command.map(asBuffer));
			if (words.length === 1) return redis.call(...words[0]);
			const multi = redis.multi();
			for (const command of words) multi.call(...command);
			const replies = await multi.exec();
			for (const [error] of replies) if (error) throw error;
			return replies;
		};
		const acknowledge = () => times.push(Date.now());
		const disturb = (command) => redis.call(command).catch(() => undefined);
		const how = { seed, options, from, depth, pauses };
		this.ended = work({ ...how, send, acknowledge, disturb }).catch((error) => error);
	}

	/** kill -9. */
	async kill() {
		await killGroup(this.started);
		this.redis?.disconnect();
		await this.ended;
	}

	/** SIGTERM, after which a server stores what it has and ends. */
	async stop() {
		process.kill(this.started.pid, "SIGTERM");
		await within(START_LIMIT_ms, "the end of the server", this.started.exited);
		this.redis?.disconnect();
		await this.ended;
	}
}

const asBuffer = (word) => (typeof word === "string" ? word : Buffer.from(word.buffer));
