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

async function worstPause(open, count, limit_ms) {
	const db = await open();
	const value = text(16);
	let worst = 0;
	for (let i = 0; i < count; i++) {
		const start = performance.now();
		db.set(key(i), value);
		worst = Math.max(worst, performance.now() - start);
	}
	await db.close();
	report(
		`worst single SET while growing to ${count / 1e6} M keys`,
		`${worst.toFixed(2)} ms`,
		`<= ${limit_ms} ms`,
		worst <= limit_ms,
	);
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
