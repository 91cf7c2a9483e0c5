// The engine in the process beside a redis-server on the loopback: through ioredis, and through redis-benchmark.

import { spawnSync } from "node:child_process";
import Redis from "ioredis";
import { keysOf, ratio, report, text, timeWhole, walk } from "./measure.mjs";

const CALLS = 5000;

async function awaited(db, redis, count) {
	const where = count === 1000 ? "hot" : "100k keys";
	const value = text(64);
	const keys = keysOf(count);
	const load = redis.pipeline();
	for (const key of keys) {
		load.set(key, value);
		db.set(key, value);
	}
	await load.exec();
	const next = walk(keys);
	const took = await timeWhole({
		redis: async () => {
			for (let i = 0; i < CALLS; i++) await redis.get(next());
		},
		db: async () => {
			for (let i = 0; i < CALLS; i++) await db.async.get(next());
		},
		redisPipeline: async () => {
			for (let i = 0; i < CALLS; i += 100) {
				const pipeline = redis.pipeline();
				for (let j = 0; j < 100; j++) pipeline.get(next());
				await pipeline.exec();
			}
		},
		dbPipeline: () => {
			for (let i = 0; i < CALLS; i += 100) {
				const pipeline = db.pipeline();
				for (let j = 0; j < 100; j++) pipeline.get(next());
				pipeline.exec();
			}
		},
	});
	const [single, batch] = count === 1000 ? [80, 20] : [25, 8];
	ratio(`GET 64 B, ${where}: against ioredis + redis-server, awaited`, took.redis / took.db, single);
	ratio(`GET 64 B, ${where}: pipelines of 100, the same`, took.redisPipeline / took.dbPipeline, batch);
}

/** Requests a second of redis-benchmark, by command. */
function redisBenchmark(port, depth, calls) {
	const args = ["-p", String(port), "-n", String(calls), "-c", "50", "-P", String(depth), "-d", "64"];
	const done = spawnSync("redis-benchmark", [...args, "-r", "100000", "-t", "set,get,incr", "--csv"], {
		encoding: "utf8",
	});
	const rates = {};
	for (const [, name, rate] of (done.stdout ?? "").matchAll(/^"(SET|GET|INCR)","([\d.]+)"/gm)) {
		rates[name] = Number(rate);
	}
	return rates;
}

async function batched(db, port) {
	const value = text(64);
	const keys = keysOf(100_000);
	for (const key of keys) db.set(key, value);
	const next = walk(keys);
	const batch = (add) => () => {
		for (let i = 0; i < 100_000; i += 100) {
			const pipeline = db.pipeline();
			for (let j = 0; j < 100; j++) add(pipeline);
			pipeline.exec();
		}
	};
	const took = await timeWhole({
		GET: batch((pipeline) => pipeline.get(next())),
		SET: batch((pipeline) => pipeline.set(next(), value)),
		INCR: batch((pipeline) => pipeline.incr("counter")),
	});
	for (const [depth, target] of [
		[16, 3.5],
		[100, 1.8],
	]) {
		const native = redisBenchmark(port, depth, 300_000);
		for (const name of ["GET", "SET", "INCR"]) {
			if (!native[name]) continue;
			const rate = 100_000 / (took[name] / 1000);
			const detail = `${(rate / 1e6).toFixed(2)} M/s`;
			ratio(`${name} 64 B: batches of 100 against redis-benchmark -P ${depth}`, rate / native[name], target, {
				detail,
			});
		}
	}
}

/** `npx redstart` beside redis-server, both under redis-benchmark. */
export function servers(ports) {
	for (const [depth, calls] of [
		[1, 60_000],
		[16, 300_000],
	]) {
		const native = redisBenchmark(ports.redis, depth, calls);
		const ours = redisBenchmark(ports.redstart, depth, calls);
		for (const name of ["GET", "SET", "INCR"]) {
			if (!native[name]) continue;
			const detail = `${(ours[name] / 1000).toFixed(0)} k/s`;
			ratio(
				`${name}: server against redis-server, redis-benchmark -P ${depth}`,
				ours[name] / native[name],
				0.5,
				{ detail },
			);
		}
	}
}

/** Figures against a redis-server on `port`. */
export async function network(open, port) {
	const db = await open();
	const redis = new Redis({ port, host: "127.0.0.1" });
	await redis.flushall();
	for (const count of [1000, 100_000]) await awaited(db, redis, count);
	redis.disconnect();
	await batched(db, port);
	await db.close();
	if (spawnSync("redis-benchmark", ["--version"]).status !== 0) report("redis-benchmark", "not installed");
}
