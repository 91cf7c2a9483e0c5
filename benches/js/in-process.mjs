// The engine beside other in-process stores: a Map, lru-cache, ioredis-mock.

import RedisMock from "ioredis-mock";
import { LRUCache } from "lru-cache";
import { keysOf, ratio, report, text, time, walk } from "./measure.mjs";

const ns = (value) => `${value.toFixed(0)} ns`;

async function readsAndWrites(db, bytes, count) {
	const where = `${bytes} B, ${count === 1000 ? "hot" : "100k keys"}`;
	const keys = keysOf(count);
	const value = text(bytes);
	// Values of their own, as a cache would hold them, not one shared string.
	const map = new Map(keys.map((key) => [key, Buffer.from(value).toString("latin1")]));
	const lru = new LRUCache({ max: count });
	for (const key of keys) {
		db.set(key, value);
		lru.set(key, Buffer.from(value).toString("latin1"));
	}
	const next = walk(keys);
	let sink = 0;
	const got = await time({
		map: () => {
			sink += map.get(next()).charCodeAt(bytes - 1);
		},
		lru: () => {
			sink += lru.get(next()).charCodeAt(bytes - 1);
		},
		get: () => {
			sink += db.get(next()).charCodeAt(bytes - 1);
		},
		call: () => {
			sink += db.call("GET", next()).charCodeAt(bytes - 1);
		},
	});
	const target = bytes === 64 ? (count === 1000 ? 0.35 : 0.33) : undefined;
	ratio(`GET ${where}: against Map.get`, got.map / got.get, target, { detail: ns(got.get) });
	ratio(`GET ${where}: against lru-cache`, got.lru / got.get);
	ratio(`GET ${where}: db.call against db.get`, got.get / got.call, count === 1000 ? 0.75 : undefined);
	const set = await time({
		map: () => map.set(next(), value),
		set: () => db.set(next(), value),
	});
	ratio(`SET ${where}: against Map.set`, set.map / set.set, undefined, { detail: ns(set.set) });
	return sink;
}

async function againstMock(db, count) {
	const where = count === 1000 ? "hot" : "100k keys";
	const mock = new RedisMock({ lazyConnect: true });
	const keys = keysOf(count);
	const value = text(64);
	for (const key of keys) {
		await mock.set(key, value);
		db.set(key, value);
	}
	const next = walk(keys);
	const got = await time({
		mockGet: async () => await mock.get(next()),
		get: () => db.get(next()),
		asyncGet: async () => await db.async.get(next()),
		mockSet: async () => await mock.set(next(), value),
		set: () => db.set(next(), value),
		asyncSet: async () => await db.async.set(next(), value),
	});
	const [getTarget, setTarget] = count === 1000 ? [3, 3.5] : [1.5, 1.8];
	ratio(`GET 64 B, ${where}: against ioredis-mock, awaited`, got.mockGet / got.get, getTarget);
	ratio(`SET 64 B, ${where}: against ioredis-mock, awaited`, got.mockSet / got.set, setTarget);
	ratio(`GET 64 B, ${where}: the async client against ioredis-mock`, got.mockGet / got.asyncGet);
	mock.disconnect();
}

/** Figures of one process without I/O. */
export async function inProcess(open) {
	const db = await open();
	for (const bytes of [16, 64, 1024]) {
		for (const count of [1000, 100_000]) {
			await readsAndWrites(db, bytes, count);
			db.call("FLUSHALL");
		}
	}
	const incr = await time({ incr: () => db.incr("counter") });
	report("INCR, one hot key", `${(1e3 / incr.incr).toFixed(1)} M/s`, ">= 20 M/s", incr.incr <= 50);
	for (const count of [1000, 100_000]) await againstMock(db, count);
	await db.close();
}
