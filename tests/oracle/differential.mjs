// Random command streams against the oracle and the engine in wasm: every reply, then the whole keyspace.
// `node tests/oracle/differential.mjs [--seconds 20] [--seed N] [--length 200] [--only SET,GET]`.
// A difference is shrunk and printed as a case for a transcript.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMain, root } from "../../scripts/shell.mjs";
import { Decoder, encodeCommand, matches, print, quote } from "../spec/format.mjs";
import { WasmHost } from "../spec/wasm-host.mjs";
import { startOracle } from "./oracle.mjs";
import { generalise, orderFor } from "./rules.mjs";
import { readDocs, Streams } from "./streams.mjs";

const DATABASES = [0, 1, 2, 15];

/** The engine as a connection: the same calls as oracle.mjs' Connection, answered at once. */
class EngineConnection {
	constructor(host) {
		this.host = host;
	}
	reset() {
		this.host.reset();
		this.host.connect(1);
	}
	pipeline(commands) {
		this.host.setTime(Date.now());
		this.host.send(1, commands.map(encodeCommand).join(""));
		const decoder = new Decoder();
		decoder.push(this.host.settle().get(1)?.bytes ?? "");
		return decoder.all();
	}
}

export async function engineInWasm() {
	const { initSync } = await import("../../pkg/redstart.js");
	const module = new WebAssembly.Module(readFileSync(join(root, "pkg", "redstart_docs_bg.wasm")));
	return new EngineConnection(new WasmHost(initSync({ module })));
}

/** Compares replies one by one; inside EXEC's array each reply is judged by the command that was queued. */
function compareReplies(commands, expected, actual) {
	let queued = null;
	for (const [i, args] of commands.entries()) {
		const [want, got] = [expected[i], actual[i]];
		if (got === undefined) return { at: i, want, got: { kind: "-", text: "(no reply)" } };
		const name = args[0].toUpperCase();
		const fits =
			name === "EXEC" && queued && want.items
				? got.items?.length === want.items.length &&
					want.items.every((item, j) => accepts(queued[j], item, got.items[j]))
				: accepts(args, want, got);
		if (!fits) return { at: i, want, got };
		if (name === "MULTI" && want.kind === "+") queued ??= [];
		else if (want.text === "QUEUED") queued?.push(args);
		else if (name === "EXEC" || name === "DISCARD") queued = null;
	}
	return null;
}

/** Both sides have a clock of their own; what they say about a life may be this far apart. */
const CLOCK_SLACK = { TTL: 3, PTTL: 3000, EXPIRETIME: 3, PEXPIRETIME: 3000 };

function accepts(args, want, got) {
	const slack = CLOCK_SLACK[args[0].toUpperCase()];
	if (slack !== undefined && want.kind === ":" && got.kind === ":" && Number(want.text) > 0) {
		return Math.abs(Number(want.text) - Number(got.text)) <= slack;
	}
	// Where a scan continues from a cursor of nobody's is up to the hash table.
	if (args[0].toUpperCase() === "SCAN" && args[1] !== "0" && want.items && got.items) return true;
	return matches(generalise(args, want), got, orderFor(args));
}

/** The commands that show a keyspace. */
async function keyspaceCommands(ask) {
	const commands = [];
	for (const database of DATABASES) {
		const [, keys] = await ask([
			["SELECT", `${database}`],
			["KEYS", "*"],
		]);
		commands.push(["SELECT", `${database}`], ["DBSIZE"], ["KEYS", "*"]);
		for (const { text: key } of keys.items ?? []) {
			commands.push(["TYPE", key], ["OBJECT", "ENCODING", key], ["PTTL", key], ["DUMP", key]);
		}
	}
	return commands;
}

/** Runs one stream on both sides; null when all agrees, else what differs. */
async function runStream(oracle, engine, commands, protocol) {
	await oracle.pipeline([["DISCARD"], ["SELECT", "0"], ["UNWATCH"], ["FLUSHALL"], ["FUNCTION", "FLUSH"]]);
	await engine.reset();
	const hello = [["HELLO", `${protocol}`]];
	await oracle.pipeline(hello);
	await engine.pipeline(hello);
	const difference = compareReplies(
		commands,
		await oracle.pipeline(commands),
		await engine.pipeline(commands),
	);
	if (difference) return { ...difference, command: commands[difference.at] };
	// The stream may have left a transaction open.
	await oracle.pipeline([["DISCARD"]]);
	await engine.pipeline([["DISCARD"]]);
	const questions = await keyspaceCommands((asked) => oracle.pipeline(asked));
	const end = compareReplies(questions, await oracle.pipeline(questions), await engine.pipeline(questions));
	return end && { ...end, command: questions[end.at] };
}

/** Leaves out runs of commands as long as some difference remains. */
async function shrink(oracle, engine, commands, protocol, budget_ms) {
	let best = commands;
	const end = Date.now() + budget_ms;
	for (
		let size = Math.ceil(best.length / 2);
		size >= 1 && Date.now() < end;
		size = size === 1 ? 0 : Math.ceil(size / 2)
	) {
		for (let at = 0; at < best.length && Date.now() < end; ) {
			const candidate = [...best.slice(0, at), ...best.slice(at + size)];
			if (await runStream(oracle, engine, candidate, protocol)) best = candidate;
			else at += size;
		}
	}
	return best;
}

const asLine = (args) => `> ${args.map((arg) => (/^[\w:{}.*+-]+$/.test(arg) ? arg : quote(arg))).join(" ")}`;

function describe(commands, { command, want, got }) {
	const shown = (value) => print(value, "    ").slice(0, 20).join("\n");
	const last = commands.at(-1) === command ? "" : `\n${asLine(command)}`;
	return `${commands.map(asLine).join("\n")}${last}\n  oracle\n${shown(want)}\n  engine\n${shown(got)}\n`;
}

/** Those the engine knows: asked by running each without arguments. */
async function presentCommands(engine, commands) {
	await engine.reset();
	const replies = await engine.pipeline(commands.map(({ name }) => name.split(" ")));
	return commands.filter((_, i) => !/^ERR unknown (sub)?command/i.test(replies[i]?.text ?? ""));
}

async function dumpPayloads(oracle) {
	const values = ["", "x", "12", "-5000000000", "y".repeat(100), "\x00\xff"];
	const payloads = [];
	for (const value of values) {
		const replies = await oracle.pipeline([
			["SET", "dump", value],
			["DUMP", "dump"],
		]);
		payloads.push(replies[1].text);
	}
	const broken = payloads[1].slice(0, -1);
	return [...payloads, broken, `${broken}x`, "", "\x00\x01x\x0b\x00"];
}

/** Runs streams for a while; every stream is one passed or failed test. `report` gets a text per difference. */
export async function differential(
	server,
	{ seconds, seed, length = 200, only = [], report, limit = 5, engine = null },
) {
	const oracle = server.control;
	engine ??= await engineInWasm();
	const [docs] = await oracle.pipeline([["COMMAND", "DOCS"]]);
	const wanted = ({ name }) => only.length === 0 || only.includes(name.split(" ")[0]);
	const commands = await presentCommands(engine, readDocs(docs).filter(wanted));
	// Redis removes expired keys in the background when it has time; DBSIZE would tell.
	await oracle.pipeline([["DEBUG", "SET-ACTIVE-EXPIRE", "0"]]);
	const payloads = await dumpPayloads(oracle);
	const result = { passed: 0, failed: 0, commands: commands.length };
	const end = Date.now() + seconds * 1000;
	for (let run = 0; Date.now() < end && result.failed < limit; run++) {
		const streamSeed = (seed + run) >>> 0;
		const protocol = 2 + (streamSeed % 2);
		const stream = new Streams(commands, payloads, streamSeed).stream(length);
		const first = await runStream(oracle, engine, stream, protocol);
		if (first === null) {
			result.passed++;
			continue;
		}
		result.failed++;
		const small = await shrink(oracle, engine, stream, protocol, 5000);
		const again = await runStream(oracle, engine, small, protocol);
		const text = again
			? describe(small, again)
			: `(only once, after ${length} commands)\n${describe([], first)}`;
		report(`## seed ${streamSeed} (RESP${protocol})\n${text}`);
	}
	return result;
}

function option(name, fallback) {
	const at = process.argv.indexOf(`--${name}`);
	return at < 0 ? fallback : process.argv[at + 1];
}

if (isMain(import.meta.url)) {
	const seed = Number(option("seed", process.env.REDSTART_SEED ?? Date.now() % 2 ** 31));
	console.log(`seed ${seed}`);
	const server = await startOracle();
	try {
		const only = option("only", "").split(",").filter(Boolean);
		const options = {
			seconds: Number(option("seconds", 20)),
			seed,
			length: Number(option("length", 200)),
			only,
		};
		const result = await differential(server, { ...options, report: (text) => console.log(text) });
		console.log(
			`test result: ${result.failed ? "FAILED" : "ok"}. ${result.passed} passed; ${result.failed} failed; 0 ignored`,
		);
		process.exitCode = result.failed ? 1 : 0;
	} finally {
		await server.stop();
	}
}
