// `node tests/data/rdb/make.mjs NAME /path/to/redis-server [arguments of the server ...]` fills a server of any age with every
// type and encoding it has, saves, and writes three files here:
//   NAME.rdb   what it saved,
//   NAME.txt   what it says it holds: commands with their replies,
//   NAME.dump  a payload of DUMP for each key.
// tests/rdb.rs loads them. README.md tells which servers they are from.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Connection } from "../../oracle/oracle.mjs";
import { isOlder, quote } from "../../spec/format.mjs";

const here = dirname(fileURLToPath(import.meta.url));
/** Keys that live until 2100, and until 2030: tests load the file in 2033. */
const LATE_MS = "4102444800123";
const SOON_MS = "1900000000000";
/** Longer texts are recorded by their digest. */
const SHOWN = 60;
const INTEGERS = [
	0, 1, 12, 13, -1, 127, -128, 128, 32767, -32768, 8388607, -8388608, 8388608, 2147483647, -2147483648,
];
const WIDE = [
	"2147483648",
	"-9223372036854775808",
	"9223372036854775807",
	"9223372036854775808",
	"-0",
	"007",
	"1.5",
];
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
const TEXTS = [
	"",
	"a",
	"hello world",
	"e".repeat(44),
	"r".repeat(45),
	"z".repeat(300),
	ALL_BYTES,
	"ab".repeat(1000),
];

const [name, program, ...args] = process.argv.slice(2);
const dir = mkdtempSync(join(tmpdir(), "redstart-rdb-"));
const port = await new Promise((resolve) => {
	const probe = createServer();
	probe.listen(0, "127.0.0.1", () => {
		const { port } = probe.address();
		probe.close(() => resolve(port));
	});
});
const server = spawn(program, ["--port", `${port}`, "--dir", dir, "--save", "", ...args], {
	stdio: "inherit",
});
const lines = [];
const dumps = [];
try {
	const client = await connected();
	const info = (await client.call("INFO", "server")).text;
	const isValkey = info.includes("valkey_version");
	const version = (isValkey ? /valkey_version:(\S+)/ : /redis_version:(\S+)/).exec(info)[1];
	if (name.endsWith("-modules")) await fillModules(client);
	else {
		await fill(client, version, isValkey);
		await record(client, version);
	}
	await ask(client, "SELECT", "0");
	await ask(client, "SAVE");
	copyFileSync(join(dir, "dump.rdb"), join(here, `${name}.rdb`));
	writeFileSync(join(here, `${name}.txt`), `${lines.join("\n")}\n`);
	if (dumps.length > 0) writeFileSync(join(here, `${name}.dump`), `${dumps.join("\n")}\n`);
	client.close();
} finally {
	server.kill("SIGKILL");
	rmSync(dir, { recursive: true, force: true });
}

async function connected() {
	for (let tries = 0; tries < 500; tries++) {
		try {
			return await Connection.open(port);
		} catch {
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	}
	throw new Error("the server does not start");
}

async function ask(client, ...words) {
	const reply = await client.call(...words.map(String));
	if (reply.kind === "-") throw new Error(`${words.slice(0, 3).join(" ")}: ${reply.text}`);
	return reply;
}

async function fill(client, version, isValkey) {
	const has = (since) => !isOlder(version, since);
	const run = (...words) => ask(client, ...words);
	const set = (name, value) => run("CONFIG", "SET", name, value);
	const pack = has("7.0.0") ? "listpack" : "ziplist";
	const most = async (type, entries, bytes) => {
		await set(`${type}-max-${pack}-entries`, entries);
		await set(`${type}-max-${pack}-value`, bytes);
	};
	if (has("3.2.0")) await set(`list-max-${pack}-size`, 20);
	if (has("5.0.0")) await set("stream-node-max-entries", 4);

	for (const [i, text] of [...INTEGERS, ...WIDE, ...TEXTS].entries()) await run("SET", `string:${i}`, text);
	await run("SET", ALL_BYTES, "a key of all bytes");
	await run("SET", "late", "x", "PX", 100000);
	await run("PEXPIREAT", "late", LATE_MS);
	await run("SET", "soon", "x", "PX", 100000);
	await run("PEXPIREAT", "soon", SOON_MS);
	await run("SETBIT", "bits", 5000, 1);
	await run("APPEND", "appended", "12");
	await run("APPEND", "appended", "34");
	if (has("2.8.9")) await run("PFADD", "hll", "a", "b", "c");

	// Each size on both sides of where encodings change.
	await run("RPUSH", "list:packed", ...INTEGERS, ...WIDE, ...TEXTS.slice(0, 4));
	await run(
		"RPUSH",
		"list:long-element",
		"before",
		"x".repeat(20000),
		"after",
		"y".repeat(300),
		"z".repeat(16384),
		5,
	);
	for (let i = 0; i < 30; i++)
		await run("RPUSH", "list:many", ...Array.from({ length: 20 }, (_, j) => `${i * j}`));
	await run("LPUSH", "list:one", "1");
	await run("PEXPIREAT", "list:one", LATE_MS);
	await run("SADD", "set:int16", 1, 2, -3, 32767);
	await run("SADD", "set:int32", 1, 2, -3, 2147483647);
	await run("SADD", "set:int64", 1, 2, -3, "9223372036854775807");
	await run("SADD", "set:many-ints", ...Array.from({ length: 600 }, (_, i) => i * i));
	await run("SADD", "set:words", "a", "b", 3, "", ALL_BYTES);
	await run("SADD", "set:many-words", ...Array.from({ length: 200 }, (_, i) => `word ${i}`));
	const pairs = (values) => values.flatMap((value, i) => [`field ${i}`, value]);
	await run("HMSET", "hash:packed", ...pairs([...INTEGERS, ...WIDE]));
	await run("HMSET", "hash:table", ...pairs([...INTEGERS, ...WIDE, ...TEXTS]));
	await most("hash", 4, 64);
	await run("HMSET", "hash:few-in-table", ...pairs(["a", "b", "c", "d", "e"]));
	await most("hash", 128, 64);
	await run("HMSET", "hash:one", ALL_BYTES.slice(0, 60), "");
	const scores = (values) => values.flatMap((value, i) => [value, `member ${i}`]);
	await run(
		"ZADD",
		"zset:packed",
		...scores([0, -1, 1.5, "inf", "-inf", 100000, 1e20, 0.0078125, 1e15]),
		7,
		12345,
	);
	await run("ZADD", "zset:table", ...scores([...Array(200).keys()].map((i) => i / 4)), "inf", "z".repeat(70));
	await run("ZADD", "zset:same", 0, "c", 0, "a", 0, "b");
	if (has("3.2.0"))
		await run("GEOADD", "geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania");
	if (has("5.0.0")) await fillStreams(run, has);
	if (has("7.0.0")) {
		const code = (name) =>
			`#!lua name=${name}\nredis.register_function('${name}_f', function(k, a) return a end)`;
		await run("FUNCTION", "LOAD", code("one"));
		await run("FUNCTION", "LOAD", `${code("two")}\n-- ${"long ".repeat(100)}`);
	}
	const hasFieldTimes = isValkey ? has("9.0.0") : has("7.4.0");
	if (hasFieldTimes) {
		for (const key of ["hash:times", "hash:times-table"]) {
			await run("HSET", key, ...pairs(key === "hash:times" ? ["a", 2, "c"] : [...TEXTS, ..."abcdefgh"]));
			await run("HPEXPIREAT", key, LATE_MS, "FIELDS", 1, "field 0");
			await run("HPEXPIREAT", key, "4102444900456", "FIELDS", 1, "field 2");
		}
	}
	for (const db of [1, 9, 15]) {
		await run("SELECT", db);
		await run("SET", "k", `in ${db}`);
		await run("RPUSH", "l", db);
	}
	await run("SELECT", "0");
	if (has("5.0.0")) {
		// How long keys were not used, or how often they were, is saved under such policies.
		await set("maxmemory-policy", has("7.0.0") ? "allkeys-lru" : "allkeys-lfu");
		const payload = await run("DUMP", "late");
		await run("RESTORE", "used", 0, payload.text, ...(has("7.0.0") ? ["IDLETIME", 1000] : ["FREQ", 200]));
	}
}

async function fillStreams(run, has) {
	for (let i = 1; i <= 10; i++)
		await run("XADD", "stream", `${i * 1000}-${i % 3}`, "name", `n${i}`, "number", i);
	await run("XADD", "stream", "20000-0", "other", "f".repeat(100), "fields", "", "3", "4");
	await run("XDEL", "stream", "2000-2", "9000-0");
	await run("XGROUP", "CREATE", "stream", "readers", "0");
	await run("XGROUP", "CREATE", "stream", "idle", "$");
	await run("XGROUP", "CREATE", "stream", "middle", "5000-2");
	await run("XREADGROUP", "GROUP", "readers", "alice", "COUNT", 3, "STREAMS", "stream", ">");
	await run("XREADGROUP", "GROUP", "readers", "bob", "COUNT", 2, "STREAMS", "stream", ">");
	await run("XACK", "stream", "readers", "3000-0");
	await run("XCLAIM", "stream", "readers", "carol", 0, "1000-1");
	await run("XDEL", "stream", "4000-1");
	await run("XGROUP", "CREATE", "stream:empty", "g", "$", "MKSTREAM");
	await run("XADD", "stream:emptied", "5-5", "a", "b");
	await run("XDEL", "stream:emptied", "5-5");
	if (has("7.0.0")) await run("XSETID", "stream:emptied", "9-9", "ENTRIESADDED", 7, "MAXDELETEDID", "8-8");
}

/** Values and notes of modules among others; what is left of them is recorded. */
async function fillModules(client) {
	await ask(client, "SET", "string", "x");
	await ask(client, "JSON.SET", "json", "$", '{"a":[1,2.5,true,null,"text"]}');
	await ask(client, "BF.ADD", "bloom", "item");
	await ask(client, "CMS.INITBYDIM", "sketch", 10, 2);
	await ask(client, "TS.ADD", "series", 1000, 2.5);
	await ask(client, "FT.CREATE", "index", "SCHEMA", "t", "TEXT");
	await ask(client, "HSET", "hash", "t", "words");
	for (const key of ["json", "bloom", "sketch", "series"]) lines.push(`EXISTS ${key} => :0`);
	await note(client, "GET", "string");
	await note(client, "HGETALL", "hash");
}

// ---- what it holds ----

async function record(client, version) {
	const has = (since) => !isOlder(version, since);
	for (const db of [0, 1, 9, 15]) {
		await note(client, "SELECT", `${db}`);
		await note(client, "DBSIZE");
		const keys = (await ask(client, "KEYS", "*")).items.map((item) => item.text).sort();
		// Whoever reads a key uses it.
		for (const key of keys) if (key !== "used") await recordKey(client, key, has);
	}
	await ask(client, "SELECT", "0");
	if (has("7.0.0")) {
		for (const library of ["one", "two"])
			await note(client, "FUNCTION", "LIST", "LIBRARYNAME", library, "WITHCODE");
	}
}

async function recordKey(client, key, has) {
	const type = (await note(client, "TYPE", key)).text;
	const left_ms = Number((await ask(client, "PTTL", key)).text);
	if (left_ms > 0) lines.push(`PEXPIRETIME ${quote(key)} => :${key === "soon" ? SOON_MS : LATE_MS}`);
	dumps.push(
		`${quote(key)} ${Buffer.from((await ask(client, "DUMP", key)).text, "latin1").toString("base64")}`,
	);
	if (type === "string") await note(client, "GET", key);
	if (type === "list") await note(client, "LRANGE", key, "0", "-1");
	if (type === "set") await note(client, "SMEMBERS", key);
	if (type === "hash") await note(client, "HGETALL", key);
	if (type === "zset") await note(client, "ZRANGE", key, "0", "-1", "WITHSCORES");
	if (key.startsWith("hash:times"))
		await note(client, "HPEXPIRETIME", key, "FIELDS", "3", "field 0", "field 1", "field 2");
	if (type !== "stream") return;
	await note(client, "XRANGE", key, "-", "+");
	await note(client, "XINFO", "GROUPS", key);
	const known = ["last-generated-id"];
	if (has("7.0.0")) known.push("max-deleted-entry-id", "entries-added", "recorded-first-entry-id");
	const state = (await ask(client, "XINFO", "STREAM", key)).items;
	for (const field of known) {
		const at = state.findIndex((item) => item.text === field);
		lines.push(`XINFO STREAM ${quote(key)} ${field} => ${token(state[at + 1])}`);
	}
	const groups = (await ask(client, "XINFO", "GROUPS", key)).items.map((group) => group.items[1].text);
	for (const group of groups) await note(client, "XPENDING", key, group);
}

async function note(client, ...words) {
	const reply = await ask(client, ...words);
	const isWord = (text) => /^[\w*+:$-]+$/.test(text);
	const shown = words.map((word) => (isWord(word) ? word : quote(word))).join(" ");
	lines.push(`${shown} => ${tokens(words[0], reply).join(" ")}`);
	return reply;
}

/** A reply as words: sets and hashes in the order of their texts. */
function tokens(command, reply) {
	if (command === "SMEMBERS") return reply.items.map(token).sort();
	if (command === "HGETALL") {
		const pairs = reply.items.map(token);
		return pairs.flatMap((field, i) => (i % 2 === 0 ? [`${field} ${pairs[i + 1]}`] : [])).sort();
	}
	return flat(reply);
}

function flat(reply) {
	return reply.items ? ["(", ...reply.items.flatMap(flat), ")"] : [token(reply)];
}

function token({ kind, text }) {
	if (kind === "$-1" || kind === "*-1") return "nil";
	if (kind === ":") return `:${text}`;
	if (kind === "+") return text;
	if (text.length <= SHOWN) return quote(text);
	return `~${text.length}:${createHash("sha1").update(Buffer.from(text, "latin1")).digest("hex")}`;
}
