// The driver for folders: the suite of all drivers, and what only files have.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { Redstart } from "../../js/redstart.ts";
import { crc32c } from "../../js/storage/crc32c.ts";
import { FileStorage } from "../../js/storage/fs.ts";
import type { Base, Manifest, Segment } from "../../js/storage/storage.ts";
import { open } from "./open.ts";
import {
	check,
	filesIn,
	hasPrlimit,
	inFile,
	manifestIn,
	newFolder,
	oracle,
	start,
} from "./server-process.ts";
import { conforms } from "./storage.suite.ts";

conforms("storage in a folder", () => {
	const folder = mkdtempSync(join(tmpdir(), "redstart-fs-"));
	return {
		open: () => new FileStorage(folder),
		isFenced: true,
		hasLog: true,
		takesAnyName: true,
		remove: () => rmSync(folder, { recursive: true, force: true }),
	};
});

const FOLDER = "appendonlydir";
const bytes = (text: string) => new TextEncoder().encode(text);

function baseOf(seq: number, ...chunks: Uint8Array[]): Base {
	let crc = 0;
	for (const chunk of chunks) crc = crc32c(chunk, crc);
	const length_bytes = chunks.reduce((sum, { length }) => sum + length, 0);
	return { name: `base-${seq}`, chunks: chunks.length, seq, crc, length_bytes };
}

const manifestOf = (base: Base | null, incr: Segment[]): Manifest => ({
	version: 1,
	replid: "r",
	base,
	incr,
	offset: 0,
});

describe("a folder", () => {
	it("has redis-server's files and manifest", async () => {
		const dir = newFolder();
		const storage = new FileStorage(dir);
		await storage.load();
		const chunks = [bytes("one"), bytes("two")];
		await storage.put("base-1.0", chunks[0] as Uint8Array);
		await storage.put("base-1.1", chunks[1] as Uint8Array);
		await storage.append(2, bytes("abc"), true);
		await storage.commit(manifestOf(baseOf(1, ...chunks), [{ id: 2 }]), ["base-1.0", "base-1.1"]);
		expect(manifestIn(dir)).toBe(
			"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
		);
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.1.base.rdb"), "latin1")).toBe("onetwo");
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.2.incr.aof"), "latin1")).toBe("abc");
		await storage.commit(manifestOf(baseOf(1, ...chunks), [{ id: 2, length_bytes: 2 }, { id: 3 }]), []);
		// redis-server knows no lengths, and wants every file to be there.
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.2.incr.aof"), "latin1")).toBe("ab");
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.3.incr.aof"), "latin1")).toBe("");
		await storage.close();
	});

	it("puts chunks that were put again, or in another order, in their order", async () => {
		const dir = newFolder();
		const storage = new FileStorage(pathToFileURL(dir));
		await storage.load();
		for (const [name, text] of [
			["b.1", "no"],
			["b.2", "three"],
			["b.0", "one"],
			["b.1", "two"],
		] as const) {
			await storage.put(name, bytes(text));
		}
		const base = { ...baseOf(1, bytes("one"), bytes("two"), bytes("three")), name: "b" };
		await storage.commit(manifestOf(base, []), ["b.0", "b.1", "b.2"]);
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.1.base.rdb"), "latin1")).toBe("onetwothree");
		expect(await storage.read("b.1")).toEqual(bytes("two"));
		await storage.close();
	});

	it("is what redis-server's manifest says when the two differ", async () => {
		const dir = newFolder();
		const first = new FileStorage(dir);
		await first.load();
		await first.put("base-1.0", bytes("old"));
		await first.commit(manifestOf(baseOf(1, bytes("old")), [{ id: 2 }]), ["base-1.0"]);
		await first.close();
		const at = (name: string) => join(dir, FOLDER, name);
		const large = new Uint8Array((1 << 20) + 5).fill(7);
		writeFileSync(at("appendonly.aof.4.base.rdb"), large);
		writeFileSync(at("appendonly.aof.5.incr.aof"), "five");
		writeFileSync(at("appendonly.aof.6.incr.aof"), "six");
		writeFileSync(
			at("appendonly.aof.manifest"),
			"file appendonly.aof.4.base.rdb seq 4 type b\nfile appendonly.aof.5.incr.aof seq 5 type i startoffset 1 endoffset 2\nfile appendonly.aof.6.incr.aof seq 6 type i startoffset 2\n",
		);
		const second = new FileStorage(dir);
		const { manifest } = await second.load();
		expect(manifest?.base).toEqual({
			name: "appendonly.aof.4.base.rdb",
			chunks: 2,
			seq: 4,
			crc: crc32c(large),
			length_bytes: large.length,
		});
		expect(manifest?.incr).toEqual([{ id: 5, length_bytes: 4 }, { id: 6 }]);
		expect((await second.read("appendonly.aof.4.base.rdb.1"))?.length).toBe(5);
		expect(await second.read(6)).toEqual(bytes("six"));
		await expect(second.append(6, bytes("!"), true)).rejects.toThrow("former owner");
		await second.append(7, bytes("seven"), true);
		const { base } = manifest as Manifest;
		const incr = [{ id: 5, length_bytes: 4 }, { id: 6, length_bytes: 3 }, { id: 7 }];
		await second.commit(manifestOf(base, incr), []);
		expect(manifestIn(dir)).toBe(
			"file appendonly.aof.4.base.rdb seq 4 type b\nfile appendonly.aof.5.incr.aof seq 5 type i\nfile appendonly.aof.6.incr.aof seq 6 type i\nfile appendonly.aof.7.incr.aof seq 7 type i\n",
		);
		await second.close();
		const third = new FileStorage(dir);
		expect((await third.load()).manifest).toEqual(manifestOf(base, incr));
		await third.close();
	});

	it("survives a crash between its two manifests", async () => {
		const dir = newFolder();
		const first = new FileStorage(dir);
		await first.load();
		await first.append(1, bytes("one"), true);
		const before = { ...manifestOf(null, [{ id: 1 }]), offset: 5 };
		await first.commit(before, []);
		const text = manifestIn(dir);
		await first.commit(manifestOf(null, [{ id: 1, length_bytes: 3 }, { id: 2 }]), []);
		await first.close();
		writeFileSync(join(dir, FOLDER, "appendonly.aof.manifest"), text);
		const second = new FileStorage(dir);
		expect((await second.load()).manifest).toEqual(before);
		await second.close();
	});

	it("reads a base of commands as a segment before the others", async () => {
		const dir = newFolder();
		mkdirSync(join(dir, FOLDER));
		const at = (name: string) => join(dir, FOLDER, name);
		writeFileSync(at("appendonly.aof.1.base.aof"), "base");
		writeFileSync(at("appendonly.aof.1.incr.aof"), "incr");
		const lines =
			"file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
		writeFileSync(at("appendonly.aof.manifest"), lines);
		const storage = new FileStorage(dir);
		const { manifest } = await storage.load();
		expect(manifest).toMatchObject({ base: null, incr: [{ id: 0, length_bytes: 4 }, { id: 1 }] });
		expect(await storage.read(0)).toEqual(bytes("base"));
		const incr = [
			{ id: 0, length_bytes: 4 },
			{ id: 1, length_bytes: 4 },
		];
		await storage.commit(manifestOf(null, incr), []);
		expect(manifestIn(dir)).toBe(lines);
		await storage.close();
		const again = new FileStorage(dir);
		expect((await again.load()).manifest?.incr).toEqual(incr);
		await again.remove([0]);
		expect(filesIn(dir, FOLDER)).not.toContain("appendonly.aof.1.base.aof");
		await again.close();
	});

	it("refuses a manifest it cannot read, and the single file of a Redis before 7, and changes nothing", async () => {
		const dir = newFolder();
		mkdirSync(join(dir, FOLDER));
		writeFileSync(join(dir, FOLDER, "appendonly.aof.manifest"), "hello\n");
		await expect(new FileStorage(dir).load()).rejects.toMatchObject({ kind: "corrupt" });
		expect(manifestIn(dir)).toBe("hello\n");
		const old = newFolder();
		writeFileSync(join(old, "appendonly.aof"), inFile("SET", "k", "v"));
		await expect(new FileStorage(old).load()).rejects.toThrow("Redis before 7");
		expect(statSync(join(old, "appendonly.aof")).size).toBeGreaterThan(0);
	});

	it.skipIf(!hasPrlimit)("leaves nothing of an append that did not go in whole", async () => {
		const dir = newFolder();
		const storage = new FileStorage(dir);
		await storage.load();
		await storage.append(1, bytes("good"), true);
		const file = join(dir, FOLDER, "appendonly.aof.1.incr.aof");
		const { pid } = process;
		execFileSync("prlimit", ["--pid", String(pid), "--fsize=100:unlimited"]);
		// Else the signal ends the process.
		const ignore = () => undefined;
		process.on("SIGXFSZ" as NodeJS.Signals, ignore);
		try {
			await expect(storage.append(1, new Uint8Array(1000), false)).rejects.toMatchObject({ kind: "storage" });
		} finally {
			execFileSync("prlimit", ["--pid", String(pid), "--fsize=unlimited:unlimited"]);
			process.off("SIGXFSZ" as NodeJS.Signals, ignore);
		}
		expect(readFileSync(file, "latin1")).toBe("good");
		await storage.append(1, bytes(" again"), false);
		expect(readFileSync(file, "latin1")).toBe("good again");
		await storage.close();
	});
});

describe("the owner of a folder", () => {
	const lockOf = (dir: string) => join(dir, FOLDER, "redstart.lock");

	it("keeps other processes out while it lives, and no longer", async () => {
		const dir = newFolder();
		const other = spawn("sleep", ["60"]);
		const first = new FileStorage(dir);
		const { epoch } = await first.load();
		const mine = JSON.parse(readFileSync(lockOf(dir), "utf8"));
		await first.close();
		const stat = readFileSync(`/proc/${other.pid}/stat`, "latin1");
		const began = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
		const lock = (start?: string) =>
			writeFileSync(lockOf(dir), JSON.stringify({ ...mine, pid: other.pid, start, token: "other" }));
		lock(began);
		await expect(new FileStorage(dir).load()).rejects.toThrow(`process ${other.pid} has this database open`);
		// The number of a process that has died is another one's now.
		lock("1");
		const second = new FileStorage(dir);
		expect((await second.load()).epoch).toBe(epoch + 1);
		await second.close();
		lock(began);
		const gone = new Promise((resolve) => other.once("exit", resolve));
		other.kill("SIGKILL");
		await gone;
		const third = new FileStorage(dir);
		await third.load();
		await third.append(1, bytes("x"), true);
		// Whoever took the folder over from elsewhere is the owner.
		lock(began);
		await expect(third.append(1, bytes("y"), true)).rejects.toThrow("taken over");
		await third.close();
		expect(JSON.parse(readFileSync(lockOf(dir), "utf8")).token).toBe("other");
	});

	it("may be gone without a word: an empty lock is nobody's", async () => {
		const dir = newFolder();
		mkdirSync(join(dir, FOLDER));
		writeFileSync(lockOf(dir), "");
		const storage = new FileStorage(dir);
		await storage.load();
		await storage.close();
	});
});

/** Every type, a transaction, lives. */
async function fill(db: Redstart, round: number): Promise<void> {
	const { async } = db;
	for (let i = 0; i < 100; i++) {
		await async.set(`text:${i % 20}`, `${round}:${i}`);
		await async.rpush("list", [`${i}`]);
		await async.call("HSET", "hash", `f${i % 30}`, `${i}`);
		await async.zadd("scores", { score: i / 7, member: `m${i}` });
		await async.call("XADD", "stream", "*", "n", `${i}`);
		await async.incr("n");
	}
	await async.set("lives", "x", { ex: 1000 });
}

/** One may be under way already. */
async function rewrite(db: Redstart): Promise<void> {
	const ask = () =>
		db.async.call("BGREWRITEAOF").then(
			() => true,
			() => false,
		);
	await expect.poll(ask).toBe(true);
}

/** Every key with its life and contents, as DUMP has them. */
async function contents(
	keys: readonly string[],
	dump: (key: string) => Promise<Uint8Array>,
): Promise<Record<string, string>> {
	const found: Record<string, string> = {};
	for (const key of [...keys].sort()) found[key] = Buffer.from(await dump(key)).toString("base64");
	return found;
}

const contentsOf = (db: Redstart) =>
	contents(
		db.call("KEYS", "*") as string[],
		async (key) => db.bytes.call("DUMP", key) as unknown as Uint8Array,
	);

const theirContents = async (redis: Redis) =>
	contents(await redis.keys("*"), (key) => redis.dumpBuffer(key) as Promise<Uint8Array>);

describe("a database in a folder", () => {
	const config = { appendonly: "yes", save: "" };

	it("is there again, also after a rewrite, and after nobody closed it", async () => {
		const dir = newFolder();
		const first = await open({ storage: new FileStorage(dir), config });
		await fill(first, 1);
		await rewrite(first);
		await fill(first, 2);
		const wanted = await contentsOf(first);
		const second = await open({ storage: new FileStorage(dir), config });
		expect(await contentsOf(second)).toEqual(wanted);
		await second.async.set("second", "was here");
		await second.close();
		const third = await open({ storage: new FileStorage(dir), config });
		expect(third.get("second")).toBe("was here");
		expect(third.get("n")).toBe("200");
	});

	it.skipIf(!oracle.path)("opens in redis-server, and what that leaves opens again", async () => {
		const dir = newFolder();
		const args = ["--appendonly", "yes", "--save", ""];
		const first = await open({ storage: new FileStorage(dir), config });
		await fill(first, 1);
		await rewrite(first);
		await fill(first, 2);
		const wanted = await contentsOf(first);
		await first.close();
		const valid = "All AOF files and manifest are valid";
		expect(check("redis-check-aof", join(dir, FOLDER, "appendonly.aof.manifest"))).toContain(valid);
		const theirs = await start("redis-server", dir, args);
		expect(await theirContents(theirs.redis)).toEqual(wanted);
		await theirs.redis.bgrewriteaof();
		await theirs.redis.set("by", "redis-server");
		await expect.poll(() => manifestIn(dir)).toMatch(/^.*\n.*\n$/);
		await theirs.redis.incr("n");
		const changed = await theirContents(theirs.redis);
		await theirs.stop();
		const second = await open({ storage: new FileStorage(dir), config });
		expect(second.get("n")).toBe("201");
		expect(await contentsOf(second)).toEqual(changed);
		await fill(second, 3);
		const last = await contentsOf(second);
		await second.close();
		const again = await start("redis-server", dir, args);
		expect(await theirContents(again.redis)).toEqual(last);
		await again.stop();
	});
});
