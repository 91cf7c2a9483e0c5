/** Limiters: they let through what they should, refuse the rest, and refill with time. */

import { Ratelimit } from "@upstash/ratelimit";
import type { ClientRateLimitInfo, Options } from "express-rate-limit";
import { type RedisReply, RedisStore } from "rate-limit-redis";
import { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { createClient } from "redis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { serve } from "../../js/serve/serve.ts";
import { open } from "../js/open.ts";
import { atEnd, isRedisServer, PLACES } from "./places.ts";

/** What a limiter says to `count` requests, one after another: what remains, or null when it refuses. */
async function consumed(limiter: RateLimiterRedis, key: string, count: number): Promise<(number | null)[]> {
	const remaining: (number | null)[] = [];
	for (let i = 0; i < count; i++) {
		const result = await limiter.consume(key).catch((refused: unknown) => refused);
		if (!(result instanceof RateLimiterRes)) throw result;
		remaining.push(result.consumedPoints > limiter.points ? null : result.remainingPoints);
	}
	return remaining;
}

describe.each(PLACES)("%s", (_, start) => {
	describe("rate-limiter-flexible", () => {
		it("counts points, refuses, and lets through again when the window is over", async () => {
			const redis = (await start()).client();
			const limiter = new RateLimiterRedis({ storeClient: redis, points: 3, duration: 2, keyPrefix: "p" });
			expect(await consumed(limiter, "ann", 5)).toEqual([2, 1, 0, null, null]);
			expect(await consumed(limiter, "bob", 1)).toEqual([2]);
			const state = await limiter.get("ann");
			expect(state).toMatchObject({ consumedPoints: 5, remainingPoints: 0 });
			expect(state?.msBeforeNext).toBeLessThanOrEqual(2000);
			await expect.poll(() => limiter.get("ann"), { interval: 20 }).toBeNull();
			expect(await consumed(limiter, "ann", 1)).toEqual([2]);
		});

		it("counts exactly when all ask at once", async () => {
			const redis = (await start()).client();
			const limiter = new RateLimiterRedis({ storeClient: redis, points: 20, duration: 60 });
			const all = await Promise.allSettled(Array.from({ length: 50 }, () => limiter.consume("k")));
			expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
			expect(await limiter.get("k")).toMatchObject({ consumedPoints: 50 });
		});

		it("punishes, rewards, blocks and forgets", async () => {
			const redis = (await start()).client();
			const limiter = new RateLimiterRedis({
				storeClient: redis,
				points: 5,
				duration: 60,
				blockDuration: 90,
			});
			expect((await limiter.penalty("k", 4)).consumedPoints).toBe(4);
			expect((await limiter.reward("k", 2)).consumedPoints).toBe(2);
			expect(await consumed(limiter, "k", 4)).toEqual([2, 1, 0, null]);
			// Refused, so blocked for longer than the window.
			expect((await limiter.get("k"))?.msBeforeNext).toBeGreaterThan(60_000);
			await limiter.block("other", 30);
			expect(await consumed(limiter, "other", 1)).toEqual([null]);
			expect(await limiter.delete("k")).toBe(true);
			expect(await limiter.get("k")).toBeNull();
		});

		it("allows bursts, and makes a queue of requests", async () => {
			const redis = (await start()).client();
			const steady = new RateLimiterRedis({ storeClient: redis, points: 1, duration: 60, keyPrefix: "s" });
			const burst = new RateLimiterRedis({ storeClient: redis, points: 2, duration: 60, keyPrefix: "b" });
			const bursty = new BurstyRateLimiter(steady, burst);
			const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => bursty.consume("k")));
			expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
			const paced = new RateLimiterRedis({ storeClient: redis, points: 2, duration: 1, keyPrefix: "q" });
			const queue = new RateLimiterQueue(paced);
			expect(await Promise.all([1, 2, 3].map(() => queue.removeTokens(1)))).toHaveLength(3);
		});
	});

	describe("rate-limit-redis", () => {
		it("counts hits in a window, for which its scripts are loaded again when they were flushed", async () => {
			const redis = (await start()).client();
			const sendCommand = async (command: string, ...args: string[]) =>
				(await redis.call(command, ...args)) as RedisReply;
			await countHits(new RedisStore({ sendCommand }), () => redis.script("FLUSH"));
		});
	});
});

async function countHits(store: RedisStore, flush: () => unknown): Promise<void> {
	await store.init({ windowMs: 1000 } as Options);
	const first = await store.increment("ip");
	expect(first.totalHits).toBe(1);
	const untilReset = (first.resetTime?.getTime() ?? 0) - Date.now();
	expect(untilReset).toBeGreaterThan(0);
	expect(untilReset).toBeLessThanOrEqual(1010);
	await flush();
	expect((await store.increment("ip")).totalHits).toBe(2);
	await flush();
	expect(((await store.get("ip")) as ClientRateLimitInfo).totalHits).toBe(2);
	await store.decrement("ip");
	expect((await store.increment("ip")).totalHits).toBe(2);
	await expect.poll(async () => (await store.increment("ip")).totalHits, { interval: 50 }).toBe(1);
	await store.resetKey("ip");
	expect((await store.increment("ip")).totalHits).toBe(1);
}

it.skipIf(isRedisServer)("rate-limiter-flexible counts through node-redis", async () => {
	const db = await open();
	const server = await serve(db);
	atEnd(() => server.close());
	const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
	await client.connect();
	atEnd(() => client.destroy());
	const limiter = new RateLimiterRedis({
		storeClient: client,
		useRedisPackage: true,
		points: 2,
		duration: 60,
	});
	expect(await consumed(limiter, "k", 3)).toEqual([1, 0, null]);
});

it.skipIf(isRedisServer)("rate-limit-redis counts through this package's own client", async () => {
	const db = await open();
	const sendCommand = async (...words: string[]) => (await db.call(...(words as [string]))) as RedisReply;
	await countHits(new RedisStore({ sendCommand }), () => db.call("SCRIPT", "FLUSH"));
});

/** Its client speaks HTTP to Upstash's servers; these are the methods the limiter asks for, on a database in this process. */
describe.skipIf(isRedisServer)("@upstash/ratelimit", () => {
	// The limiter takes the time from its own clock: both clocks are the test's.
	beforeEach(() => {
		vi.useFakeTimers({ toFake: ["Date"], now: 1_700_000_000_000 });
	});
	afterEach(() => {
		vi.useRealTimers();
	});

	async function upstash() {
		const db = await open({ now: () => Date.now() });
		const words = (list: readonly unknown[]) => list.map((word) => (word === null ? "" : String(word)));
		const run = async <T>(command: string, script: string, keys: string[], args: readonly unknown[]) =>
			(await db.call(command, script, keys.length, ...keys, ...words(args))) as T;
		const redis = {
			evalsha: <A extends unknown[], T>(sha: string, keys: string[], args: A) =>
				run<T>("EVALSHA", sha, keys, args),
			eval: <A extends unknown[], T>(script: string, keys: string[], args: A) =>
				run<T>("EVAL", script, keys, args),
			get: async <T>(key: string) => db.get(key) as T,
			set: async <T>(key: string, value: T) => db.set(key, String(value)) as "OK",
			del: async (...keys: string[]) => db.del(...keys) as number,
			hset: async <T>(key: string, fields: Record<string, T>) =>
				db.call("HSET", key, ...words(Object.entries(fields).flat())) as number,
		};
		return { db, redis: redis as never };
	}

	const NO_CACHE = { ephemeralCache: false, analytics: false, enableTelemetry: false } as const;

	/** What remains after each of `count` requests, or null when it was refused. */
	async function asked(limiter: Pick<Ratelimit, "limit">, count: number): Promise<(number | null)[]> {
		const remaining: (number | null)[] = [];
		for (let i = 0; i < count; i++) {
			const response = await limiter.limit("ann");
			remaining.push(response.success ? response.remaining : null);
			await response.pending;
		}
		return remaining;
	}

	it("has fixed windows", async () => {
		const { redis, db } = await upstash();
		const limiter = new Ratelimit({ redis, limiter: Ratelimit.fixedWindow(3, "10 s"), ...NO_CACHE });
		expect(await asked(limiter, 4)).toEqual([2, 1, 0, null]);
		expect(await limiter.getRemaining("ann")).toMatchObject({ remaining: 0, limit: 3 });
		vi.advanceTimersByTime(10_000);
		expect(await asked(limiter, 1)).toEqual([2]);
		// The window before has expired by itself.
		expect(db.keys("*")).toHaveLength(1);
		await limiter.resetUsedTokens("ann");
		expect(await asked(limiter, 1)).toEqual([2]);
	});

	it("has sliding windows", async () => {
		const { redis } = await upstash();
		const limiter = new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(4, "10 s"), ...NO_CACHE });
		expect(await asked(limiter, 5)).toEqual([3, 2, 1, 0, null]);
		vi.advanceTimersByTime(15_000);
		// Half of the window before counts.
		expect(await limiter.getRemaining("ann")).toMatchObject({ remaining: 2 });
		expect(await asked(limiter, 3)).toEqual([1, 0, null]);
		await limiter.resetUsedTokens("ann");
		expect(await asked(limiter, 1)).toEqual([3]);
	});

	it("has token buckets", async () => {
		const { redis } = await upstash();
		const limiter = new Ratelimit({ redis, limiter: Ratelimit.tokenBucket(2, "1 s", 5), ...NO_CACHE });
		expect(await asked(limiter, 6)).toEqual([4, 3, 2, 1, 0, null]);
		vi.advanceTimersByTime(1000);
		expect(await asked(limiter, 3)).toEqual([1, 0, null]);
		expect(await limiter.getRemaining("ann")).toMatchObject({ remaining: 0, limit: 5 });
		vi.advanceTimersByTime(60_000);
		expect(await asked(limiter, 6)).toEqual([4, 3, 2, 1, 0, null]);
	});

	it("has windows with a cache before them", async () => {
		const { redis } = await upstash();
		const cached = Ratelimit.cachedFixedWindow(3, "10 s");
		const limiter = new Ratelimit({ ...NO_CACHE, redis, limiter: cached, ephemeralCache: new Map() });
		expect(await asked(limiter, 4)).toEqual([2, 1, 0, null]);
		vi.advanceTimersByTime(10_000);
		expect(await asked(limiter, 2)).toEqual([2, 1]);
	});

	it("obeys a limit that is changed while it runs, and many tokens at once", async () => {
		const { redis } = await upstash();
		const fixed = Ratelimit.fixedWindow(3, "10 s");
		const limiter = new Ratelimit({ redis, limiter: fixed, dynamicLimits: true, ...NO_CACHE });
		await limiter.setDynamicLimit({ limit: 5 });
		expect(await asked(limiter, 6)).toEqual([4, 3, 2, 1, 0, null]);
		expect(await limiter.getDynamicLimit()).toEqual({ dynamicLimit: 5 });
		await limiter.setDynamicLimit({ limit: false });
		vi.advanceTimersByTime(10_000);
		expect(await limiter.limit("ann", { rate: 3 })).toMatchObject({ success: true, remaining: 0, limit: 3 });
		expect(await limiter.limit("ann", { rate: 1 })).toMatchObject({ success: false });
	});

	it("denies who is on its list", async () => {
		const { redis, db } = await upstash();
		db.sadd("@upstash/ratelimit:denyList:all", "mallory");
		db.set("@upstash/ratelimit:ipDenyListStatus", "valid");
		const fixed = Ratelimit.fixedWindow(3, "10 s");
		const limiter = new Ratelimit({ redis, limiter: fixed, enableProtection: true, ...NO_CACHE });
		expect(await limiter.limit("mallory")).toMatchObject({ success: false, reason: "denyList" });
		expect(await limiter.limit("ann")).toMatchObject({ success: true });
	});
});
