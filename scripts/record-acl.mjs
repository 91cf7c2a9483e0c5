// `npm run record:acl`: asks a real redis-server with ACL DRYRUN what users of many kinds may do, of calls that the
// transcripts make, and what ACL SETUSER makes of random modifiers; writes tests/data/acl.txt. docs/testing.md explains it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection, startOracle } from "../tests/oracle/oracle.mjs";
import { parse, quote } from "../tests/spec/format.mjs";
import { filesUnder, root } from "./shell.mjs";

/** Who is asked about the keys and channels of a call. */
const USERS = [
	["keys", "+@all", "~[a-k]*"],
	["reads", "+@all", "%R~*"],
	["writes", "+@all", "%W~*"],
	["parts", "+@all", "%R~[a-k]*", "%W~[l-z]*", "&[a-c]*"],
	["channels", "+@all", "~*", "&[a-c]*"],
	["several", "-@all", "~d*", "(+@read %R~[a-k]*)", "(+@write ~k*)"],
	["words", "-@all", "~*", "&*", "+set|k", "+config|get", "+client", "-client|list", "+object|encoding"],
];
const CALLS_A_COMMAND = 6;
const LONGEST_CALL = 200;
const MODIFIERS = [
	..."on off nopass resetpass reset sanitize-payload skip-sanitize-payload clearselectors".split(" "),
	..."~* ~a* ~b %R~a* %W~a* %RW~c %R~* %~x %X~x %R resetkeys allkeys ~".split(" "),
	..."&* &a &b* resetchannels allchannels &".split(" "),
	..."+@all -@all allcommands nocommands +@read -@read +@write -@dangerous +@admin -@fast +@nope".split(" "),
	..."+get -get +GET +set -set +config +config|get -config|get -config +config|nope +config|get|x".split(" "),
	..."+select|0 +select|1 -select|0 +select -select +nope -nope + - +@ +get| +acl -acl|list +client|no-evict".split(
		" ",
	),
	..."+debug|digest +debug +memory|usage +xinfo|stream -xinfo".split(" "),
	..."(+get (+set (%R~x ~y) +get) () (on) (+@read (~a) ( ) (+get) (-@all)".split(" "),
	">a",
	">b",
	"<a",
	"<zz",
	"#2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
	"!2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
	"#12",
	"",
	"foo",
	"~a b",
	"&a\tb",
];
const RULE_RUNS = 400;
const SEED = 20261121;

/** A small generator of even numbers below `limit`, the same in every run. */
function dice(seed) {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}

const asWord = (word) => (/^[^\s"'\\<\x7f-\xff]+$/.test(word) ? word : quote(word));
const asLine = (args) => args.map(asWord).join(" ");

/** Some calls of every command: those whose arguments look most different. */
function callsOfTranscripts() {
	const byCommand = new Map();
	for (const path of filesUnder("tests/spec").filter((file) => file.endsWith(".resp"))) {
		for (const { steps, since } of parse(readFileSync(join(root, path), "utf8")).cases) {
			for (const { args } of since ? [] : steps) {
				if (!args?.[0] || asLine(args).length > LONGEST_CALL) continue;
				const shape = args.slice(1).map((arg) => (/^[A-Z]{2,}$/.test(arg) ? arg : "?"));
				const name = args[0].toLowerCase();
				const calls = byCommand.get(name) ?? new Map();
				byCommand.set(name, calls);
				if (!calls.has(shape.join(" "))) calls.set(shape.join(" "), args);
			}
		}
	}
	return [...byCommand.entries()]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.flatMap(([, calls]) => {
			const all = [...calls.values()];
			const step = Math.max(1, all.length / CALLS_A_COMMAND);
			return all.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step));
		});
}

/** What a refusal is about. */
function short(text) {
	const [, key, channel] = /access the '(.*)' (?:key|(channel))$/s.exec(text) ?? [];
	if (key === undefined) return text.endsWith(" command") ? "command" : text;
	return `${channel ?? "key"} ${asWord(key)}`;
}

async function recordCalls(server, out) {
	for (const [name, ...rules] of USERS) {
		await server.call("ACL", "SETUSER", name, ...rules);
		out.push(`user ${asLine([name, ...rules])}`);
	}
	for (const call of callsOfTranscripts()) {
		const replies = await server.pipeline(USERS.map(([name]) => ["ACL", "DRYRUN", name, ...call]));
		if (replies.some((reply) => reply.kind === "-")) continue;
		const refused = replies
			.map(({ text }, at) => `${at} ${short(text)}`)
			.filter((line) => !line.endsWith(" OK"));
		out.push(`call ${asLine(call)}`, ...refused);
	}
}

/** Which commands a category has, by what a user of it may do. */
async function recordCategories(server, out) {
	for (const { text: category } of (await server.call("ACL", "CAT")).items) {
		const { items } = await server.call("ACL", "CAT", category);
		const names = items.map((item) => item.text).sort();
		out.push(`category ${category} ${names.join(" ")}`);
	}
}

async function recordRules(server, out) {
	const random = dice(SEED);
	for (let run = 0; run < RULE_RUNS; run++) {
		if (run % 12 === 0) {
			await server.call("ACL", "DELUSER", "u");
			out.push("new");
		}
		const modifiers = Array.from({ length: 1 + random(5) }, () => MODIFIERS[random(MODIFIERS.length)]);
		const reply = await server.call("ACL", "SETUSER", "u", ...modifiers);
		const list = await server.call("ACL", "LIST");
		const user = list.items.map((item) => item.text).find((line) => line.startsWith("user u "));
		out.push(`set ${asLine(modifiers)}`, `= ${reply.text}`, `= ${user ?? ""}`);
	}
}

const server = await startOracle();
try {
	const control = await Connection.open(server.port);
	const out = [];
	await recordCalls(control, out);
	await recordCategories(control, out);
	await recordRules(control, out);
	control.close();
	writeFileSync(join(root, "tests", "data", "acl.txt"), `${out.join("\n")}\n`, "latin1");
	console.log(`tests/data/acl.txt: ${out.length} lines`);
} finally {
	await server.stop();
}
