// `npm run record:debug`: plays the sessions of tests/data/debug/*.txt with a real redis-server's debugger of scripts and
// writes below each line what it sent, byte for byte. docs/testing.md explains the files.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { startOracle } from "../tests/oracle/oracle.mjs";
import { splitArguments } from "../tests/spec/format.mjs";
import { isMain, root } from "./shell.mjs";

const FOLDER = join(root, "tests", "data", "debug");
const SENT = /^(\d*)(>>?) (.*)$/;
/** So long nothing comes any more. */
const QUIET_MS = 150;

/** A connection of which every byte counts. */
class Raw {
	#bytes = "";
	#isClosed = false;
	constructor(port) {
		this.socket = connect(port, "127.0.0.1");
		this.socket.on("data", (bytes) => {
			this.#bytes += bytes.latin1Slice();
		});
		this.socket.on("close", () => {
			this.#isClosed = true;
		});
		this.socket.on("error", () => {});
	}
	write(text) {
		if (!this.#isClosed) this.socket.write(Buffer.from(text, "latin1"));
	}
	take() {
		const lines = this.#bytes === "" ? [] : this.#bytes.replace(/\r\n$/, "").split("\r\n");
		if (this.#isClosed) lines.push("<closed>");
		this.#bytes = "";
		return lines;
	}
}

const escaped = (line) =>
	line
		.replace(/@0x[0-9a-f]+/g, "@0x...")
		.replaceAll("\\", "\\\\")
		.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);

async function recordSessions(port, control, source) {
	const output = [];
	let clients = new Map();
	let script = "";
	for (const line of source.split("\n")) {
		if (line.startsWith("  ")) continue;
		output.push(line);
		if (line.startsWith("# ")) {
			for (const client of clients.values()) client.socket.destroy();
			clients = new Map();
			script = "";
			await control.call("FLUSHALL");
		}
		if (line.startsWith("|")) script += `${script === "" ? "" : "\n"}${line.slice(2)}`;
		const [, name, sign, text] = SENT.exec(line) ?? [];
		const [, gone] = /^@close (\d+)$/.exec(line) ?? [];
		if (gone) clients.get(gone).socket.destroy();
		if (gone) clients.delete(gone);
		if (!text && !gone) continue;
		if (text) {
			const number = name || "1";
			if (!clients.has(number)) clients.set(number, new Raw(port));
			const words = splitArguments(text).map((word) => (word === "SCRIPT!" ? script : word));
			const request = `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
			clients.get(number).write(sign === ">>" ? words.join("") : request);
		}
		await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
		for (const [other, client] of [...clients].sort()) {
			const mark = other === (name || "1") ? "  " : `  ${other}: `;
			const received = client.take();
			// What HELLO replies is not the same everywhere, and not what this is about.
			if (text?.startsWith("HELLO")) continue;
			for (const line of received) output.push(`${mark}${escaped(line)}`);
		}
	}
	for (const client of clients.values()) client.socket.destroy();
	return output.join("\n");
}

async function main() {
	const server = await startOracle();
	try {
		for (const file of readdirSync(FOLDER)) {
			const source = readFileSync(join(FOLDER, file), "utf8");
			const text = await recordSessions(server.port, server.control, source);
			if (text !== source) writeFileSync(join(FOLDER, file), text);
			console.log(`tests/data/debug/${file}: ${text === source ? "unchanged" : "recorded"}`);
		}
	} finally {
		await server.stop();
	}
}

if (isMain(import.meta.url)) await main();
