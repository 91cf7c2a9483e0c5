/** Locks: they exclude, expire, are extended, and only whoever holds one can release it. */

import { ExecutionError, Redlock } from "@sesamecare-oss/redlock";
import type { Redis } from "ioredis";
import { LostLockError, MultiSemaphore, Mutex, RedlockMutex, Semaphore, TimeoutError } from "redis-semaphore";
import RedlockClassic from "redlock";
import { describe, expect, it } from "vitest";
import { PLACES, pause } from "./places.ts";

/** Waits until a key is gone, which is when its lock has expired. */
const gone = (redis: Redis, key: string) => expect.poll(() => redis.exists(key), { interval: 5 }).toBe(0);

describe.each(PLACES)("%s", (_, start) => {
	describe("redlock", () => {
		it("excludes, extends and releases", async () => {
			const redis = (await start()).client();
			const locks = new RedlockClassic([redis], { retryCount: 0 });
			const lock = await locks.lock("room", 10_000);
			expect(await redis.get("room")).toBe(lock.value);
			await expect(locks.lock("room", 10_000)).rejects.toThrow(RedlockClassic.LockError);
			const extended = await lock.extend(60_000);
			expect(await redis.pttl("room")).toBeGreaterThan(50_000);
			await extended.unlock();
			expect(await redis.exists("room")).toBe(0);
			await (await locks.lock(["room", "hall"], 10_000)).unlock();
			expect(await redis.dbsize()).toBe(0);
		});

		it("expires, and then is nobody's to extend or release", async () => {
			const redis = (await start()).client();
			const locks = new RedlockClassic([redis], { retryCount: 0 });
			const lock = await locks.lock("room", 300);
			await gone(redis, "room");
			const other = await locks.lock("room", 10_000);
			await expect(lock.unlock()).rejects.toThrow(RedlockClassic.LockError);
			expect(await redis.get("room")).toBe(other.value);
		});

		it("is waited for", async () => {
			const redis = (await start()).client();
			const locks = new RedlockClassic([redis], { retryCount: 200, retryDelay: 5 });
			const lock = await locks.lock("room", 10_000);
			const waiting = locks.lock("room", 10_000);
			await lock.unlock();
			const next = await waiting;
			expect(await redis.get("room")).toBe(next.value);
		});
	});

	describe("@sesamecare-oss/redlock", () => {
		it("excludes, extends and releases", async () => {
			const redis = (await start()).client();
			const locks = new Redlock([redis], { retryCount: 0 });
			let lock = await locks.acquire(["{a}1", "{a}2"], 10_000);
			await expect(locks.acquire(["{a}2", "{a}3"], 10_000)).rejects.toThrow(ExecutionError);
			expect(await redis.exists("{a}3")).toBe(0);
			lock = await lock.extend(60_000);
			expect(await redis.pttl("{a}2")).toBeGreaterThan(50_000);
			await lock.release();
			expect(await redis.dbsize()).toBe(0);
			await expect(lock.release()).rejects.toThrow(ExecutionError);
		});

		it("holds a lock by extending it for as long as work takes, in a database of its own", async () => {
			const place = await start();
			const redis = place.client(3);
			const locks = new Redlock([place.client()], {
				db: 3,
				retryCount: 100,
				retryDelay: 5,
				automaticExtensionThreshold: 300,
			});
			const order: string[] = [];
			const work = (name: string, ms: number) =>
				locks.using(["job"], 600, async (signal) => {
					order.push(`${name} in`);
					await pause(ms);
					if (signal.aborted) throw signal.error;
					order.push(`${name} out`);
				});
			const first = work("first", 900);
			await expect.poll(() => order, { interval: 5 }).toEqual(["first in"]);
			await Promise.all([first, work("second", 1)]);
			expect(order).toEqual(["first in", "first out", "second in", "second out"]);
			expect(await redis.exists("job")).toBe(0);
		});
	});

	describe("redis-semaphore", () => {
		const quick = { acquireTimeout: 150, retryInterval: 5, refreshInterval: 0 };

		it("has a mutex: one at a time, refreshed while it is held, lost when it is taken away", async () => {
			const place = await start();
			const redis = place.client();
			let lost: LostLockError | undefined;
			const onLockLost = (error: LostLockError) => {
				lost = error;
			};
			const options = { ...quick, lockTimeout: 1000, refreshInterval: 20, onLockLost };
			const mutex = new Mutex(redis, "m", options);
			const other = new Mutex(place.client(), "m", quick);
			await mutex.acquire();
			// Longer than the lock lives by itself.
			await pause(1300);
			expect(mutex.isAcquired).toBe(true);
			await expect(other.acquire()).rejects.toThrow(TimeoutError);
			expect(await other.tryAcquire()).toBe(false);
			await mutex.release();
			expect(await other.tryAcquire()).toBe(true);
			await other.release();
			await mutex.acquire();
			await redis.set("mutex:m", "somebody else");
			await expect.poll(() => lost, { interval: 5 }).toBeInstanceOf(LostLockError);
			await mutex.release();
			expect(await redis.get("mutex:m")).toBe("somebody else");
		});

		it("has semaphores: some at a time, counted in permits", async () => {
			const redis = (await start()).client();
			const [a, b, c] = Array.from({ length: 3 }, () => new Semaphore(redis, "s", 2, quick));
			await a?.acquire();
			await b?.acquire();
			await expect(c?.acquire()).rejects.toThrow(TimeoutError);
			await a?.release();
			await c?.acquire();
			expect(await redis.zcard("semaphore:s")).toBe(2);
			const big = new MultiSemaphore(redis, "p", 5, 3, quick);
			const small = new MultiSemaphore(redis, "p", 5, 2, quick);
			await big.acquire();
			await small.acquire();
			await expect(new MultiSemaphore(redis, "p", 5, 1, quick).acquire()).rejects.toThrow(TimeoutError);
			await big.release();
			await new MultiSemaphore(redis, "p", 5, 3, quick).acquire();
		});

		it("frees what its holder forgot", async () => {
			const redis = (await start()).client();
			await new Semaphore(redis, "s", 1, { ...quick, lockTimeout: 50 }).acquire();
			const next = new Semaphore(redis, "s", 1, { ...quick, acquireTimeout: 5000, lockTimeout: 50 });
			await next.acquire();
			expect(next.isAcquired).toBe(true);
		});

		it("has a mutex of many servers", async () => {
			const place = await start();
			const clients = [1, 2, 3].map((db) => place.client(db));
			const mutex = new RedlockMutex(clients, "m", quick);
			await mutex.acquire();
			await expect(new RedlockMutex(clients, "m", quick).acquire()).rejects.toThrow(TimeoutError);
			await mutex.release();
			await new RedlockMutex(clients, "m", quick).acquire();
		});
	});
});
