/** The append-only file of an open database: what is in storage when, and what comes back. */

import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { OpenOptions, Redstart } from "../../js/redstart.ts";
import { connectorFor } from "../../js/serve/ioredis.ts";
import type { MemoryDisk } from "../../js/storage/memory.ts";
import { FaultyStorage } from "./faulty-storage.ts";
import { open } from "./open.ts";

const AOF = { appendonly: "yes", appendfsync: "always", save: "" };

async function opened(storage: FaultyStorage, options: OpenOptions = {}): Promise<Redstart> {
	return open({ storage, ...options, config: { ...AOF, ...options.config } });
}

/** What somebody finds who opens a copy of the disk now. */
async function found(disk: MemoryDisk): Promise<Redstart> {
	return opened(new FaultyStorage(structuredClone(disk)));
}

function gated(storage: FaultyStorage): () => void {
	let release = () => {};
	storage.gate = new Promise((resolve) => {
		release = resolve;
	});
	return () => {
		storage.gate = Promise.resolve();
		release();
	};
}

describe("the append-only file", () => {
	it("has what an async client was answered, without a save", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		await db.async.set("a", 1);
		await db.async.incr("a");
		expect((await found(storage.disk)).get("a")).toBe("2");
		expect(storage.done.filter((what) => what.startsWith("put"))).toEqual([]);
	});

	it("has databases, deadlines, transactions and scripts", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		const other = db.session();
		other.select(3);
		other.set("three", "3");
		db.set("soon", "x", { ex: 1000 });
		await db.async.multi().set("m1", 1).set("m2", 2).exec();
		await db.async.eval("return redis.call('SET', KEYS[1], ARGV[1])", ["scripted"], ["yes"]);
		const back = await found(storage.disk);
		expect(back.dbsize()).toBe(4);
		expect(back.ttl("soon")).toBeGreaterThan(990);
		expect(back.mget("m1", "m2", "scripted")).toEqual(["1", "2", "yes"]);
		back.select(3);
		expect(back.get("three")).toBe("3");
	});

	it("is not written by an open that only reads, and its segments are never continued", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		await db.async.set("a", 1);
		await db.close();
		const reader = new FaultyStorage(storage.disk);
		const again = await opened(reader);
		expect(again.get("a")).toBe("1");
		await again.close();
		expect(reader.done).toEqual([]);
		const writer = new FaultyStorage(storage.disk);
		const third = await opened(writer);
		await third.async.set("b", 2);
		expect(writer.done[0]).toBe("commit");
		const [first, second] = storage.disk.manifest?.incr ?? [];
		expect(first?.length_bytes).toBe(storage.disk.objects.get(first?.id ?? 0)?.length);
		expect(writer.done[1]).toBe(`append ${second?.id}`);
		expect((await found(storage.disk)).dbsize()).toBe(2);
	});

	it("takes what piles up in one append: group commit", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		await db.async.set("first", 1);
		const before = storage.done.length;
		const release = gated(storage);
		const answers = Array.from({ length: 100 }, (_, i) => db.async.set(`k:${i}`, i));
		await pause(5);
		answers.push(...Array.from({ length: 100 }, (_, i) => db.async.set(`l:${i}`, i)));
		await pause(5);
		release();
		await Promise.all(answers);
		expect(storage.done.slice(before)).toHaveLength(2);
		expect((await found(storage.disk)).dbsize()).toBe(201);
	});

	it("holds replies until their append is there, and a read's that saw it; not those of synchronous calls", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		await db.async.set("first", 1);
		const release = gated(storage);
		const answered: string[] = [];
		const note = (name: string) => () => answered.push(name);
		void db.async.set("a", 1).then(note("set"));
		void db.async.get("a").then(note("get"));
		void db.async.pipeline().incr("n").exec().then(note("pipeline"));
		void db.blpop(["list"], 0).then(note("blpop"));
		db.rpush("list", "x");
		expect(db.get("a")).toBe("1");
		await pause(20);
		expect(answered).toEqual([]);
		expect((await found(storage.disk)).dbsize()).toBe(1);
		release();
		await vi.waitFor(() => expect([...answered].sort()).toEqual(["blpop", "get", "pipeline", "set"]));
		expect((await found(storage.disk)).dbsize()).toBe(3);
		expect(db.engine.whenStored?.()).toBe(undefined);
	});

	it("holds the replies of wire sessions", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		const redis = new Redis({ Connector: connectorFor(db), lazyConnect: true });
		onTestFinished(() => redis.disconnect());
		await redis.connect();
		await redis.set("first", 1);
		const release = gated(storage);
		const set = vi.fn();
		void redis.set("a", 1).then(set);
		await pause(20);
		expect(set).not.toHaveBeenCalled();
		release();
		await vi.waitFor(() => expect(set).toHaveBeenCalledWith("OK"));
		expect((await found(storage.disk)).get("a")).toBe("1");
		// Under a steady load of others nobody starves.
		const load = setInterval(() => db.incr("load"), 0);
		for (let i = 0; i < 20; i++) expect(await redis.incr("n")).toBe(i + 1);
		clearInterval(load);
	});

	it("is turned on and off while the database is open", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage, config: { save: "" } });
		db.set("before", 1);
		db.configSet({ appendonly: "yes" });
		await db.async.set("a", 1);
		expect((await found(storage.disk)).dbsize()).toBe(2);
		db.set("last", 1);
		db.configSet({ appendonly: "no" });
		await vi.waitFor(async () => expect((await found(storage.disk)).dbsize()).toBe(3));
		db.set("unsaved", 1);
		await pause(10);
		expect((await found(storage.disk)).dbsize()).toBe(3);
		await db.save();
		expect((await open({ storage: new FaultyStorage(storage.disk) })).dbsize()).toBe(4);
		expect(storage.disk.manifest?.incr).toEqual([]);
		expect([...storage.disk.objects.keys()].filter((name) => typeof name === "number")).toEqual([]);
	});

	it("survives a power cut once it was turned off", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage, { config: { appendfsync: "no" } });
		await db.async.set("a", 1);
		expect((await found(storage.afterPowerCut())).get("a")).toBe(null);
		db.configSet({ appendonly: "no" });
		await vi.waitFor(async () => expect((await found(storage.afterPowerCut())).get("a")).toBe("1"));
	});

	it("goes on with nothing that was cleared away before a base whose end nobody knows", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage);
		await db.async.set("a", 1);
		await db.save();
		await db.async.set("b", 2);
		const { disk } = storage;
		const commit = storage.commit.bind(storage);
		storage.commit = async (manifest, needs) => {
			for (const name of disk.objects.keys()) if (!needs.includes(String(name))) disk.objects.delete(name);
			storage.commit = commit;
			await commit(manifest, needs);
			throw new Error("lost connection");
		};
		await expect(db.save()).rejects.toThrow("ERR");
		await db.async.set("c", 3);
		await vi.waitFor(async () => expect((await found(disk)).mget("a", "b", "c")).toEqual(["1", "2", "3"]));
	});

	it("is stored by close, even what was written last", async () => {
		const storage = new FaultyStorage();
		const db = await opened(storage, { config: { appendfsync: "no" } });
		db.set("a", 1);
		await db.close();
		expect((await found(storage.disk)).get("a")).toBe("1");
	});
});
