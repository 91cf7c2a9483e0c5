// Bytes a key beside redis-server, and the worst pause while a database grows.

import Redis from "ioredis";
import { ratio, report, text } from "./measure.mjs";

const KEYS = 1_000_000;

const info = (reply, field) => Number(new RegExp(`^${field}:(\\d+)`, "m").exec(reply)?.[1]);

/** Keys of 12 bytes. */
const key = (i) => `key:${String(i).padStart(8, "0")}`;

async function bytesAKey(open, redis, what, add, target) {
	const db = await open();
	const before = info(db.call("INFO", "memory"), "used_memory");
	for (let i = 0; i < KEYS; i += 1000) {
		const pipeline = db.pipeline();
		for (let j = i; j < i + 1000; j++) add(pipeline, j);
		pipeline.exec();
	}
	const ours = (info(db.call("INFO", "memory"), "used_memory") - before) / KEYS;
	await db.close();
	await redis.flushall("SYNC");
	const start = info(await redis.info("memory"), "used_memory");
	for (let i = 0; i < KEYS; i += 10_000) {
		const pipeline = redis.pipeline();
		for (let j = i; j < i + 10_000; j++) add(pipeline, j);
		await pipeline.exec();
	}
	const theirs = (info(await redis.info("memory"), "used_memory") - start) / KEYS;
	const detail = `${ours.toFixed(1)} / ${theirs.toFixed(1)} B`;
	ratio(`bytes a key, 1 M keys, ${what}: against redis-server`, ours / theirs, target, {
		atMost: true,
		detail,
	});
}

/**
 * The longest single SET while a database grows. A pause of the engine's own comes at the same operation in every run;
 * one of the collector or the scheduler does not. So each operation counts with its least time of three runs; the
 * longest one as it was measured is told beside it.
 */
async function worstPause(open, count, limit_ms) {
	const value = text(16);
	const least_ms = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
	let longest = 0;
	for (let run = 0; run < 3; run++) {
		const db = await open();
		for (let i = 0; i < count; i++) {
			const start = performance.now();
			db.set(key(i), value);
			const took_ms = performance.now() - start;
			longest = Math.max(longest, took_ms);
			if (took_ms < least_ms[i]) least_ms[i] = took_ms;
		}
		await db.close();
	}
	const worst = least_ms.reduce((max, took_ms) => Math.max(max, took_ms), 0);
	const what = `worst single SET while growing to ${count / 1e6} M keys`;
	report(what, `${worst.toFixed(2)} ms`, `<= ${limit_ms} ms`, worst <= limit_ms);
	report(`${what}, collector included`, `${longest.toFixed(2)} ms`);
}

/** Figures of memory; the redis-server on `port` is emptied. */
export async function memory(open, port) {
	const redis = new Redis({ port, host: "127.0.0.1" });
	const value = text(16);
	const later = Date.now() + 3_600_000;
	await bytesAKey(open, redis, "12 B key, 16 B value", (p, i) => p.set(key(i), value), 0.65);
	await bytesAKey(
		open,
		redis,
		"the same with a TTL",
		(p, i) => p.call("SET", key(i), value, "PXAT", later),
		0.65,
	);
	await bytesAKey(open, redis, "12 B key, integer", (p, i) => p.set(key(i), String(1_000_000 + i)));
	await redis.flushall("SYNC");
	redis.disconnect();
	await worstPause(open, 1_000_000, 0.3);
	await worstPause(open, 5_000_000, 1);
}
