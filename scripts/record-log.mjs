// `npm run record:log [-- file...]`: runs the commands of tests/data/log/<file>.txt on a real redis-server and writes
// below each what it added to the append-only file. docs/testing.md explains the files.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Connection, startOracle, VERSION } from "../tests/oracle/oracle.mjs";
import { isOlder, quote, splitArguments } from "../tests/spec/format.mjs";
import { isMain, root } from "./shell.mjs";

const FOLDER = join(root, "tests", "data", "log");
const SENT = /^(\d*)> (.*)$/;
const YEAR_MS = 365 * 86_400_000;

/** Takes the commands off the end of an append-only file that were added since the last time. */
class LogReader {
	#at = 0;
	constructor(dir) {
		this.dir = join(dir, "appendonlydir");
	}
	take() {
		const name = readdirSync(this.dir).find((file) => file.endsWith(".incr.aof"));
		const text = readFileSync(join(this.dir, name)).latin1Slice();
		const commands = [];
		let at = this.#at;
		while (at < text.length) {
			const args = [];
			const line = () => {
				const end = text.indexOf("\r\n", at);
				const found = text.slice(at, end);
				at = end + 2;
				return found;
			};
			const count = line();
			if (count.startsWith("#")) continue;
			for (let i = Number(count.slice(1)); i > 0; i--) {
				const bytes = Number(line().slice(1));
				args.push(text.slice(at, at + bytes));
				at += bytes + 2;
			}
			commands.push(args);
		}
		this.#at = at;
		return commands.filter(([name]) => name.toUpperCase() !== "SELECT");
	}
}

/** A time near the present as NOW plus the roundest number of ms that fits what is known of the command's time. */
function relative(word, from_ms, to_ms) {
	const [, digits, rest] = /^(\d{13})(-\d+)?$/.exec(word) ?? [];
	if (!digits || Math.abs(Number(digits) - to_ms) > YEAR_MS) return null;
	for (let step = 1e9; step >= 1; step /= 10) {
		const offset = Math.ceil((Number(digits) - to_ms) / step) * step;
		if (offset <= Number(digits) - from_ms) return `NOW+${offset}${rest ?? ""}`;
	}
	return null;
}

const asWord = (word) => (/^[^\s"'\\<\x7f-\xff]+$/.test(word) ? word : quote(word));

async function recordLog(server, reader, source) {
	const output = [];
	let clients = new Map();
	const fence = async () => {
		await server.control.call("PING");
		await server.control.call("PING");
	};
	let [isRecord, isBeyond] = [false, false];
	for (const line of source.split("\n")) {
		const send = SENT.exec(line);
		if (line.startsWith("@since ")) isBeyond = isOlder(VERSION, line.slice(7));
		if (line.startsWith("# ")) {
			isBeyond = false;
			for (const client of clients.values()) client.close();
			clients = new Map();
			await server.control.call("FLUSHALL");
			reader.take();
		}
		if (isBeyond) {
			output.push(line);
			continue;
		}
		if (/^@wait \d+ms$/.test(line)) {
			await new Promise((resolve) => setTimeout(resolve, Number.parseInt(line.slice(6), 10)));
		}
		if (!send) {
			if (line === "" || /^[@#]/.test(line)) isRecord = false;
			if (!isRecord) output.push(line);
			continue;
		}
		const number = send[1] || "1";
		if (!clients.has(number)) clients.set(number, await Connection.open(server.port));
		const from_ms = Date.now();
		const args = splitArguments(send[2]);
		clients.get(number).write(`*${args.length}\r\n${args.map((a) => `$${a.length}\r\n${a}\r\n`).join("")}`);
		await fence();
		const to_ms = Date.now();
		output.push(line);
		for (const record of reader.take()) {
			output.push(record.map((word) => relative(word, from_ms, to_ms) ?? asWord(word)).join(" "));
		}
		isRecord = true;
	}
	for (const client of clients.values()) client.close();
	return output.join("\n");
}

async function main() {
	const wanted = process.argv.slice(2);
	for (const file of readdirSync(FOLDER)) {
		if (wanted.length > 0 && !wanted.includes(basename(file, ".txt"))) continue;
		const server = await startOracle(undefined, ["--appendonly", "yes", "--appendfsync", "always"]);
		try {
			await server.control.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
			const dir = (await server.control.call("CONFIG", "GET", "dir")).items[1].text;
			const source = readFileSync(join(FOLDER, file), "utf8");
			const text = await recordLog(server, new LogReader(dir), source);
			if (text !== source) writeFileSync(join(FOLDER, file), text);
			console.log(`tests/data/log/${file}: ${text === source ? "unchanged" : "recorded"}`);
		} finally {
			await server.stop();
		}
	}
}

if (isMain(import.meta.url)) await main();
