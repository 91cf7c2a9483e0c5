/** Bull and Bee-Queue, the older queues: processed, delayed, repeated, limited, retried, paused, taken from the silent. */

import BeeQueue from "bee-queue";
import Bull from "bull";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { atEnd, overTcp, PLACES, type Place } from "./places.ts";

const becomes = <T>(read: () => T | Promise<T>, interval = 10) => expect.poll(read, { interval });

describe.each(PLACES)("bull %s", (_, start) => {
	/** A queue with its three kinds of clients. */
	function queueAt({ options }: Place, more: Bull.QueueOptions = {}): Bull.Queue {
		const clients: Redis[] = [];
		const createClient = () => {
			const redis = new Redis({ ...options, enableReadyCheck: false });
			clients.push(redis);
			return redis;
		};
		const queue = new Bull("q", { createClient, ...more });
		queue.on("error", () => undefined);
		atEnd(async () => {
			await queue.close(true);
			for (const redis of clients) redis.disconnect();
		});
		return queue;
	}

	it("processes jobs, each once, and tells their results and progress", async () => {
		const place = await start();
		const [queue, other] = [queueAt(place), queueAt(place)];
		const seen: number[] = [];
		const progress: number[] = [];
		queue.on("global:progress", (_id, value) => progress.push(value));
		for (const worker of [queue, other]) {
			worker.process(3, async (job) => {
				seen.push(job.data.i);
				if (job.data.i === 0) await job.progress(50);
				return job.data.i * 2;
			});
		}
		const jobs = await queue.addBulk(Array.from({ length: 50 }, (_, i) => ({ data: { i } })));
		expect(await jobs[7]?.finished()).toBe(14);
		await becomes(() => queue.getCompletedCount()).toBe(50);
		expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
		await becomes(() => progress).toEqual([50]);
		expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, active: 0, completed: 50, failed: 0 });
	});

	it("delays jobs, repeats them, and promotes them", async () => {
		const queue = queueAt(await start());
		const done: string[] = [];
		queue.process("*", async (job) => done.push(job.name));
		await queue.addBulk([
			{ name: "later", data: {}, opts: { delay: 250 } },
			{ name: "now", data: {} },
		]);
		const far = await queue.add("far", {}, { delay: 1_000_000 });
		await becomes(() => done).toEqual(["now", "later"]);
		await far.promote();
		await becomes(() => done).toEqual(["now", "later", "far"]);
		await queue.add("tick", {}, { repeat: { every: 100 } });
		await becomes(() => done.filter((name) => name === "tick").length).toBeGreaterThanOrEqual(3);
		const [repeated] = await queue.getRepeatableJobs();
		expect(repeated).toMatchObject({ name: "tick", every: 100 });
		await queue.removeRepeatableByKey(repeated?.key as string);
		expect(await queue.getRepeatableJobs()).toEqual([]);
	});

	it("takes no more jobs than the rate allows", async () => {
		const queue = queueAt(await start(), { limiter: { max: 2, duration: 250 } });
		const at: number[] = [];
		await queue.addBulk(Array.from({ length: 6 }, () => ({ data: {} })));
		const from_ms = Date.now();
		queue.process(async () => at.push(Date.now() - from_ms));
		await becomes(() => at.length).toBe(6);
		for (const [i, after_ms] of at.entries()) {
			expect(after_ms).toBeGreaterThanOrEqual(Math.floor(i / 2) * 250 - 5);
		}
	});

	it("tries again what failed, keeps what fails for good, orders by priority, pauses and cleans", async () => {
		const place = await start();
		const queue = queueAt(place);
		const order: string[] = [];
		queue.process("*", async (job) => {
			order.push(job.name);
			if (job.name === "bad" || (job.name === "shaky" && job.attemptsMade === 0)) throw new Error("no");
			return "done";
		});
		await queue.pause();
		await queue.add("low", {}, { priority: 5 });
		await queue.add("high", {}, { priority: 1 });
		expect(order).toEqual([]);
		await queue.resume();
		await becomes(() => order).toEqual(["high", "low"]);
		const shaky = await queue.add("shaky", {}, { attempts: 2, backoff: 20 });
		expect(await shaky.finished()).toBe("done");
		const bad = await queue.add("bad", {}, { attempts: 2 });
		await expect(bad.finished()).rejects.toThrow("no");
		expect(await queue.getFailedCount()).toBe(1);
		await becomes(() => queue.getActiveCount()).toBe(0);
		expect(await queue.clean(0, "completed")).toHaveLength(3);
		await queue.pause();
		await queue.obliterate({ force: true });
		expect(await place.client().keys("bull:q:*")).toEqual([]);
	});

	it("gives a job to another worker when the first has gone silent", async () => {
		const place = await start();
		const silent = queueAt(place, {
			settings: { lockDuration: 100, lockRenewTime: 1_000_000, stalledInterval: 0 },
		});
		const started: string[] = [];
		silent.process(async () => {
			started.push("silent");
			await new Promise(() => undefined);
		});
		await silent.add({});
		await becomes(() => started).toEqual(["silent"]);
		const lively = queueAt(place, { settings: { stalledInterval: 100 } });
		lively.process(async () => started.push("lively"));
		await becomes(() => started).toEqual(["silent", "lively"]);
		await becomes(() => lively.getCompletedCount()).toBe(1);
	});
});

describe("bee-queue over TCP", () => {
	function queueAt({ options: { host = "", port = 0 } }: Place, more: BeeQueue.QueueSettings = {}): BeeQueue {
		const queue = new BeeQueue("b", { redis: { host, port }, delayedDebounce: 10, ...more });
		atEnd(() => queue.close(100).catch(() => undefined));
		return queue;
	}

	it("processes jobs, each once, and tells their results and progress", async () => {
		const place = await overTcp();
		const [queue, other] = [queueAt(place), queueAt(place)];
		const seen: number[] = [];
		for (const worker of [queue, other]) {
			worker.process(3, async (job: BeeQueue.Job<{ i: number }>) => {
				seen.push(job.data.i);
				job.reportProgress({ percent: 50 });
				return job.data.i * 2;
			});
		}
		const progress: unknown[] = [];
		const finished = Array.from({ length: 30 }, async (_, i) => {
			const job = queue.createJob({ i });
			job.on("progress", (value) => progress.push(value));
			const result = new Promise((resolve) => job.on("succeeded", resolve));
			await job.save();
			return result;
		});
		expect(await Promise.all(finished)).toEqual(Array.from({ length: 30 }, (_, i) => i * 2));
		expect(seen).toHaveLength(30);
		await becomes(() => progress.length).toBe(30);
		expect(await queue.checkHealth()).toMatchObject({ waiting: 0, active: 0, succeeded: 30, failed: 0 });
	});

	it("delays jobs, tries them again, and removes them", async () => {
		const queue = queueAt(await overTcp(), { activateDelayedJobs: true });
		const done: string[] = [];
		queue.process(async (job: BeeQueue.Job<string>) => {
			done.push(job.data);
			if (job.data === "bad") throw new Error("no");
			if (job.data === "shaky" && job.options.retries === 1) throw new Error("once");
		});
		await queue.createJob("now").save();
		await queue
			.createJob("later")
			.delayUntil(Date.now() + 250)
			.save();
		await becomes(() => done).toEqual(["now", "later"]);
		const far = await queue
			.createJob("far")
			.delayUntil(Date.now() + 1_000_000)
			.save();
		expect((await queue.checkHealth()).delayed).toBe(1);
		await queue.removeJob(far.id);
		expect((await queue.checkHealth()).delayed).toBe(0);
		await queue.createJob("shaky").retries(1).backoff("fixed", 30).save();
		await becomes(() => done).toEqual(["now", "later", "shaky", "shaky"]);
		const bad = await queue.createJob("bad").save();
		await becomes(async () => (await queue.getJobs("failed", { size: 10 })).map(({ id }) => id)).toEqual([
			bad.id,
		]);
	});

	it("gives a job to another worker when the first has gone silent", async () => {
		const place = await overTcp();
		const silent = queueAt(place, { stallInterval: 1_000_000 });
		const started: string[] = [];
		silent.process(async () => {
			started.push("silent");
			await new Promise(() => undefined);
		});
		await silent.createJob({}).save();
		await becomes(() => started).toEqual(["silent"]);
		// Checks are as rare as the last who checked wants; this one does no longer.
		await place.client().del("bq:b:stallBlock");
		const lively = queueAt(place, { stallInterval: 100 });
		lively.process(async () => {
			started.push("lively");
		});
		// The first check marks it, the second finds the mark still there.
		await lively.checkStalledJobs();
		await becomes(async () => {
			await lively.checkStalledJobs();
			return started.slice(0, 2);
		}, 50).toEqual(["silent", "lively"]);
	});
});
