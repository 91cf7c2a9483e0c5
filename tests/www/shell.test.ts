/** The terminal's behaviour on the real engine, without a page. */

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Redstart as Database } from "../../js/index.ts";
import { EXAMPLES } from "../../www/examples.ts";
import { History } from "../../www/terminal/history.ts";
import { Shell } from "../../www/terminal/shell.ts";
import { SessionState } from "../../www/terminal/state.ts";
import { loadPackage } from "./package.ts";

const { Redstart } = await loadPackage();
const wasm = new WebAssembly.Module(
	readFileSync(new URL("../../pkg/redstart_docs_bg.wasm", import.meta.url)),
);
const ESCAPES = /\x1b\[[\d;?]*[A-Za-z]/g;

let database: Database;
let shell: Shell;
let written = "";
let spoken: string[] = [];
let timings: (readonly [string, number])[] = [];

beforeEach(async () => {
	database = await Redstart.open("memory://", { wasm });
	written = "";
	spoken = [];
	timings = [];
	shell = new Shell({
		output: {
			cols: 200,
			write: (text) => {
				written += text;
			},
		},
		engine: () => database.engine,
		history: new History(),
		findKeys: (prefix) => database.keys(`${prefix}*`).sort(),
		onSpoken: (text) => spoken.push(text),
		onDone: (words, elapsed_us) => timings.push([words.join(" "), elapsed_us]),
		onState: () => undefined,
	});
	await shell.start("hello\n");
	written = "";
});

afterEach(() => database.close());

const settle = (wait_ms = 15) => new Promise((resolve) => setTimeout(resolve, wait_ms));

/** Types and presses Enter; what was read out since. */
async function run(line: string): Promise<string> {
	spoken = [];
	shell.input(`${line}\r`);
	await settle();
	return spoken.join("");
}

/** The last row as it looks: prompt, text and hint. */
async function looks(input: string): Promise<string> {
	written = "";
	shell.input(input);
	await settle();
	return (written.split("\x1b[J").at(-1) ?? "").replaceAll(ESCAPES, "").replaceAll("\r", "");
}

test("runs commands and prints what they answer", async () => {
	expect(await run('SET k "two words" ')).toBe("OK\n");
	expect(await run("GET k")).toBe('"two words"\n');
	expect(await run("INCR n")).toBe("(integer) 1\n");
	expect(await run("GET nosuch")).toBe("(nil)\n");
	expect(await run("NOSUCH a")).toMatch(/^\(error\) ERR unknown command 'NOSUCH'/);
	expect(await run('SET k "open')).toBe("Invalid arguments");
	expect(timings.map(([words]) => words)).toContain("GET k");
	expect(timings.every(([, elapsed_us]) => elapsed_us >= 0)).toBe(true);
});

test("the prompt shows database, transaction and subscription", async () => {
	await run("SELECT 3");
	expect(await looks("")).toBe("");
	expect(await looks(" ")).toBe("redstart[3]>  ");
	shell.input("\x15");
	await run("MULTI");
	expect(shell.state.prompt).toBe("redstart[3](TX)> ");
	expect(await run("SELECT 4")).toBe("QUEUED\n");
	expect(await run("SET a 1")).toBe("QUEUED\n");
	expect(await run("EXEC")).toBe("1) OK\n2) OK\n");
	expect(shell.state.prompt).toBe("redstart[4]> ");
	await run("MULTI");
	await run("DISCARD");
	expect(shell.state.prompt).toBe("redstart[4]> ");
});

test("messages come in above the line, and Ctrl-C leaves", async () => {
	expect(await run("SUBSCRIBE news sport")).toBe(
		'1) "subscribe"\n2) "news"\n3) (integer) 1\n1) "subscribe"\n2) "sport"\n3) (integer) 2\n',
	);
	expect(shell.state.prompt).toBe("redstart(subscribed mode)> ");
	spoken = [];
	expect(database.publish("news", "hi")).toBe(1);
	await settle();
	expect(spoken.join("")).toBe('1) "message"\n2) "news"\n3) "hi"\n');
	shell.input("\x03");
	await settle();
	expect(shell.state.prompt).toBe("redstart> ");
	expect(database.publish("news", "hi")).toBe(0);
	expect(await run("PING")).toBe("PONG\n");
});

test("RESP3 shows maps and keeps over a new connection", async () => {
	await shell.setProtocol(3);
	expect(await run("CONFIG GET maxmemory")).toBe('1# "maxmemory" => "0"\n');
	await run("SUBSCRIBE a");
	shell.input("\x03");
	await settle();
	expect(shell.state.protocol).toBe(3);
	expect(await run("CONFIG GET maxmemory")).toBe('1# "maxmemory" => "0"\n');
	await run("HELLO 2");
	expect(shell.state.protocol).toBe(2);
});

test("a number in front repeats", async () => {
	expect(await run("3 INCR n")).toBe("(integer) 1\n(integer) 2\n(integer) 3\n");
});

test("Ctrl-C ends a command that waits", async () => {
	void run("WAIT 1 0");
	await settle(40);
	shell.input("\x03");
	await settle();
	expect(spoken.join("")).toMatch(/interrupted/);
	expect(await run("PING")).toBe("PONG\n");
});

test("what is typed during a wait runs after it", async () => {
	void run("WAIT 1 60");
	await settle(5);
	spoken = [];
	shell.input("ECHO later\r");
	await settle(150);
	expect(spoken.join("")).toBe('(integer) 0\n"later"\n');
});

test("a paste of lines runs them one by one and leaves the last", async () => {
	spoken = [];
	shell.input(
		"\x1b[200~127.0.0.1:6379> SET a 1\r\n# a comment\r\n\r\nredis> INCR a\nredis 127.0.0.1:6379> INCR a\n> GET a\nGET\tb\x1b[201~",
	);
	await settle(40);
	expect(spoken).toEqual(["OK\n", "(integer) 2\n", "(integer) 3\n", '"3"\n']);
	expect(await looks("!")).toMatch(/^redstart> GET b!/);
});

test("history and search", async () => {
	await run("SET fruit apple");
	await run("GET fruit");
	expect(await looks("\x1b[A")).toMatch(/^redstart> GET fruit/);
	expect(await looks("\x1b[A")).toMatch(/^redstart> SET fruit apple/);
	expect(await looks("\x1b[B\x1b[B")).toBe("redstart> ");
	expect(await looks("\x12app")).toBe("(reverse-i-search)`app': SET fruit apple");
	expect(await looks("zzz")).toBe("(failed reverse-i-search)`appzzz': SET fruit apple");
	expect(await looks("\x07")).toBe("redstart> ");
});

test("hints follow the arguments", async () => {
	expect(await looks("get ")).toBe("redstart> get key");
	expect(await looks("\x15SET k")).toMatch(/^redstart> SET k value \[/);
	const when = "[NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]";
	expect(await looks(" v E")).toBe(`redstart> SET k v EX seconds ${when} [GET]`);
	expect(await looks("X 5 ")).toBe(`redstart> SET k v EX 5 ${when} [GET]`);
	expect(await looks("get ")).toBe(`redstart> SET k v EX 5 get ${when}`);
	expect(await looks("\x15ZADD z NX ")).toMatch(
		/^redstart> ZADD z NX \[GT \| LT\] \[CH\] \[INCR\] score member/,
	);
	expect(await looks("\x15SET k v nonsense ")).toBe("redstart> SET k v nonsense ");
	expect(await looks("\x15MSET a 1 ")).toBe("redstart> MSET a 1 [key value ...]");
	expect(await looks("\x15bitcount k ")).toMatch(/^redstart> bitcount k \[start end/);
});

test("Tab completes commands, subcommands, tokens and keys", async () => {
	database.set("user:1", "ada");
	expect(await looks("getr\t")).toMatch(/^redstart> getrange/);
	expect(await looks("\x15CONFIG RES\t")).toMatch(/^redstart> CONFIG RESETSTAT/);
	expect(await looks("\x15get us\t")).toBe("redstart> get user:1");
	expect(await looks("\x15SET k v P\t")).toMatch(/^redstart> SET k v PX/);
	expect(await looks("\t")).toMatch(/^redstart> SET k v PXAT/);
	expect(await looks("\x1b[Z")).toMatch(/^redstart> SET k v PX /);
});

test("help comes from the engine", async () => {
	expect(await run("help get")).toMatch(/GET key\n {2}summary: .+\n {2}since: 1\.0\.0\n {2}group: string/);
	expect(await run("help @transactions")).toMatch(/MULTI/);
	expect(await run("help nosuch")).toBe("no help for nosuch\n");
});

test("play types lines, and Ctrl-C stops it", async () => {
	await shell.play(["SET x 1", "INCR x"], 0);
	expect(database.get("x")).toBe("2");
	const played = shell.play(["SET y 1", "SET y 2"], 5);
	await settle(20);
	shell.input("\x03");
	await played;
	expect(database.get("y")).toBeNull();
});

test("the examples of the strip run without an error", async () => {
	for (const { title, lines } of EXAMPLES) {
		spoken = [];
		await shell.play(lines, 0);
		await settle();
		const errors = spoken.join("").match(/\(error\)[^\n]*/g) ?? [];
		expect(errors, title).toEqual([]);
	}
});

test("play leaves a subscription and a transaction first, in the same database", async () => {
	await run("SELECT 4");
	await run("SUBSCRIBE a");
	await shell.play(["SET p 1", "MULTI", "SET p 2"], 0);
	expect(shell.state.prompt).toBe("redstart[4](TX)> ");
	await shell.play(["INCR p"], 0);
	expect(shell.state.prompt).toBe("redstart[4]> ");
	expect(await run("GET p")).toBe('"2"\n');
	expect(database.get("p")).toBeNull();
});

test("QUIT is followed by a new connection in the same database", async () => {
	await run("SELECT 2");
	expect(await run("QUIT")).toBe("OK\n");
	await settle();
	expect(shell.state.prompt).toBe("redstart[2]> ");
	expect(await run("PING")).toBe("PONG\n");
});

test("the state follows replies, not requests", () => {
	const state = new SessionState();
	const ok = { kind: "status", text: "OK" } as const;
	const error = { kind: "error", text: "ERR no" } as const;
	state.observe(["select", "9"], [error]);
	expect(state.prompt).toBe("redstart> ");
	state.observe(["MONITOR"], [ok]);
	expect(state.prompt).toBe("redstart(monitor)> ");
	state.observe(["RESET"], [{ kind: "status", text: "RESET" }]);
	expect(state.prompt).toBe("redstart> ");
	state.observe(["MULTI"], [ok]);
	state.observe(["SELECT", "2"], [{ kind: "status", text: "QUEUED" }]);
	state.observe(["EXEC"], [{ kind: "nil" }]);
	expect(state.prompt).toBe("redstart> ");
});
