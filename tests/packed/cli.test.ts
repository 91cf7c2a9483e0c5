// `npx redstart` from the packed tarball, as something that spawns a redis-server would use it.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Redis from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newProject, type Project } from "./project.ts";

let project: Project;
let dir = "";
const cleanups: (() => unknown)[] = [];

beforeAll(() => {
	project = newProject();
});
afterAll(() => project.remove());
afterEach(async () => {
	for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Running {
	child: ChildProcess;
	port: number;
	redis: Redis;
	log: () => string;
	/** The exit code, or the signal. */
	exit: Promise<number | string>;
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === "object" && address ? address.port : 0;
}

const program = () => join(project.installed, "pkg", "cli.js");

function folder(): string {
	dir = mkdtempSync(join(tmpdir(), "redstart-cli-"));
	const made = dir;
	cleanups.push(() => rmSync(made, { recursive: true, force: true }));
	return dir;
}

async function start(args: string[], password?: string): Promise<Running> {
	const port = await freePort();
	const child = spawn(process.execPath, [program(), ...args, "--port", String(port)]);
	let log = "";
	child.stdout.on("data", (text) => {
		log += text;
	});
	const exit = new Promise<number | string>((resolve) => {
		child.on("exit", (code, signal) => resolve(code ?? signal ?? -1));
	});
	cleanups.push(() => child.kill("SIGKILL"));
	await expect.poll(() => log, { timeout: 15_000 }).toContain("Ready to accept connections tcp");
	const redis = new Redis({
		port,
		host: "127.0.0.1",
		password,
		maxRetriesPerRequest: 0,
		retryStrategy: () => null,
	});
	redis.on("error", () => {});
	cleanups.push(() => redis.disconnect());
	return { child, port, redis, log: () => log, exit };
}

/** Runs to the end: exit code and what was printed. */
function runWhole(args: string[]): { code: number; text: string } {
	try {
		return {
			code: 0,
			text: execFileSync(process.execPath, [program(), ...args], { encoding: "utf8", stdio: "pipe" }),
		};
	} catch (error) {
		const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
		return { code: status, text: stdout + stderr };
	}
}

describe("npx redstart", () => {
	it("starts by its name in a stranger's project", () => {
		const text = execFileSync("npx", ["--no-install", "redstart", "--version"], {
			cwd: project.dir,
			encoding: "utf8",
		});
		expect(text).toContain("Redis server v=8.2.3");
	});

	it("writes redis-server's log lines and obeys SIGTERM", async () => {
		const { child, redis, log, exit } = await start(["--save", "", "--dir", folder()]);
		expect(await redis.set("k", "v")).toBe("OK");
		child.kill("SIGTERM");
		expect(await exit).toBe(0);
		const line = /^\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} \* Server initialized$/m;
		expect(log()).toMatch(line);
		expect(log()).toMatch(/Received SIGTERM scheduling shutdown\.\.\./);
		expect(log()).toMatch(/# Redis is now ready to exit, bye bye\.\.\.\n$/);
		expect(existsSync(join(dir, "dump.rdb"))).toBe(false);
	});

	it("reads redis.conf, with the command line above it", async () => {
		const conf = join(folder(), "redis.conf");
		writeFileSync(conf, `databases 4\nmaxmemory 128mb\nrequirepass "a b"\nsave ""\ndir ${dir}\n`);
		const { redis } = await start([conf, "--maxmemory", "64mb"], "a b");
		expect(await redis.config("GET", "requirepass")).toEqual(["requirepass", "a b"]);
		expect(await redis.config("GET", "maxmemory")).toEqual(["maxmemory", "67108864"]);
		expect(await redis.config("GET", "databases")).toEqual(["databases", "4"]);
		await expect(redis.select(4)).rejects.toThrow("ERR DB index is out of range");
		expect(await redis.config("SET", "maxmemory", "1mb")).toBe("OK");
		expect(await redis.config("REWRITE")).toBe("OK");
		await expect.poll(() => readFileSync(conf, "latin1")).toMatch(/^maxmemory 1mb$/m);
	});

	it("debugs scripts for redis-cli --ldb, and holds the others back meanwhile", async () => {
		const { port, redis } = await start(["--save", "", "--dir", folder()]);
		const socket = connect(port, "127.0.0.1");
		cleanups.push(() => socket.destroy());
		let text = "";
		socket.on("data", (bytes) => {
			text += bytes.toString();
		});
		const closed = new Promise((resolve) => socket.on("close", resolve));
		const say = async (words: string[], wanted: string) => {
			text = "";
			socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
			await expect.poll(() => text).toContain(wanted);
		};
		const source = "local n = redis.call('incr', KEYS[1])\nredis.call('incr', KEYS[1])\nreturn n";
		await say(["SCRIPT", "DEBUG", "SYNC"], "+OK");
		await say(["EVAL", source, "1", "k"], "+-> 1   local n = redis.call('incr', KEYS[1])");
		await say(["step"], "+* Stopped at 2, stop reason = step over");
		const get = redis.get("k");
		await say(["print", "n"], "+<value> 1");
		await say(["continue"], ":1\r\n");
		expect(await get).toBe("2");
		await closed;
	});

	it("keeps the data set in dump.rdb over SHUTDOWN and start", async () => {
		const args = ["--dir", folder(), "--save", "3600", "1"];
		const first = await start(args);
		await first.redis.set("k", "v");
		await first.redis.set("gone", "v", "PX", 1);
		await first.redis.set("later", "v", "EX", 1000);
		await first.redis.call("SHUTDOWN").catch(() => {});
		expect(await first.exit).toBe(0);
		expect(first.log()).toContain("DB saved on disk");
		const second = await start(args);
		expect(second.log()).toContain("Done loading RDB, keys loaded: 2, keys expired: ");
		expect(await second.redis.mget("k", "gone")).toEqual(["v", null]);
		expect(await second.redis.ttl("later")).toBeGreaterThan(900);
		expect(await second.redis.call("BGSAVE")).toBe("Background saving started");
		await expect.poll(() => second.log()).toContain("Background saving terminated with success");
	});

	it("refuses a damaged dump.rdb and leaves it as it is", () => {
		const file = join(folder(), "dump.rdb");
		const damaged = Buffer.from(
			"REDIS0012\xfa\x09redis-ver\x058.2.3\xfe\x00\xfb\x01\x00\x00\x01k\x01",
			"latin1",
		);
		writeFileSync(file, damaged);
		const { code, text } = runWhole(["--dir", dir, "--port", "0", "--unixsocket", join(dir, "s")]);
		expect(code).toBe(1);
		expect(text).toMatch(/truncated/);
		expect(readFileSync(file)).toEqual(damaged);
	});

	it("refuses what redis-server refuses, in its words", () => {
		const wrong = runWhole(["--port", "abc"]);
		expect(wrong.code).toBe(1);
		expect(wrong.text).toContain("*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***");
		expect(wrong.text).toContain(">>> 'port \"abc\"'\nargument couldn't be parsed into an integer");
		const missing = runWhole(["/no/such/redis.conf"]);
		expect(missing.code).toBe(1);
		expect(missing.text).toContain(
			"Fatal error, can't open config file '/no/such/redis.conf': No such file or directory",
		);
		const nowhere = runWhole(["--port", "0"]);
		expect(nowhere.code).toBe(1);
		expect(nowhere.text).toContain("Configured to not listen anywhere, exiting.");
	});

	it("says so when the port is taken", async () => {
		const { port } = await start(["--save", "", "--dir", folder()]);
		const { code, text } = runWhole(["--port", String(port), "--bind", "127.0.0.1"]);
		expect(code).toBe(1);
		expect(text).toContain(`bind: Address already in use`);
		expect(text).toContain(`Failed listening on port ${port} (tcp), aborting.`);
	});

	it("survives kill -9 with what was saved", async () => {
		const args = ["--dir", folder(), "--save", ""];
		const first = await start(args);
		await first.redis.set("saved", "yes");
		expect(await first.redis.save()).toBe("OK");
		await first.redis.set("unsaved", "yes");
		first.child.kill("SIGKILL");
		expect(await first.exit).toBe("SIGKILL");
		const second = await start(args);
		expect(await second.redis.mget("saved", "unsaved")).toEqual(["yes", null]);
	});

	it("goes on serving while a script runs long, as redis-server does", async () => {
		const server = await start(["--save", "", "--dir", folder(), "--busy-reply-threshold", "100"]);
		const other = new Redis({ port: server.port, host: "127.0.0.1", maxRetriesPerRequest: 0 });
		other.on("error", () => {});
		cleanups.push(() => other.disconnect());
		await other.ping();
		const running = server.redis.eval("while true do end", 0).catch((error: Error) => error.message);
		await expect
			.poll(() => other.get("k").then(String, (error: Error) => error.message))
			.toBe("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
		expect(await other.script("KILL")).toBe("OK");
		expect(await running).toMatch(
			/^ERR Script killed by user with SCRIPT KILL\.\.\. script: \w{40}, on @user_script:1\.$/,
		);
		await expect.poll(server.log).toContain("* Lua script killed by user with SCRIPT KILL.");
		expect(server.log()).toMatch(/# Slow script detected: still in execution after \d+ milliseconds\./);
		// One that has written can only be ended with the server.
		server.redis.eval("redis.call('SET', 'k', 'v') while true do end", 0).catch(() => {});
		await expect.poll(() => other.get("k").then(String, String)).toMatch(/BUSY/);
		expect(await other.script("KILL").catch((error: Error) => error.message)).toMatch(/^UNKILLABLE/);
		other.shutdown("NOSAVE").catch(() => {});
		expect(await server.exit).toBe(0);
	});

	it("does not end in the middle of a script, unless one insists", async () => {
		const { child, redis, log, exit } = await start(["--save", "", "--dir", folder()]);
		redis.eval("redis.call('SET', 'k', 'v') while true do end", 0).catch(() => {});
		await new Promise((resolve) => setTimeout(resolve, 300));
		child.kill("SIGINT");
		await expect.poll(log).toContain("Received SIGINT scheduling shutdown...");
		await new Promise((resolve) => setTimeout(resolve, 100));
		expect(child.exitCode).toBe(null);
		child.kill("SIGINT");
		expect(await exit).toBe(1);
		expect(log()).toContain("You insist... exiting now.");
	});
});
