/** BullMQ: jobs that are processed, delayed, repeated, limited in rate, retried, paused, and depend on each other. */

import {
	FlowProducer,
	type Job,
	Queue,
	QueueEvents,
	type QueueOptions,
	Worker,
	type WorkerOptions,
} from "bullmq";
import { createClient } from "redis";
import { describe, expect, it } from "vitest";
import { serve } from "../../js/serve/serve.ts";
import { open } from "../js/open.ts";
import { atEnd, isRedisServer, PLACES, type Place, pause } from "./places.ts";

type Work = (job: Job) => Promise<unknown>;

function queueAt({ options }: Place, more: Partial<QueueOptions> = {}): Queue {
	const queue = new Queue("q", { connection: options, ...more });
	atEnd(() => queue.close());
	return queue;
}

function workerAt({ options }: Place, work: Work, more: Partial<WorkerOptions> = {}): Worker {
	const worker = new Worker("q", work, { connection: options, ...more });
	worker.on("error", () => undefined);
	atEnd(() => worker.close());
	return worker;
}

async function eventsAt({ options }: Place): Promise<QueueEvents> {
	const events = new QueueEvents("q", { connection: options });
	atEnd(() => events.close());
	await events.waitUntilReady();
	return events;
}

const becomes = <T>(read: () => T | Promise<T>, interval = 10) => expect.poll(read, { interval });

describe.each(PLACES)("%s", (_, start) => {
	it("processes jobs and tells their results, progress and logs", async () => {
		const place = await start();
		const [queue, events] = [queueAt(place), await eventsAt(place)];
		const progress: unknown[] = [];
		events.on("progress", ({ data }) => progress.push(data));
		workerAt(place, async (job) => {
			await job.updateProgress({ percent: 50 });
			await job.log("half of it");
			return { sum: job.data.a + job.data.b };
		});
		const job = await queue.add("add", { a: 2, b: 40 });
		expect(await job.waitUntilFinished(events)).toEqual({ sum: 42 });
		await becomes(() => progress).toEqual([{ percent: 50 }]);
		expect(await queue.getJobLogs(job.id as string)).toEqual({ logs: ["half of it"], count: 1 });
		expect(await queue.getJobCounts("completed", "waiting", "active", "failed")).toEqual({
			completed: 1,
			waiting: 0,
			active: 0,
			failed: 0,
		});
	});

	it("gives each of many jobs to one of several workers", async () => {
		const place = await start();
		const queue = queueAt(place);
		const seen = new Map<string, number>();
		for (let i = 0; i < 3; i++) {
			workerAt(
				place,
				async (job) => {
					seen.set(job.name, (seen.get(job.name) ?? 0) + 1);
				},
				{ concurrency: 5 },
			);
		}
		const jobs = Array.from({ length: 200 }, (_, i) => ({ name: `job ${i}`, data: { i } }));
		await queue.addBulk(jobs);
		await becomes(() => queue.getCompletedCount()).toBe(200);
		expect([...seen.values()]).toEqual(new Array(200).fill(1));
	});

	it("keeps delayed jobs until their time, or until they are promoted", async () => {
		const place = await start();
		const queue = queueAt(place);
		const done: { name: string; late_ms: number }[] = [];
		workerAt(place, async (job) => {
			done.push({ name: job.name, late_ms: Date.now() - job.timestamp - (job.opts.delay ?? 0) });
		});
		await queue.addBulk([
			{ name: "later", data: {}, opts: { delay: 300 } },
			{ name: "soon", data: {}, opts: { delay: 100 } },
			{ name: "now", data: {} },
		]);
		const far = await queue.add("far", {}, { delay: 1_000_000 });
		await becomes(() => done.map(({ name }) => name)).toEqual(["now", "soon", "later"]);
		for (const { late_ms } of done) expect(late_ms).toBeGreaterThanOrEqual(-2);
		expect(await far.isDelayed()).toBe(true);
		await far.promote();
		await becomes(() => done.at(-1)?.name).toBe("far");
	});

	it("repeats jobs by a scheduler, until it is removed", async () => {
		const place = await start();
		const queue = queueAt(place);
		let runs = 0;
		workerAt(place, async (job) => {
			runs += job.data.n;
		});
		const from_ms = Date.now();
		await queue.upsertJobScheduler("tick", { every: 100 }, { name: "tick", data: { n: 1 } });
		await becomes(() => runs).toBeGreaterThanOrEqual(4);
		expect(runs).toBeLessThanOrEqual((Date.now() - from_ms) / 100 + 2);
		expect(await queue.getJobScheduler("tick")).toMatchObject({ key: "tick", every: 100 });
		expect(await queue.getJobSchedulersCount()).toBe(1);
		expect(await queue.removeJobScheduler("tick")).toBe(true);
		await becomes(() => queue.getDelayedCount()).toBe(0);
		const count = runs;
		await pause(250);
		expect(runs).toBeLessThanOrEqual(count + 1);
		// And one by the calendar, of which only the next time is there.
		await queue.upsertJobScheduler("yearly", { pattern: "0 0 1 1 *" }, { name: "cake" });
		const [next] = await queue.getDelayed();
		expect(new Date((next?.timestamp ?? 0) + (next?.delay ?? 0)).getMonth()).toBe(0);
	});

	it("takes no more jobs than the rate allows", async () => {
		const place = await start();
		const queue = queueAt(place);
		const at: number[] = [];
		await queue.addBulk(Array.from({ length: 6 }, (_, i) => ({ name: `${i}`, data: {} })));
		const from_ms = Date.now();
		workerAt(place, async () => at.push(Date.now() - from_ms), { limiter: { max: 2, duration: 250 } });
		await becomes(() => at.length).toBe(6);
		// Two in a window of 250 ms, the first of which begins with the first job.
		for (const [i, after_ms] of at.entries()) {
			expect(after_ms).toBeGreaterThanOrEqual(Math.floor(i / 2) * 250 - 5);
		}
	});

	it("tries again what failed, with pauses, and keeps what fails for good", async () => {
		const place = await start();
		const [queue, events] = [queueAt(place), await eventsAt(place)];
		workerAt(place, async (job) => {
			if (job.attemptsMade < (job.data as { failures: number }).failures)
				throw new Error(`no ${job.attemptsMade}`);
			return "at last";
		});
		const backoff = { type: "exponential", delay: 20 };
		const good = await queue.add("good", { failures: 2 }, { attempts: 3, backoff });
		const bad = await queue.add("bad", { failures: 9 }, { attempts: 2, backoff });
		expect(await good.waitUntilFinished(events)).toBe("at last");
		await expect(bad.waitUntilFinished(events)).rejects.toThrow("no 1");
		const [failed] = await queue.getFailed();
		expect(failed).toMatchObject({ id: bad.id, failedReason: "no 1", attemptsMade: 2 });
		expect(failed?.stacktrace).toHaveLength(2);
		await failed?.updateData({ failures: 0 });
		await failed?.retry();
		expect(await failed?.waitUntilFinished(events)).toBe("at last");
	});

	it("pauses, orders by priority, removes duplicates, and empties itself", async () => {
		const place = await start();
		const queue = queueAt(place);
		const done: string[] = [];
		await queue.pause();
		workerAt(place, async (job) => done.push(job.name));
		await queue.add("low", {}, { priority: 10 });
		await queue.add("high", {}, { priority: 1 });
		await queue.add("first", {});
		const once = { deduplication: { id: "once" } };
		const [one, two] = [await queue.add("once", {}, once), await queue.add("once", {}, once)];
		expect(one.id).toBe(two.id);
		expect(await queue.isPaused()).toBe(true);
		expect(await queue.getCountsPerPriority([1, 10])).toEqual({ 1: 1, 10: 1 });
		expect(done).toEqual([]);
		await queue.resume();
		await becomes(() => done).toEqual(["first", "once", "high", "low"]);
		await becomes(() => queue.getCompletedCount()).toBe(4);
		await queue.clean(0, 100, "completed");
		expect(await queue.getJobCountByTypes("completed", "waiting")).toBe(0);
		await queue.pause();
		await queue.add("more", {});
		await queue.drain();
		expect(await queue.count()).toBe(0);
		await queue.obliterate();
		expect(await place.client().keys("bull:q:*")).toEqual([]);
	});

	it("processes children before their parent", async () => {
		const place = await start();
		const order: string[] = [];
		workerAt(place, async (job) => {
			order.push(job.name);
			const values = Object.values(await job.getChildrenValues<number>());
			return job.name === "parent" ? values.reduce((sum, value) => sum + value, 0) : job.data.value;
		});
		const events = await eventsAt(place);
		const flows = new FlowProducer({ connection: place.options });
		atEnd(() => flows.close());
		const child = (value: number) => ({ name: `child ${value}`, queueName: "q", data: { value } });
		const { job } = await flows.add({
			name: "parent",
			queueName: "q",
			children: [child(1), child(2), { ...child(4), children: [child(8)] }],
		});
		expect(await job.waitUntilFinished(events)).toBe(7);
		expect(order.at(-1)).toBe("parent");
		expect(order).toHaveLength(5);
	});

	it("gives a job to another worker when the first has gone silent", async () => {
		const place = await start();
		const queue = queueAt(place);
		const started: string[] = [];
		const silent = new Worker(
			"q",
			async () => {
				started.push("silent");
				await new Promise(() => undefined);
			},
			{ connection: place.options, lockDuration: 100, skipLockRenewal: true, skipStalledCheck: true },
		);
		silent.on("error", () => undefined);
		atEnd(() => silent.close(true));
		await queue.add("job", {});
		await becomes(() => started).toEqual(["silent"]);
		workerAt(place, async () => started.push("lively"), { stalledInterval: 100 });
		await becomes(() => started).toEqual(["silent", "lively"]);
		await becomes(() => queue.getCompletedCount()).toBe(1);
	});
});

it.skipIf(isRedisServer)("works through node-redis as well", async () => {
	const server = await serve(await open());
	atEnd(() => server.close());
	const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
	client.on("error", () => undefined);
	await client.connect();
	atEnd(() => client.destroy());
	const connection = client as never;
	const queue = new Queue("q", { connection });
	atEnd(() => queue.close());
	const worker = new Worker("q", async (job) => job.data.n * 2, { connection });
	worker.on("error", () => undefined);
	atEnd(() => worker.close(true));
	const job = await queue.add("double", { n: 21 }, { delay: 50 });
	await becomes(() => job.getState()).toBe("completed");
	expect((await queue.getJob(job.id as string))?.returnvalue).toBe(42);
});
