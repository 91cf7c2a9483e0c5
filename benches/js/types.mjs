// Lists, sets, hashes, sorted sets and streams beside redis-server (redis-benchmark and ioredis) and ioredis-mock:
// single commands in batches, commands on sorted sets of a million members, memory, and the worst pause while one grows.

import { spawnSync } from "node:child_process";
import Redis from "ioredis";
import RedisMock from "ioredis-mock";
import { ratio, report, text, timeWhole } from "./measure.mjs";

const MILLION = 1_000_000;
const CALLS = 100_000;
const BATCH = 100;
/** How redis-benchmark writes `__rand_int__`. */
const padded = (number) => String(number).padStart(12, "0");
/** The same words in the same order in every run: steps of a large prime. */
const words = (count, word) => Array.from({ length: count }, (_, i) => word((i * 7919) % count));
const names = words(CALLS, (i) => `element:${padded(i)}`);
const numbers = words(CALLS, (i) => padded(i));
const value = text(16);

/** What redis-benchmark runs, and the same as arguments; `at` counts the calls. */
const COMMANDS = {
	HSET: {
		benchmark: ["HSET", "myhash", "element:__rand_int__", value],
		args: (at) => ["HSET", "myhash", names[at], value],
		mock: 20,
	},
	LPUSH: { benchmark: ["LPUSH", "mylist", value], args: () => ["LPUSH", "mylist", value] },
	RPOP: {
		benchmark: ["RPOP", "mylist"],
		args: () => ["RPOP", "mylist"],
		fill: (at) => ["RPUSH", "mylist", ...names.slice(at, at + 100)],
	},
	SADD: {
		benchmark: ["SADD", "myset", "element:__rand_int__"],
		args: (at) => ["SADD", "myset", names[at]],
		mock: 40,
	},
	ZADD: {
		benchmark: ["ZADD", "myzset", "__rand_int__", "element:__rand_int__"],
		args: (at) => ["ZADD", "myzset", numbers[at], names[at]],
		mock: 60,
	},
	XADD: {
		benchmark: ["XADD", "mystream", "*", "field", value],
		args: () => ["XADD", "mystream", "*", "field", value],
	},
	XREAD: {
		benchmark: ["XREAD", "COUNT", "10", "STREAMS", "mystream", "0"],
		args: () => ["XREAD", "COUNT", "10", "STREAMS", "mystream", "0"],
		fill: (at) => ["XADD", "mystream", `${at + 1}-0`, "field", value],
		calls: CALLS / 10,
	},
};

/** Requests a second of one command under redis-benchmark, 16 at a time on 50 connections. */
function redisBenchmark(port, command, calls) {
	const args = [
		"-p",
		String(port),
		"-n",
		String(calls),
		"-c",
		"50",
		"-P",
		"16",
		"-r",
		String(CALLS),
		"--csv",
	];
	const done = spawnSync("redis-benchmark", [...args, ...command], { encoding: "utf8" });
	const last = (done.stdout ?? "").trim().split("\n").at(-1) ?? "";
	return Number(/^"[^"]*","([\d.]+)"/.exec(last)?.[1]);
}

/** Runs `calls` commands in pipelines; the replies are waited for where there is something to wait for. */
async function inBatches(client, args, calls) {
	for (let at = 0; at < calls; at += BATCH) {
		const pipeline = client.pipeline();
		for (let i = at; i < at + BATCH; i++) pipeline.call(...args(i));
		await pipeline.exec();
	}
}

/** The engine's batches wait for nothing. */
function inEngine(db, args, calls) {
	for (let at = 0; at < calls; at += BATCH) {
		const pipeline = db.pipeline();
		for (let i = at; i < at + BATCH; i++) pipeline.call(...args(i));
		pipeline.exec();
	}
}

/** ioredis-mock has a function for each command and no `call`. */
async function inMock(mock, args, calls) {
	for (let i = 0; i < calls; i++) {
		const [name, ...rest] = args(i);
		await mock[name.toLowerCase()](...rest);
	}
}

async function pointCommands(open, port) {
	const db = await open();
	const redis = new Redis({ port, host: "127.0.0.1" });
	for (const [name, { benchmark, args, fill, mock, calls = CALLS }] of Object.entries(COMMANDS)) {
		const prepare = async () => {
			await redis.flushall("SYNC");
			db.call("FLUSHALL");
			if (!fill) return;
			for (let at = 0; at < CALLS; at += 100) {
				redis.call(...fill(at));
				db.call(...fill(at));
			}
			await redis.ping();
		};
		await prepare();
		const native = redisBenchmark(port, benchmark, calls);
		const took = { ours: [], ioredis: [] };
		for (let round = 0; round < 5; round++) {
			await prepare();
			let start = performance.now();
			inEngine(db, args, calls);
			took.ours.push(performance.now() - start);
			start = performance.now();
			await inBatches(redis, args, calls);
			took.ioredis.push(performance.now() - start);
		}
		const rate = calls / (Math.min(...took.ours) / 1000);
		const detail = `${(rate / 1e6).toFixed(2)} M/s`;
		const target = name === "XREAD" ? undefined : 3.5;
		if (native)
			ratio(`${name}: batches of 100 against redis-benchmark -P 16`, rate / native, target, { detail });
		const pipelined = Math.min(...took.ioredis) / Math.min(...took.ours);
		ratio(`${name}: batches of 100 against ioredis + redis-server`, pipelined);
		if (!mock) continue;
		const mocked = new RedisMock({ lazyConnect: true });
		db.call("FLUSHALL");
		const few = 500;
		const least = await timeWhole({
			mock: () => inMock(mocked, args, few),
			db: async () => {
				for (let i = 0; i < few; i++) db.call(...args(i));
			},
		});
		ratio(`${name}: against ioredis-mock, awaited`, least.mock / least.db, mock);
		mocked.disconnect();
	}
	redis.disconnect();
	await db.close();
}

const infoNumber = (reply, field) => Number(new RegExp(`^${field}:([\\d.]+)`, "m").exec(reply)?.[1]);

/** Seconds of processor time a server has used. */
async function cpuOf(redis) {
	const info = await redis.info("cpu");
	return infoNumber(info, "used_cpu_user") + infoNumber(info, "used_cpu_sys");
}

const SORTED_SET = {
	ZADD: {
		args: (at) => ["ZADD", "big", at * 7919, `element:${padded((at * 104_729) % MILLION)}`],
	},
	ZRANK: {
		args: (at) => ["ZRANK", "big", `element:${padded((at * 104_729) % MILLION)}`],
	},
	ZRANGE: {
		args: (at) => ["ZRANGE", "big", (at * 104_729) % MILLION, ((at * 104_729) % MILLION) + 9],
	},
};

/** Commands on a sorted set of a million members: processor time of this process and of redis-server. */
async function sortedSet(open, port) {
	const db = await open();
	const redis = new Redis({ port, host: "127.0.0.1" });
	await redis.flushall("SYNC");
	const member = (at) => ["ZADD", "big", (at * 7919) % MILLION, `element:${padded(at)}`];
	inEngine(db, member, MILLION);
	for (let at = 0; at < MILLION; at += 10_000) {
		const pipeline = redis.pipeline();
		for (let i = at; i < at + 10_000; i++) pipeline.call(...member(i));
		await pipeline.exec();
	}
	for (const [name, { args }] of Object.entries(SORTED_SET)) {
		const [ours, theirs] = [[], []];
		// Their making is not what is measured.
		const prepared = Array.from({ length: CALLS }, (_, at) => args(at).map(String));
		const ready = (at) => prepared[at];
		for (let round = 0; round < 5; round++) {
			const used = process.cpuUsage();
			inEngine(db, ready, CALLS);
			const { user, system } = process.cpuUsage(used);
			ours.push((user + system) / 1000 / CALLS);
			const before = await cpuOf(redis);
			await inBatches(redis, ready, CALLS);
			theirs.push(((await cpuOf(redis)) - before) / (CALLS / 1000));
		}
		const [mine, other] = [Math.min(...ours), Math.min(...theirs)];
		const detail = `${(mine * 1e6).toFixed(0)} / ${(other * 1e6).toFixed(0)} ns`;
		ratio(`${name}, 1 M members: CPU against redis-server's`, mine / other, 0.4, {
			atMost: true,
			detail,
		});
	}
	redis.disconnect();
	await db.close();
}

/** Bytes that commands take, a call, in the engine and in redis-server. */
async function bytesOf(open, redis, what, calls, args, target) {
	const db = await open();
	const before = infoNumber(db.call("INFO", "memory"), "used_memory");
	inEngine(db, args, calls);
	const ours = (infoNumber(db.call("INFO", "memory"), "used_memory") - before) / calls;
	await db.close();
	await redis.flushall("SYNC");
	const start = infoNumber(await redis.info("memory"), "used_memory");
	for (let at = 0; at < calls; at += 10_000) {
		const pipeline = redis.pipeline();
		for (let i = at; i < at + 10_000; i++) pipeline.call(...args(i));
		await pipeline.exec();
	}
	const theirs = (infoNumber(await redis.info("memory"), "used_memory") - start) / calls;
	const detail = `${ours.toFixed(1)} / ${theirs.toFixed(1)} B`;
	ratio(`bytes ${what}: against redis-server`, ours / theirs, target, { atMost: true, detail });
}

const BIG = {
	zset: { args: (i) => ["ZADD", "k", i * 3, `member:${padded(i)}`], target: 0.55 },
	hash: { args: (i) => ["HSET", "k", `field:${padded(i)}`, value], target: 0.7 },
	set: { args: (i) => ["SADD", "k", `member:${padded(i)}`], target: 0.85 },
	list: { args: (i) => ["RPUSH", "k", `element:${padded(i)}`], target: undefined },
	stream: { args: (i) => ["XADD", "k", `${i + 1}-0`, "field", value], target: undefined },
};
const key = (i) => `key:${String(i).padStart(8, "0")}`;
const five = (add) => [0, 1, 2, 3, 4].flatMap(add);
const SMALL = {
	"a hash of 5 fields": (i) => ["HSET", key(i), ...five((n) => [`field${n}`, `value:${i + n}`])],
	"a set of 5 integers": (i) => ["SADD", key(i), ...five((n) => [i + n * 1000])],
	"a sorted set of 5": (i) => ["ZADD", key(i), ...five((n) => [n * 10, `member:${n}`])],
	"a list of 5": (i) => ["RPUSH", key(i), ...five((n) => [`element:${i + n}`])],
};

async function memory(open, port) {
	const redis = new Redis({ port, host: "127.0.0.1" });
	for (const [what, { args, target }] of Object.entries(BIG)) {
		await bytesOf(open, redis, `an element, ${what} of 1 M`, MILLION, args, target);
	}
	for (const [what, args] of Object.entries(SMALL)) {
		await bytesOf(open, redis, `a key, ${what}`, 200_000, args, 0.85);
	}
	await redis.flushall("SYNC");
	redis.disconnect();
}

/**
 * The longest single command while one value grows to a million elements. A pause of the engine's own comes at the same
 * operation in every run; each operation counts with its least time of three.
 */
async function pauses(open) {
	for (const [what, { args }] of Object.entries(BIG)) {
		const least_ms = new Float32Array(MILLION).fill(Number.POSITIVE_INFINITY);
		for (let run = 0; run < 3; run++) {
			const db = await open();
			for (let i = 0; i < MILLION; i++) {
				const words = args(i);
				const start = performance.now();
				db.call(...words);
				const took_ms = performance.now() - start;
				if (took_ms < least_ms[i]) least_ms[i] = took_ms;
			}
			await db.close();
		}
		const worst = least_ms.reduce((max, took_ms) => Math.max(max, took_ms), 0);
		report(`worst single command, a ${what} growing to 1 M`, `${worst.toFixed(2)} ms`, "<= 1 ms", worst <= 1);
	}
}

const SECTIONS = { points: pointCommands, zset: sortedSet, memory, pauses };

/** Figures of the types; the redis-server on `port` is emptied. `only` names a section. */
export async function types(open, port, only = undefined) {
	for (const [name, run] of Object.entries(SECTIONS)) {
		if (only === undefined || only === name) await run(open, port);
	}
	if (spawnSync("redis-benchmark", ["--version"]).status !== 0) report("redis-benchmark", "not installed");
}
