// Loading and saving a million small keys, and what an append-only file costs a command: beside redis-server, with the
// same file and the same calls.

import { spawn, spawnSync } from "node:child_process";
import {
	closeSync,
	copyFileSync,
	fsyncSync,
	mkdtempSync,
	openSync,
	readFileSync,
	rmSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Redis from "ioredis";
import { keysOf, ratio, report, text, timeWhole, walk } from "./measure.mjs";

const KEYS = 1_000_000;
const ROUNDS = 5;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

/** Starts a server that loads what is in its folder; its log says how long that took. */
async function startLoading(command, args) {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
	let log = "";
	await new Promise((resolve, reject) => {
		child.once("exit", (code) => reject(new Error(`the server ended with code ${code}: ${log}`)));
		child.stdout.on("data", (more) => {
			log += more;
			if (log.includes("Ready to accept connections")) resolve();
		});
	});
	const [, took] = /DB loaded from disk: ([\d.]+) seconds/.exec(log) ?? [];
	const stop = async () => {
		const ended = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await ended;
	};
	return { load_ms: Number(took) * 1000, stop };
}

async function timed(work) {
	const from_ms = performance.now();
	await work();
	return performance.now() - from_ms;
}

/** A file of redis-server with a million keys of 12 B with values of 16 B. */
async function makeDump(port) {
	const redis = new Redis({ port, host: "127.0.0.1" });
	// With rules, FLUSHALL would write an empty file.
	await redis.config("SET", "save", "");
	await redis.flushall("SYNC");
	const value = text(16);
	for (let i = 0; i < KEYS; i += 10_000) {
		const pipeline = redis.pipeline();
		for (let j = i; j < i + 10_000; j++) pipeline.set(`key:${String(j).padStart(8, "0")}`, value);
		await pipeline.exec();
	}
	await redis.save();
	const [, dir] = await redis.config("GET", "dir");
	await redis.flushall("SYNC");
	redis.disconnect();
	return join(dir, "dump.rdb");
}

/** Both servers load the file and save it again, in turn. */
async function servers(dump, commands, port) {
	const took = { load: { redis: [], own: [] }, save: { redis: [], own: [] } };
	for (let round = 0; round < ROUNDS; round++) {
		for (const [name, [program, ...args]] of Object.entries(commands)) {
			const dir = mkdtempSync(join(tmpdir(), "redstart-bench-"));
			copyFileSync(dump, join(dir, "dump.rdb"));
			const at = String(port + (name === "own" ? 1 : 2));
			const server = await startLoading(program, [...args, "--dir", dir, "--port", at, "--save", ""]);
			took.load[name].push(server.load_ms);
			const redis = new Redis({ port: Number(at), host: "127.0.0.1" });
			if ((await redis.dbsize()) !== KEYS) throw new Error("the file was not loaded");
			took.save[name].push(await timed(() => redis.save()));
			redis.disconnect();
			await server.stop();
			rmSync(dir, { recursive: true, force: true });
		}
	}
	for (const [what, { redis, own }] of Object.entries(took)) {
		const detail = `${seconds(median(own))} / ${seconds(median(redis))}`;
		ratio(`${what} 1 M keys: npx redstart against redis-server`, median(own) / median(redis), 1.5, {
			atMost: true,
			detail,
		});
	}
}

/** Processor time of this process, in ms. */
const ownCpu = () => {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
};

/**
 * The same in this process, in processor time: others get their turns, and a machine at work is no excuse.
 * redis-server's load is DEBUG RELOAD, which also empties what was there.
 */
async function inProcess(open, dump, port) {
	const redis = new Redis({ port, host: "127.0.0.1" });
	const theirCpu = async () => {
		const info = await redis.info("cpu");
		const of = (field) => Number(new RegExp(`^${field}:([\\d.]+)`, "m").exec(info)?.[1]) * 1000;
		return of("used_cpu_user") + of("used_cpu_sys");
	};
	const spent = async (clock, work) => {
		const from_ms = await clock();
		await work();
		return (await clock()) - from_ms;
	};
	await redis.debug("RELOAD", "NOSAVE");
	const bytes = readFileSync(dump);
	const took = { load: { own: [], redis: [] }, save: { own: [], redis: [] } };
	const copy = mkdtempSync(join(tmpdir(), "redstart-bench-"));
	for (let round = 0; round < ROUNDS; round++) {
		took.save.redis.push(await spent(theirCpu, () => redis.save()));
		took.load.redis.push(await spent(theirCpu, () => redis.debug("RELOAD", "NOSAVE")));
		const db = await open();
		took.load.own.push(await spent(ownCpu, () => db.importRdb(bytes)));
		const write = async () => {
			const file = openSync(join(copy, "dump.rdb"), "w");
			writeSync(file, await db.exportRdb());
			fsyncSync(file);
			closeSync(file);
		};
		took.save.own.push(await spent(ownCpu, write));
		await db.close();
	}
	rmSync(copy, { recursive: true, force: true });
	redis.disconnect();
	for (const [what, { own, redis }] of Object.entries(took)) {
		const name = what === "load" ? "importRdb" : "exportRdb";
		const detail = `${seconds(median(own))} / ${seconds(median(redis))}`;
		ratio(`${name}, 1 M keys, processor time: against redis-server`, median(own) / median(redis), 1.5, {
			atMost: true,
			detail,
		});
	}
}

const CALLS = 20_000;

/** What recording costs a SET: at once, and until storage has it. */
async function appending(open, openIn) {
	const keys = keysOf(10_000);
	const value = text(64);
	const dir = mkdtempSync(join(tmpdir(), "redstart-bench-"));
	const memory = await open();
	const folder = async (name, appendfsync) =>
		openIn(join(dir, name), { appendonly: "yes", appendfsync, save: "" });
	const everysec = await folder("everysec", "everysec");
	const always = await folder("always", "always");
	const next = walk(keys);
	const calls = (db) => async () => {
		for (let i = 0; i < CALLS; i += 100) {
			for (let j = 0; j < 100; j++) db.set(next(), value);
			// As programs do now and then.
			await new Promise((resolve) => setImmediate(resolve));
		}
	};
	const awaited = (db) => async () => {
		for (let i = 0; i < CALLS; i += 100) {
			await Promise.all(Array.from({ length: 100 }, () => db.async.set(next(), value)));
		}
	};
	const took = await timeWhole({
		off: calls(memory),
		everysec: calls(everysec),
		offAwaited: awaited(memory),
		everysecAwaited: awaited(everysec),
		alwaysAwaited: awaited(always),
	});
	const micros = (ms) => `${((ms / CALLS) * 1000).toFixed(2)} us`;
	const against = (what, on, off) =>
		ratio(what, on / off, undefined, { detail: `${micros(on)} / ${micros(off)}` });
	against("SET 64 B, append-only file on, everysec: against off", took.everysec, took.off);
	against("the same awaited, a hundred at once", took.everysecAwaited, took.offAwaited);
	against("the same with appendfsync always", took.alwaysAwaited, took.offAwaited);
	for (const db of [memory, everysec, always]) await db.close();
	rmSync(dir, { recursive: true, force: true });
}

/** SETs a second of redis-benchmark. */
function rate(port, depth) {
	const args = [
		"-p",
		String(port),
		"-n",
		"200000",
		"-c",
		"50",
		"-P",
		String(depth),
		"-d",
		"64",
		"-r",
		"100000",
	];
	const done = spawnSync("redis-benchmark", [...args, "-t", "set", "--csv"], { encoding: "utf8" });
	return Number(/^"SET","([\d.]+)"/m.exec(done.stdout ?? "")?.[1]);
}

/** What it costs both servers. */
async function appendingServers(commands, port) {
	if (spawnSync("redis-benchmark", ["--version"]).status !== 0) {
		report("redis-benchmark", "not installed");
		return;
	}
	for (const mode of ["everysec", "always"]) {
		for (const [name, [program, ...args]] of Object.entries(commands)) {
			const rates = [];
			for (const isOn of [false, true]) {
				const dir = mkdtempSync(join(tmpdir(), "redstart-bench-"));
				const aof = ["--appendonly", isOn ? "yes" : "no", "--appendfsync", mode];
				const server = await startLoading(program, [
					...[...args, "--dir", dir, "--port", String(port + 1), "--save", ""],
					...aof,
				]);
				rates.push(median([rate(port + 1, 16), rate(port + 1, 16), rate(port + 1, 16)]));
				await server.stop();
				rmSync(dir, { recursive: true, force: true });
			}
			const [off, on] = rates;
			const who = name === "own" ? "npx redstart" : "redis-server";
			const detail = `${(on / 1000).toFixed(0)} / ${(off / 1000).toFixed(0)} k/s`;
			ratio(`SET -P 16, append-only file on, ${mode}, against off: ${who}`, on / off, undefined, { detail });
		}
	}
}

/**
 * Figures of persistence. `port` is a redis-server that is emptied; `commands` starts both kinds of servers, `own` and
 * `redis`; `openIn` opens a database in a folder.
 */
export async function persistence(open, openIn, port, commands) {
	const dump = await makeDump(port);
	await servers(dump, commands, port);
	await inProcess(open, dump, port);
	await appending(open, openIn);
	await appendingServers(commands, port);
}
