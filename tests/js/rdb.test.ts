/** RDB files into and out of an open database. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RedstartError, ReplyError } from "../../js/errors.ts";
import type { RdbSource } from "../../js/rdb.ts";
import type { Redstart } from "../../js/redstart.ts";
import { MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
import { NoOracle, startOracle } from "../oracle/oracle.mjs";
import { FaultyStorage } from "./faulty-storage.ts";
import { open } from "./open.ts";

const raw = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Every type, two databases, times to live; `count` keys more. */
function fill(db: Redstart, count = 0): void {
	db.set("text", "caf\u00e9 \u{1f600}", { ex: 5000 });
	db.set(raw, raw);
	db.rpush("list", ["a", "b"]);
	db.sadd("set", ["1", "2", "x"]);
	db.call("HSET", "hash", "f", "v", "g", "w");
	db.zadd("scores", { score: 1.5, member: "m" });
	db.call("XADD", "log", "1-1", "f", "v");
	const other = db.session();
	other.select(3);
	other.set("three", "3");
	other.close();
	for (let i = 0; i < count; i += 1000) {
		const pipeline = db.pipeline();
		for (let j = i; j < Math.min(i + 1000, count); j++) pipeline.set(`key:${j}`, `value of ${j}`);
		pipeline.exec();
	}
}

function check(db: Redstart, count = 0): void {
	expect(db.get("text")).toBe("caf\u00e9 \u{1f600}");
	expect(db.ttl("text")).toBeGreaterThan(4000);
	expect(db.bytes.get(raw)).toEqual(raw);
	expect(db.lrange("list", 0, -1)).toEqual(["a", "b"]);
	expect(db.smembers("set").sort()).toEqual(["1", "2", "x"]);
	expect(db.hgetall("hash")).toEqual({ f: "v", g: "w" });
	expect(db.zscore("scores", "m")).toBe(1.5);
	expect(db.xlen("log")).toBe(1);
	expect(db.dbsize()).toBe(7 + count);
	const other = db.session();
	other.select(3);
	expect(other.get("three")).toBe("3");
	other.close();
}

async function sample(count = 0): Promise<Uint8Array> {
	const db = await open();
	fill(db, count);
	return db.exportRdb();
}

const cut = (file: Uint8Array, length: number): Uint8Array[] =>
	Array.from({ length: Math.ceil(file.length / length) }, (_, i) => file.slice(i * length, (i + 1) * length));

function streamOf(pieces: Uint8Array[], onCancel = () => {}): ReadableStream<Uint8Array> {
	const left = [...pieces];
	return new ReadableStream<Uint8Array>({
		pull(controller) {
			const piece = left.shift();
			if (piece) controller.enqueue(piece);
			else controller.close();
		},
		cancel: onCancel,
	});
}

async function* slowly(pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
	for (const piece of pieces) {
		await new Promise((resolve) => setTimeout(resolve));
		yield piece;
	}
}

describe("a file comes from", () => {
	const sources: [string, (file: Uint8Array) => RdbSource][] = [
		["bytes", (file) => file],
		["bytes within others", (file) => Buffer.concat([raw, file, raw]).subarray(256, 256 + file.length)],
		["an ArrayBuffer", (file) => file.slice().buffer as ArrayBuffer],
		["a Blob", (file) => new Blob([file as Uint8Array<ArrayBuffer>])],
		["a Response", (file) => new Response(file as Uint8Array<ArrayBuffer>)],
		["a stream", (file) => streamOf(cut(file, 100))],
		["an iterable", (file) => cut(file, 7)],
		["an asynchronous iterable", (file) => slowly(cut(file, 50))],
	];
	it.each(sources)("%s", async (_, make) => {
		const file = await sample();
		const db = await open();
		db.set("before", "x");
		const report = await db.importRdb(make(file));
		expect(report).toMatchObject({ keys: 8, expired: 0, skipped: 0, length_bytes: file.length });
		expect(db.get("before")).toBeNull();
		check(db);
	});

	it("nothing else", async () => {
		const db = await open();
		for (const source of ["dump.rdb", null, 5, {}, ["text"]]) {
			const failed = db.importRdb(source as unknown as RdbSource);
			await expect(failed).rejects.toMatchObject({ kind: "unsupported" });
		}
	});

	it("a Response that has it, not one that says why it has not", async () => {
		const db = await open();
		const response = new Response("not here", { status: 404, statusText: "Not Found" });
		await expect(db.importRdb(response)).rejects.toThrow("the file cannot be fetched: 404 Not Found");
	});
});

/** Does `work` in every turn of the loop, until what is returned is called. */
function meanwhile(work: () => void): () => void {
	let isOver = false;
	const again = () => {
		if (isOver) return;
		work();
		setImmediate(again);
	};
	setImmediate(again);
	return () => {
		isOver = true;
	};
}

describe("an import", () => {
	it("tells how far it is", async () => {
		const file = await sample(30_000);
		const db = await open();
		const seen: number[] = [];
		await db.importRdb(new Blob([file as Uint8Array<ArrayBuffer>]), {
			turn_ms: 0,
			onProgress: ({ done_bytes, total_bytes }) => {
				expect(total_bytes).toBe(file.length);
				seen.push(done_bytes);
			},
		});
		expect(seen.length).toBeGreaterThan(2);
		expect([...seen].sort((a, b) => a - b)).toEqual(seen);
		expect(seen.at(-1)).toBe(file.length);
		check(db, 30_000);
	});

	it("lets others work meanwhile, and takes their changes away at its end", async () => {
		const file = await sample(30_000);
		const db = await open();
		db.set("counter", 0);
		let turns = 0;
		const stop = meanwhile(() => {
			turns++;
			db.incr("counter");
		});
		await db.importRdb(file, { turn_ms: 0 });
		stop();
		expect(turns).toBeGreaterThan(1);
		check(db, 30_000);
	});

	it("leaves out what has expired, and says so", async () => {
		const before = await open({ now: () => 1_000_000 });
		before.set("brief", "x", { px: 500 });
		before.set("stays", "x");
		const db = await open();
		expect(await db.importRdb(await before.exportRdb())).toMatchObject({ keys: 1, expired: 1 });
		expect(db.info("persistence")).toContain("rdb_last_load_keys_expired:1\r\nrdb_last_load_keys_loaded:1");
	});

	it.each([
		["cut off", (file: Uint8Array) => file.subarray(0, file.length - 30), /^ERR the snapshot is truncated/],
		[
			"spoilt",
			(file: Uint8Array) => file.map((byte, i) => (i === file.length - 60 ? byte ^ 1 : byte)),
			/^ERR /,
		],
		["no such file", () => new TextEncoder().encode("<!doctype html>"), /not a snapshot/],
		["empty", () => new Uint8Array(0), /truncated/],
	])("of a file that is %s changes nothing", async (_, spoil, message) => {
		const db = await open();
		fill(db);
		const version = db.engine.writeVersion;
		const failed = db.importRdb(cut(spoil(await sample()), 50));
		await expect(failed).rejects.toThrow(message);
		await expect(failed).rejects.toBeInstanceOf(ReplyError);
		expect(db.engine.writeVersion).toBe(version);
		check(db);
		// The next one is not disturbed.
		await db.importRdb(await sample(10));
		check(db, 10);
	});

	it("refuses data of modules, or leaves it out", async () => {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
		const id = [..."ReJSON-RL"].reduce((sum, letter) => sum * 64n + BigInt(letters.indexOf(letter)), 0n);
		const module = Buffer.alloc(9, 0x81);
		module.writeBigUInt64BE(id * 1024n + 3n, 1);
		const text = (words: string) => Buffer.from(words, "latin1");
		// A value of version 2 with no parts, then a string; no checksum.
		const file = Buffer.concat([
			text("REDIS0011\xfe\x00\x07\x01k"),
			module,
			text("\x00\x00\x01s\x01v\xff"),
			Buffer.alloc(8),
		]);
		const db = await open();
		await expect(db.importRdb(file)).rejects.toThrow(/ReJSON-RL/);
		expect(await db.importRdb(file, { modules: "skip" })).toMatchObject({ keys: 1, skipped: 1 });
		expect(db.get("s")).toBe("v");
	});

	it("can be given up, and closes what it read", async () => {
		const file = await sample(30_000);
		const db = await open();
		fill(db);
		const giveUp = new AbortController();
		let isCancelled = false;
		const stream = streamOf(cut(file, 1000), () => {
			isCancelled = true;
		});
		const failed = db.importRdb(stream, {
			signal: giveUp.signal,
			onProgress: () => giveUp.abort(new Error("enough")),
		});
		await expect(failed).rejects.toThrow("enough");
		expect(isCancelled).toBe(true);
		check(db);
	});

	it("can be given up while it waits for bytes", async () => {
		const db = await open();
		const giveUp = new AbortController();
		const failed = db.importRdb(new ReadableStream(), { signal: giveUp.signal });
		await new Promise((resolve) => setTimeout(resolve, 5));
		giveUp.abort(new Error("too slow"));
		await expect(failed).rejects.toThrow("too slow");
		await expect(db.importRdb(await sample(), { signal: giveUp.signal })).rejects.toThrow("too slow");
		expect(db.dbsize()).toBe(0);
	});

	it("ends when another one begins", async () => {
		const file = await sample(30_000);
		const db = await open();
		const first = db.importRdb(slowly(cut(file, 50_000)));
		await new Promise((resolve) => setTimeout(resolve, 3));
		await db.importRdb(await sample(5));
		await expect(first).rejects.toThrow("another file was loaded meanwhile");
		check(db, 5);
	});

	it("ends with the database", async () => {
		const file = await sample(30_000);
		const db = await open();
		const failed = db.importRdb(slowly(cut(file, 50_000)));
		await new Promise((resolve) => setTimeout(resolve, 3));
		await db.close();
		await expect(failed).rejects.toMatchObject({ kind: "closed" });
	});

	it("is news to who watches, waits, or caches", async () => {
		const file = await sample();
		const db = await open();
		const session = db.session();
		session.watch(["list"]);
		const waiting = db.async.blpop(["list"], 0);
		const cached = db.session({ protocol: 3 });
		const pushes: unknown[] = [];
		cached.onPush((push) => pushes.push(push));
		cached.call("CLIENT", "TRACKING", "ON");
		cached.get("text");
		await db.importRdb(file);
		expect(await waiting).toEqual(["list", "a"]);
		expect(session.multi().get("text").exec()).toBeNull();
		await expect.poll(() => pushes).toEqual([["invalidate", null]]);
	});

	it("waits for a script that is paused", async () => {
		const file = await sample();
		const db = await open({ scripts: { slice: 1000 } });
		let order = "";
		const script = db.async.eval("for i = 1, 300000 do end return redis.call('SET', 'late', 1)").then(() => {
			order += "script ";
		});
		await db.importRdb(file).then(() => {
			order += "import";
		});
		await script;
		expect(order).toBe("script import");
		expect(db.get("late")).toBeNull();
	});

	it("is stored when it resolves", async () => {
		const disk = memoryDisk();
		const db = await open({ storage: new MemoryStorage(disk) });
		db.set("before", "x");
		await db.importRdb(await sample(100));
		const back = await open({ storage: new MemoryStorage(structuredClone(disk)) });
		check(back, 100);
	});

	it("says when it is loaded, but not stored", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		db.on("persistence-lost", () => undefined);
		storage.failAfter = 0;
		const failed = db.importRdb(await sample());
		await expect(failed).rejects.toThrow(/^the file is loaded, but not stored: .*disk full/);
		await expect(failed).rejects.toMatchObject({ kind: "storage" });
		check(db);
		storage.failAfter = Number.POSITIVE_INFINITY;
	});
});

describe("an export", () => {
	it("is a file as bytes or as a Blob", async () => {
		const db = await open();
		fill(db, 5000);
		const bytes = await db.exportRdb();
		const blob = await db.exportRdb({ as: "blob" });
		for (const source of [bytes, blob, blob.stream()]) {
			const other = await open();
			await other.importRdb(source);
			check(other, 5000);
		}
	});

	it("is no save", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage, config: { save: "" } });
		fill(db);
		const { dirty } = db.engine;
		const saved = db.lastsave();
		await db.exportRdb();
		expect(db.engine.dirty).toBe(dirty);
		expect(db.lastsave()).toBe(saved);
		expect(db.info("persistence")).toContain("rdb_last_bgsave_status:ok");
		expect(storage.done).toEqual([]);
	});

	it("is of one moment", async () => {
		const db = await open();
		fill(db, 30_000);
		let turns = 0;
		const stop = meanwhile(() => {
			turns++;
			db.mset({ text: "later", [`key:${turns}`]: "later", [`new:${turns}`]: "x" });
			db.del(["hash", `key:${20_000 + turns}`]);
			db.rpush("list", "later");
		});
		const file = await db.exportRdb({ turn_ms: 0 });
		stop();
		expect(turns).toBeGreaterThan(0);
		const other = await open();
		await other.importRdb(file);
		check(other, 30_000);
		expect(other.get("key:1")).toBe("value of 1");
	});

	it.each([
		["an import ends", (db: Redstart, file: Uint8Array) => db.importRdb(file)],
		["all is deleted", (db: Redstart) => db.flushall()],
		["databases change places", (db: Redstart) => db.swapdb(0, 3)],
	])("is of one moment when %s meanwhile", async (_, change) => {
		const small = await sample();
		// With rules, a save would come first.
		const db = await open({ config: { save: "" } });
		fill(db, 30_000);
		let changed: unknown;
		const file = await db.exportRdb({
			turn_ms: 0,
			onProgress: () => {
				changed ??= change(db, small);
			},
		});
		await changed;
		const other = await open();
		await other.importRdb(file);
		check(other, 30_000);
	});

	it("waits for a save, and begins anew when one begins", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		fill(db, 30_000);
		let open_gate = () => {};
		storage.gate = new Promise((resolve) => {
			open_gate = resolve;
		});
		const saving = db.save();
		// It begins when the engine has asked for it.
		await new Promise((resolve) => setTimeout(resolve, 5));
		let isDone = false;
		const first = db.exportRdb({ turn_ms: 0 }).then((file) => {
			isDone = true;
			return file;
		});
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(isDone).toBe(false);
		open_gate();
		await saving;
		// In the middle of the export.
		await new Promise((resolve) => setTimeout(resolve));
		db.set("meanwhile", "x");
		await db.save();
		const other = await open();
		await other.importRdb(await first);
		expect(other.dbsize()).toBeGreaterThanOrEqual(30_007);
	});

	it("can be given up", async () => {
		const db = await open();
		fill(db, 30_000);
		const giveUp = new AbortController();
		const failed = db.exportRdb({
			signal: giveUp.signal,
			onProgress: () => giveUp.abort(new Error("enough")),
		});
		await expect(failed).rejects.toThrow("enough");
		expect(await db.save()).toBe("OK");
		expect((await db.exportRdb()).length).toBeGreaterThan(30_000 * 10);
	});

	it("ends with the database", async () => {
		const db = await open();
		await db.close();
		await expect(db.exportRdb()).rejects.toBeInstanceOf(RedstartError);
	});
});

describe("redis-server", () => {
	it("loads what is exported, and what it saves is imported", async (context) => {
		const server = await startOracle().catch((error: unknown) => {
			if (error instanceof NoOracle) context.skip(error.message);
			throw error;
		});
		try {
			const ask = async (...args: string[]) => (await server.control.call(...args)) as { text?: string };
			const [, dir] = ((await server.control.call("CONFIG", "GET", "dir")) as { items: { text: string }[] })
				.items;
			const path = join(dir?.text ?? "", "dump.rdb");
			const db = await open();
			fill(db, 2000);
			writeFileSync(path, await db.exportRdb());
			expect(await ask("DEBUG", "RELOAD", "NOSAVE")).toMatchObject({ text: "OK" });
			const digest = (await ask("DEBUG", "DIGEST")).text;
			await ask("SET", "more", "from the server");
			await ask("SAVE");
			const back = await open();
			expect(await back.importRdb(readFileSync(path))).toMatchObject({ keys: 2009 });
			expect(back.get("more")).toBe("from the server");
			back.del("more");
			check(back, 2000);
			writeFileSync(path, await back.exportRdb());
			expect(await ask("DEBUG", "RELOAD", "NOSAVE")).toMatchObject({ text: "OK" });
			expect((await ask("DEBUG", "DIGEST")).text).toBe(digest);
		} finally {
			await server.stop();
		}
	});
});
