// What `npx redstart` keeps: files, lines of the log and exit codes as redis-server 8.2.3 has them. Where there is a
// redis-server, each opens what the other has left.

import { execFileSync } from "node:child_process";
import {
	copyFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type Redis from "ioredis";
import { describe, expect, it } from "vitest";
import {
	check,
	filesIn,
	hasPrlimit,
	inFile,
	type Kind,
	manifestIn,
	newFolder,
	oracle,
	type Running,
	start,
	startInVain,
} from "./server-process.ts";

const AOF = ["--appendonly", "yes", "--save", ""];
const FOLDER = "appendonlydir";
const BASE = "appendonly.aof.1.base.rdb";
const INCR = "appendonly.aof.1.incr.aof";
const SELECT = inFile("SELECT", "0");
const SET_A = inFile("SET", "a", "1");

const redstart = (dir: string, ...args: string[]) => start("redstart", dir, args);
const info = async (redis: Redis, field: string) =>
	new RegExp(`^${field}:(.*)\r$`, "m").exec(await redis.info())?.[1];
const without = (lines: string[], ...patterns: RegExp[]) =>
	lines.filter((line) => !patterns.some((pattern) => pattern.test(line)));
const bgrewrite = async ({ redis }: Running) => {
	const before = Number(await info(redis, "aof_rewrites"));
	await redis.bgrewriteaof();
	await expect.poll(async () => Number(await info(redis, "aof_rewrites"))).toBe(before + 1);
	await expect.poll(() => info(redis, "aof_rewrite_in_progress")).toBe("0");
};

/** A folder with an append-only file whose base is empty and whose segments are given. */
function folderWith(...segments: string[]): string {
	const dir = newFolder();
	mkdirSync(join(dir, FOLDER));
	const lines = segments.map((text, index) => {
		const name = `appendonly.aof.${index + 1}.incr.aof`;
		writeFileSync(join(dir, FOLDER, name), text, "latin1");
		return `file ${name} seq ${index + 1} type i\n`;
	});
	writeFileSync(join(dir, FOLDER, "appendonly.aof.manifest"), lines.join(""));
	return dir;
}

describe("the append-only file of npx redstart", () => {
	it("has redis-server's names, manifest and lines of the log", async () => {
		const dir = newFolder();
		const first = await redstart(dir, ...AOF);
		expect(filesIn(dir, FOLDER)).toEqual([BASE, INCR, "appendonly.aof.manifest"]);
		expect(manifestIn(dir)).toBe(`file ${BASE} seq 1 type b\nfile ${INCR} seq 1 type i startoffset 0\n`);
		await first.redis.set("k", "v");
		expect(await first.stop()).toBe(0);
		expect(without(first.log(), /signal-handler/)).toEqual([
			`* Creating AOF base file ${BASE} on server start`,
			`* Creating AOF incr file ${INCR} on server start`,
			"* Ready to accept connections unix",
			"* User requested shutdown...",
			"* Calling fsync() on the AOF file.",
			"* Removing the unix socket file.",
			"# Redis is now ready to exit, bye bye...",
		]);
		expect(manifestIn(dir)).toMatch(/startoffset 0 endoffset \d+\n$/);
		const second = await redstart(dir, ...AOF);
		expect(await second.redis.get("k")).toBe("v");
		const timeless = second.log().map((line) => line.replace(/\d+\.\d{3} seconds/, "TIME"));
		expect(without(timeless, /RDB (age|memory)/)).toEqual([
			"* Reading RDB base file on AOF loading...",
			"* Loading RDB produced by version 8.2.3",
			"* RDB is base AOF",
			"* Done loading RDB, keys loaded: 0, keys expired: 0.",
			`* DB loaded from base file ${BASE}: TIME`,
			`* DB loaded from incr file ${INCR}: TIME`,
			"* DB loaded from append only file: TIME",
			`* Opening AOF incr file ${INCR} on server start`,
			"* Ready to accept connections unix",
		]);
	});

	it("is written before the reply: kill -9 takes nothing that was answered", async () => {
		for (const policy of ["always", "everysec", "no"]) {
			const dir = newFolder();
			const first = await redstart(dir, ...AOF, "--appendfsync", policy);
			await Promise.all(Array.from({ length: 100 }, () => first.redis.incr("n")));
			await first.redis.multi().incr("n").lpush("list", "a").exec();
			await first.kill();
			const second = await redstart(dir, ...AOF);
			expect(await second.redis.get("n")).toBe("101");
			expect(await second.redis.lrange("list", 0, -1)).toEqual(["a"]);
			await second.kill();
		}
	});

	it("is rewritten: a new base and segment, and nothing of the old ones", async () => {
		const dir = newFolder();
		const server = await redstart(dir, ...AOF);
		for (let i = 0; i < 200; i++) await server.redis.incr("n");
		await bgrewrite(server);
		await server.redis.incr("n");
		await expect
			.poll(() => filesIn(dir, FOLDER))
			.toEqual(["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]);
		expect(manifestIn(dir)).toMatch(
			/^file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i startoffset \d+\n$/,
		);
		expect(readFileSync(join(dir, FOLDER, "appendonly.aof.2.incr.aof"), "latin1").toUpperCase()).toBe(
			`${SELECT}${inFile("INCR", "n")}`.toUpperCase(),
		);
		const lines = without(server.log(), /on server start/, /Ready/).map((line) =>
			line.replaceAll(String(server.pid), "PID"),
		);
		expect(lines).toEqual([
			"* Creating AOF incr file appendonly.aof.2.incr.aof on background rewrite",
			"* Background append only file rewriting started by pid PID",
			"* Successfully created the temporary AOF base file temp-rewriteaof-bg-PID.aof",
			"* Background AOF rewrite terminated with success",
			"* Successfully renamed the temporary AOF base file temp-rewriteaof-bg-PID.aof into appendonly.aof.2.base.rdb",
			`* Removing the history file ${INCR} in the background`,
			`* Removing the history file ${BASE} in the background`,
			"* Background AOF rewrite finished successfully",
		]);
		await server.kill();
		expect(await (await redstart(dir, ...AOF)).redis.get("n")).toBe("201");
	});

	it("is turned on and off while the server runs", async () => {
		const dir = newFolder();
		const server = await redstart(dir, "--save", "");
		const { redis } = server;
		await redis.set("before", "1");
		expect(await redis.config("SET", "appendonly", "yes")).toBe("OK");
		await redis.set("while", "1");
		await expect.poll(() => existsSync(join(dir, FOLDER, "appendonly.aof.manifest"))).toBe(true);
		await redis.set("after", "1");
		expect(filesIn(dir, FOLDER)).toEqual([BASE, INCR, "appendonly.aof.manifest"]);
		expect(server.log()).toContain(
			"* Successfully renamed the temporary AOF incr file temp-appendonly.aof.incr into appendonly.aof.1.incr.aof",
		);
		const copy = newFolder();
		cpSync(join(dir, FOLDER), join(copy, FOLDER), { recursive: true });
		const other = await redstart(copy, ...AOF);
		expect(await other.redis.mget("before", "while", "after")).toEqual(["1", "1", "1"]);
		expect(await redis.config("SET", "appendonly", "no")).toBe("OK");
		await redis.set("not", "kept");
		expect(await redis.config("SET", "appendonly", "yes")).toBe("OK");
		await expect.poll(() => manifestIn(dir)).toContain("appendonly.aof.2.base.rdb");
		await redis.set("last", "1");
		await server.kill();
		const again = await redstart(dir, ...AOF);
		expect(await again.redis.mget("before", "not", "last")).toEqual(["1", "kept", "1"]);
	});

	it("does not read dump.rdb, and with appendonly no reads nothing else", async () => {
		const dir = newFolder();
		const first = await redstart(dir, "--save", "");
		await first.redis.set("in", "dump.rdb");
		await first.redis.save();
		await first.stop();
		const second = await redstart(dir, ...AOF);
		expect(await second.redis.get("in")).toBe(null);
		await second.redis.set("in", "the append-only file");
		await second.kill();
		const third = await redstart(dir, "--save", "");
		expect(await third.redis.get("in")).toBe("dump.rdb");
	});

	it("takes other names", async () => {
		const dir = newFolder();
		const names = ["--appenddirname", "d", "--appendfilename", "my file"];
		const server = await redstart(dir, ...AOF, ...names);
		await server.redis.set("k", "v");
		await server.stop();
		expect(filesIn(dir, "d")).toEqual(["my file.1.base.rdb", "my file.1.incr.aof", "my file.manifest"]);
		expect(readFileSync(join(dir, "d", "my file.manifest"), "latin1")).toMatch(
			/^file "my file.1.base.rdb" seq 1 type b\nfile "my file.1.incr.aof" seq 1 type i /,
		);
		const again = await redstart(dir, ...AOF, ...names);
		expect(await again.redis.get("k")).toBe("v");
	});

	it("is made of the single file of a redis-server before 7", async () => {
		const dir = newFolder();
		writeFileSync(join(dir, "appendonly.aof"), `${SELECT}${SET_A}`);
		const server = await redstart(dir, ...AOF);
		expect(await server.redis.get("a")).toBe("1");
		expect(existsSync(join(dir, "appendonly.aof"))).toBe(false);
		expect(server.log()).toContain(
			"* Successfully migrated an old-style AOF file (appendonly.aof) into the AOF directory (appendonlydir).",
		);
		expect(manifestIn(dir)).toBe(
			`file appendonly.aof seq 1 type b\nfile ${INCR} seq 1 type i startoffset 0\n`,
		);
		await bgrewrite(server);
		await expect
			.poll(() => filesIn(dir, FOLDER))
			.toEqual(["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]);
		await server.kill();
		expect(await (await redstart(dir, ...AOF)).redis.get("a")).toBe("1");
	});

	it("goes on where that stopped half way", async () => {
		const dir = newFolder();
		mkdirSync(join(dir, FOLDER));
		writeFileSync(join(dir, FOLDER, "appendonly.aof.manifest"), "file appendonly.aof seq 1 type b\n");
		writeFileSync(join(dir, "appendonly.aof"), `${SELECT}${SET_A}`);
		expect(await (await redstart(dir, ...AOF)).redis.get("a")).toBe("1");
	});

	it("removes what a crash in a rewrite has left, and leaves alone what it does not know", async () => {
		const dir = folderWith(`${SELECT}${SET_A}`);
		const at = (name: string) => join(dir, FOLDER, name);
		writeFileSync(at("appendonly.aof.0.incr.aof"), "old");
		writeFileSync(
			at("appendonly.aof.manifest"),
			`file appendonly.aof.0.incr.aof seq 9 type h\n${manifestIn(dir)}`,
		);
		writeFileSync(at("temp-appendonly.aof.manifest"), "half");
		writeFileSync(at("note.txt"), "mine");
		const server = await redstart(dir, ...AOF);
		expect(await server.redis.get("a")).toBe("1");
		await expect.poll(() => filesIn(dir, FOLDER)).toEqual([INCR, "appendonly.aof.manifest", "note.txt"]);
		expect(manifestIn(dir)).toBe(`file ${INCR} seq 1 type i\n`);
	});
});

describe("an append-only file that is not whole", () => {
	const TORN = "*3\r\n$3\r\nSE";
	const AT = `${SELECT}${SET_A}`.length;

	it.each([
		["inside of a command", TORN, []],
		["in zeros, as a power cut leaves it", "\0".repeat(5000), []],
		["inside of a command, with zeros behind it", `${TORN}${"\0".repeat(577)}`, []],
		[
			"inside of a transaction",
			`${inFile("MULTI")}${inFile("SET", "b", "1")}`,
			[`# Revert incomplete MULTI/EXEC transaction in AOF file ${INCR}`],
		],
	])("is cut off at its end: %s", async (_, tail, first) => {
		const dir = folderWith(`${SELECT}${SET_A}${tail}`);
		const server = await redstart(dir, ...AOF);
		expect(await server.redis.keys("*")).toEqual(["a"]);
		expect(server.log().filter((line) => line.startsWith("#"))).toEqual([
			...first,
			`# !!! Warning: short read while loading the AOF file ${INCR}!!!`,
			`# !!! Truncating the AOF ${INCR} at offset ${AT} !!!`,
			`# AOF ${INCR} loaded anyway because aof-load-truncated is enabled`,
		]);
		expect(statSync(join(dir, FOLDER, INCR)).size).toBe(AT);
		await server.redis.set("c", "1");
		await server.kill();
		expect((await (await redstart(dir, ...AOF)).redis.keys("*")).sort()).toEqual(["a", "c"]);
	});

	it.each([
		[
			"a torn end with aof-load-truncated no",
			[`${SELECT}${SET_A}${TORN}`],
			["--aof-load-truncated", "no"],
			`# Unexpected end of file reading the append only file ${INCR}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.`,
		],
		[
			"a torn end of a file that is not the last",
			[`${SELECT}${SET_A}${TORN}`, `${SELECT}${SET_A}`],
			[],
			"# Fatal error: the truncated file is not the last file",
		],
		[
			"something else than commands",
			[`${SELECT}${SET_A}garbage\r\n${SET_A}`],
			[],
			`# Bad file format reading the append only file ${INCR}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>`,
		],
		[
			"a command that is none",
			[`${SELECT}${inFile("NOPE")}`],
			[],
			`# Unknown command 'NOPE' reading the append only file ${INCR}`,
		],
	])("is refused, and stays as it is: %s", async (_, segments, args, last) => {
		const dir = folderWith(...segments);
		const { code, log } = await startInVain("redstart", dir, [...AOF, ...args]);
		expect(log.at(-1)).toBe(last);
		expect(code).toBe(1);
		segments.forEach((text, index) => {
			const path = join(dir, FOLDER, `appendonly.aof.${index + 1}.incr.aof`);
			expect(readFileSync(path, "latin1")).toBe(text);
		});
	});

	it("is refused with a manifest that is wrong, or names what is not there", async () => {
		const dir = folderWith(SELECT);
		const path = join(dir, FOLDER, "appendonly.aof.manifest");
		writeFileSync(path, `file ${INCR} seq 1 type x\n`);
		const wrong = await startInVain("redstart", dir, AOF);
		expect(wrong.code).toBe(1);
		expect(wrong.log).toEqual([
			"# ",
			"*** FATAL AOF MANIFEST FILE ERROR ***",
			"# Reading the manifest file, at line 1",
			`# >>> 'file ${INCR} seq 1 type x'`,
			"# Unknown AOF file type",
		]);
		writeFileSync(path, `file ${INCR} seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n`);
		const missing = await startInVain("redstart", dir, AOF);
		expect(missing.code).toBe(1);
		expect(missing.log).toEqual([
			"# Unable to obtain the AOF file appendonly.aof.2.incr.aof length. stat: No such file or directory",
		]);
		rmSync(join(dir, FOLDER), { recursive: true });
		writeFileSync(join(dir, FOLDER), "");
		const noFolder = await startInVain("redstart", dir, AOF);
		expect(noFolder.code).toBe(1);
		expect(noFolder.log.at(-1)).toBe("# Can't open or create append-only dir appendonlydir: Not a directory");
	});
});

describe("a disk that is full", () => {
	// A file may have 64 KiB: for the server that is a full disk.
	const shell = "trap '' XFSZ; ulimit -S -f 128";

	it.skipIf(!hasPrlimit)(
		"stops writes and holds back what is not stored; with room again all goes on",
		async () => {
			const dir = newFolder();
			const server = await start("redstart", dir, [...AOF], { shell });
			const { redis } = server;
			const other = redis.duplicate();
			await redis.set("first", "1");
			let isAnswered = false;
			const big = other.set("big", "x".repeat(100_000)).then((reply) => {
				isAnswered = true;
				return reply;
			});
			await expect.poll(() => info(redis, "aof_last_write_status")).toBe("err");
			await expect(redis.set("second", "2")).rejects.toThrow(
				"MISCONF Errors writing to the AOF file: File too large",
			);
			expect(await redis.get("first")).toBe("1");
			expect(isAnswered).toBe(false);
			// Nothing of what did not go in whole is there.
			const file = readFileSync(join(dir, FOLDER, INCR), "latin1");
			expect(file.toUpperCase()).toBe(`${SELECT}${inFile("SET", "first", "1")}`.toUpperCase());
			execFileSync("prlimit", ["--pid", String(server.pid), "--fsize=unlimited:unlimited"]);
			expect(await big).toBe("OK");
			expect(await redis.set("second", "2")).toBe("OK");
			expect(await info(redis, "aof_last_write_status")).toBe("ok");
			expect(server.log()).toContain("# AOF write error looks solved, Redis can write again.");
			other.disconnect();
			await server.kill();
			expect((await (await redstart(dir, ...AOF)).redis.keys("*")).sort()).toEqual([
				"big",
				"first",
				"second",
			]);
		},
	);

	it("ends a server with appendfsync always, and nothing unstored is answered", async () => {
		const dir = newFolder();
		const server = await start("redstart", dir, [...AOF, "--appendfsync", "always"], { shell });
		await server.redis.set("first", "1");
		await expect(server.redis.set("big", "x".repeat(100_000))).rejects.toThrow();
		expect(await server.exit).toBe(1);
		expect(server.log().at(-1)).toBe(
			"# Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
		);
		expect(await (await redstart(dir, ...AOF)).redis.keys("*")).toEqual(["first"]);
	});

	it("fails a save, which refuses writes from then on, and leaves nothing behind", async () => {
		const dir = newFolder();
		const server = await start("redstart", dir, ["--save", "3600 1"], { shell });
		const { redis } = server;
		await redis.set("small", "1");
		await redis.save();
		// Text that cannot be compressed.
		for (let i = 0; i < 100; i++) await redis.set(`k${i}`, Buffer.from(noise(1000, i)));
		await redis.bgsave();
		await expect.poll(() => info(redis, "rdb_last_bgsave_status")).toBe("err");
		expect(server.log()).toContain("# Background saving error");
		await expect(redis.set("k", "v")).rejects.toThrow(/^MISCONF Redis is configured to save RDB snapshots/);
		expect(filesIn(dir)).toEqual(["dump.rdb"]);
		// It does not end without the save it owes, unless it is told to.
		await expect(redis.shutdown()).rejects.toThrow("ERR Errors trying to SHUTDOWN. Check logs.");
		expect(server.log().slice(-3)).toEqual([
			expect.stringContaining("# Write error while saving DB to the disk"),
			"# Error trying to save the DB, can't exit.",
			"# Errors trying to shut down the server. Check the logs for more information.",
		]);
		redis.shutdown("NOSAVE").catch(() => {});
		expect(await server.exit).toBe(0);
		expect(await (await redstart(dir, "--save", "")).redis.keys("*")).toEqual(["small"]);
	});
});

function noise(length: number, seed: number): Uint8Array {
	let state = seed * 2654435761 + 1;
	return Uint8Array.from({ length }, () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state >>> 24;
	});
}

describe("snapshots", () => {
	it("are written aside while commands run, as they were at the start", async () => {
		const dir = newFolder();
		const server = await redstart(dir, "--save", "");
		const { redis } = server;
		for (let i = 0; i < 20; i++) {
			const pipeline = redis.pipeline();
			for (let j = 0; j < 1000; j++) pipeline.set(`key:${i * 1000 + j}`, "before");
			await pipeline.exec();
		}
		await redis.bgsave();
		for (let i = 0; i < 20_000; i += 7) redis.set(`key:${i}`, "after");
		redis.set("new", "after");
		await expect.poll(server.log).toContain("* Background saving terminated with success");
		await server.kill();
		const again = await redstart(dir, "--save", "");
		expect(await again.redis.dbsize()).toBe(20_000);
		expect(await again.redis.mget("key:0", "key:7", "key:19999", "new")).toEqual([
			"before",
			"before",
			"before",
			null,
		]);
	});

	it("go into another folder and file when the configuration says so", async () => {
		const [dir, other] = [newFolder(), newFolder()];
		const server = await redstart(dir, "--save", "", "--enable-protected-configs", "yes");
		const { redis } = server;
		await redis.set("k", "v");
		expect(await redis.config("SET", "dir", other)).toBe("OK");
		expect(await redis.config("SET", "dbfilename", "other.rdb")).toBe("OK");
		await redis.save();
		expect(filesIn(other)).toEqual(["other.rdb"]);
		expect(existsSync(join(dir, "dump.rdb"))).toBe(false);
	});

	it("are refused when they are damaged, with exit code 1", async () => {
		const dir = newFolder();
		writeFileSync(join(dir, "dump.rdb"), "REDIS0012\xfa\x09redis-ver\x058.2.3\xfe\x00", "latin1");
		const { code, log } = await startInVain("redstart", dir, []);
		expect(code).toBe(1);
		expect(log.at(-1)).toBe("# Fatal error loading the DB, check server logs. Exiting.");
	});
});

// ---- beside redis-server ----

if (!oracle.path) console.log(`skipped: what redis-server says of the files (${oracle.why})`);

/** Every type, databases, lives, functions, transactions, scripts: in a server of either kind. */
async function fill(redis: Redis, seed: number): Promise<void> {
	const library =
		"#!lua name=lib\nredis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)";
	await redis.call("FUNCTION", "LOAD", "REPLACE", library);
	await redis.call("FCALL", "put", "1", "by function", `${seed}`);
	await redis.eval("redis.call('LPUSH', KEYS[1], ARGV[1]) redis.call('INCR', 'n')", 1, "by script", "x");
	for (let i = 0; i < 60; i++) {
		const n = seed * 1000 + i;
		await redis.set(`text:${n % 50}`, `${"v".repeat(n % 200)}${n}`);
		await redis.rpush(`list:${n % 3}`, `${n}`, "b", `${"long".repeat(n % 40)}`);
		await redis.sadd(`numbers:${n % 3}`, n, n + 1);
		await redis.sadd(`words:${n % 3}`, `w${n}`);
		await redis.hset(`hash:${n % 3}`, `f${n % 40}`, `${n}`, "g", "h");
		await redis.zadd(`scores:${n % 3}`, n / 7, `m${n % 40}`);
		await redis.xadd("stream", "*", "n", `${n}`);
		await redis.pfadd("visitors", `${n}`);
		await redis.setbit("bits", n % 4000, 1);
	}
	await redis.call("HPEXPIRE", "hash:0", "1000000", "FIELDS", "1", "g");
	await redis.call("XGROUP", "CREATE", "stream", `group${seed}`, "0");
	await redis.call("XREADGROUP", "GROUP", `group${seed}`, "me", "COUNT", "5", "STREAMS", "stream", ">");
	await redis.expire("text:1", 10_000);
	await redis.set("gone soon", "x", "PX", 1);
	await new Promise((resolve) => setTimeout(resolve, 20));
	// redis-server counts it in its digest until it is removed.
	expect(await redis.get("gone soon")).toBe(null);
	await redis.multi().incr("n").select(3).set(`in db 3: ${seed}`, "x").select(0).incr("n").exec();
	await redis.del("text:2");
	await redis.rename("text:3", "renamed");
}

const digest = (redis: Redis) => redis.call("DEBUG", "DIGEST");

/** What functions there are, in a form to compare. */
const libraries = (redis: Redis) => redis.call("FUNCTION", "LIST", "WITHCODE");

async function opens(
	kind: Kind,
	from: string,
	wanted: { digest: unknown; libraries: unknown },
): Promise<string> {
	const dir = newFolder();
	cpSync(from, dir, { recursive: true });
	const server = await start(kind, dir, AOF);
	expect(await digest(server.redis)).toBe(wanted.digest);
	expect(await libraries(server.redis)).toEqual(wanted.libraries);
	await server.stop();
	return dir;
}

describe.skipIf(!oracle.path)("with redis-server", () => {
	const CASES: [string, string[]][] = [
		["the defaults", []],
		["times in it", ["--aof-timestamp-enabled", "yes"]],
		["no compression and no checksum", ["--rdbcompression", "no", "--rdbchecksum", "no"]],
	];

	for (const [from, to] of [
		["redstart", "redis-server"],
		["redis-server", "redstart"],
	] as const) {
		it.each(CASES)(`${to} opens what ${from} has written: %s`, async (_, args) => {
			const dir = newFolder();
			const server = await start(from, dir, [...AOF, ...args]);
			await fill(server.redis, 1);
			await bgrewrite(server);
			await fill(server.redis, 2);
			const wanted = {
				digest: await digest(server.redis),
				libraries: await libraries(server.redis),
			};
			await server.redis.save();
			await server.kill();
			const manifest = join(dir, FOLDER, "appendonly.aof.manifest");
			expect(check("redis-check-aof", manifest)).toContain("All AOF files and manifest are valid");
			expect(check("redis-check-rdb", join(dir, "dump.rdb"))).toContain("RDB looks OK!");
			const theirs = await opens(to, dir, wanted);
			// And back again, with what the other has made of it.
			await opens(from, theirs, wanted);
			// The same from dump.rdb alone.
			const other = newFolder();
			copyFileSync(join(dir, "dump.rdb"), join(other, "dump.rdb"));
			const reader = await start(to, other, ["--save", ""]);
			expect(await digest(reader.redis)).toBe(wanted.digest);
			await reader.stop();
		});
	}

	it("opens redis-server's base of commands, and a file from before 7 with a snapshot in front", async () => {
		const dir = newFolder();
		const theirs = await start("redis-server", dir, [...AOF, "--aof-use-rdb-preamble", "no"]);
		await fill(theirs.redis, 1);
		await bgrewrite(theirs);
		await fill(theirs.redis, 2);
		const wanted = { digest: await digest(theirs.redis), libraries: await libraries(theirs.redis) };
		await theirs.kill();
		await opens("redstart", dir, wanted);
		const whole = newFolder();
		const again = await start("redis-server", dir, AOF);
		await bgrewrite(again);
		await again.redis.set("behind", "the snapshot");
		const more = { digest: await digest(again.redis), libraries: await libraries(again.redis) };
		await again.kill();
		const names = filesIn(dir, FOLDER);
		const [base, incr] = [/base/, /incr/].map((pattern) => names.find((name) => pattern.test(name)) ?? "");
		const parts = [base, incr].map((name) => readFileSync(join(dir, FOLDER, name as string)));
		writeFileSync(join(whole, "appendonly.aof"), Buffer.concat(parts));
		await opens("redstart", whole, more);
		await opens("redis-server", whole, more);
	});

	it("makes the same of a torn end, and what is written behind it is there", async () => {
		const dir = newFolder();
		const server = await start("redis-server", dir, AOF);
		for (let i = 0; i < 30; i++) await server.redis.multi().incr("n").set(`k${i}`, "value").exec();
		await server.kill();
		const whole = readFileSync(join(dir, FOLDER, INCR));
		for (const cut of [1, 30, 64, 120]) {
			const digests = [];
			for (const kind of ["redis-server", "redstart"] as const) {
				const copy = newFolder();
				cpSync(dir, copy, { recursive: true });
				writeFileSync(join(copy, FOLDER, INCR), whole.subarray(0, whole.length - cut));
				const opened = await start(kind, copy, AOF);
				digests.push(await digest(opened.redis));
				await opened.redis.set("behind", "it");
				await opened.kill();
				// redis-server cuts off only what is torn of a transaction, and forgets what follows its beginning.
				if (kind === "redis-server") continue;
				const again = await start("redis-server", copy, AOF);
				expect(await again.redis.get("behind")).toBe("it");
				await again.kill();
			}
			expect(digests[1]).toBe(digests[0]);
		}
	});

	it("keeps what a life that was taken back says: a base with lives that have ended by now", async () => {
		const dir = newFolder();
		const server = await redstart(dir, ...AOF);
		await server.redis.set("kept", "v", "PX", 700);
		await server.redis.set("gone", "v", "PX", 700);
		await bgrewrite(server);
		await server.redis.persist("kept");
		await server.kill();
		await new Promise((resolve) => setTimeout(resolve, 800));
		for (const kind of ["redstart", "redis-server"] as const) {
			const copy = newFolder();
			cpSync(dir, copy, { recursive: true });
			const opened = await start(kind, copy, AOF);
			expect(await opened.redis.mget("kept", "gone")).toEqual(["v", null]);
			await opened.kill();
		}
	});
});
