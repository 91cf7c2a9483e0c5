// `npm run record:aof`: runs tests/data/aof/commands.txt on a real redis-server and keeps its append-only file and its
// DEBUG DIGEST beside it. `npm run record:aof -- FILE` only says what a redis-server makes of an append-only file.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Connection, startOracle } from "../tests/oracle/oracle.mjs";
import { splitArguments } from "../tests/spec/format.mjs";
import { isMain, root } from "./shell.mjs";

const FOLDER = join(root, "tests", "data", "aof");
const SENT = /^(\d*)> (.*)$/;

async function record() {
	const server = await startOracle(undefined, ["--appendonly", "yes", "--appendfsync", "always"]);
	try {
		const dir = (await server.control.call("CONFIG", "GET", "dir")).items[1].text;
		const clients = new Map();
		for (const line of readFileSync(join(FOLDER, "commands.txt"), "utf8").split("\n")) {
			const send = SENT.exec(line);
			if (!send) continue;
			const number = send[1] || "1";
			if (!clients.has(number)) clients.set(number, await Connection.open(server.port));
			const args = splitArguments(send[2]);
			clients.get(number).write(`*${args.length}\r\n${args.map((a) => `$${a.length}\r\n${a}\r\n`).join("")}`);
			await server.control.call("PING");
			await server.control.call("PING");
		}
		for (const client of clients.values()) client.close();
		const folder = join(dir, "appendonlydir");
		const name = readdirSync(folder).find((file) => file.endsWith(".incr.aof"));
		copyFileSync(join(folder, name), join(FOLDER, "redis.aof"));
		const digest = (await server.control.call("DEBUG", "DIGEST")).text;
		writeFileSync(join(FOLDER, "digest.txt"), `${digest}\n`);
		console.log(`tests/data/aof/redis.aof: ${digest}`);
	} finally {
		await server.stop();
	}
}

/** Lets a server that has other data load a file. */
async function tell(path) {
	const server = await startOracle(undefined, ["--appendonly", "yes"]);
	try {
		const dir = (await server.control.call("CONFIG", "GET", "dir")).items[1].text;
		const folder = join(dir, "appendonlydir");
		mkdirSync(folder, { recursive: true });
		copyFileSync(path, join(folder, "given.1.incr.aof"));
		writeFileSync(join(folder, "appendonly.aof.manifest"), "file given.1.incr.aof seq 1 type i\n");
		await server.control.call("DEBUG", "LOADAOF");
		console.log((await server.control.call("DEBUG", "DIGEST")).text);
	} finally {
		await server.stop();
	}
}

if (isMain(import.meta.url)) await (process.argv[2] ? tell(process.argv[2]) : record());
