/** Servers as programs, in folders of their own: `npx redstart` and, where there is one, redis-server. */

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Redis from "ioredis";
import { expect, onTestFinished } from "vitest";
import { findOracle } from "../oracle/oracle.mjs";

const program = new URL("../../pkg/cli.js", import.meta.url).pathname;

export type Kind = "redstart" | "redis-server";

/** The oracle's program, or why there is none. */
export const oracle: { path?: string; why?: string } = (() => {
	try {
		return { path: findOracle() };
	} catch (error) {
		return { why: (error as Error).message };
	}
})();

/** Whether the limits of a process that runs can be changed: a disk that is full and gets room again. */
export const hasPrlimit = (() => {
	try {
		execFileSync("prlimit", ["--version"]);
		return true;
	} catch {
		console.log("skipped: without prlimit no disk gets full, and has room again");
		return false;
	}
})();

export function newFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "redstart-server-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

/** A server that runs. */
export interface Running {
	redis: Redis;
	pid: number;
	/** The lines of its log from the point where it was ready to load, without time and process. */
	log(): string[];
	/** SIGTERM; the exit code. */
	stop(): Promise<number | string>;
	/** kill -9. */
	kill(): Promise<void>;
	exit: Promise<number | string>;
}

interface Spawned {
	log(): string[];
	text(): string;
	pid: number;
	exit: Promise<number | string>;
	signal(name: NodeJS.Signals): void;
	socket: string;
}

function run(kind: Kind, dir: string, args: readonly string[], shell?: string): Spawned {
	const sockets = newFolder();
	const socket = join(sockets, "s");
	const command = kind === "redstart" ? [process.execPath, program] : [oracle.path as string];
	const fixed = ["--port", "0", "--unixsocket", socket, "--dir", dir, "--enable-debug-command", "yes"];
	const words = [...command, ...fixed, ...args];
	const child = shell
		? spawn("sh", ["-c", `${shell}; exec "$@"`, "sh", ...words])
		: spawn(words[0] as string, words.slice(1));
	let text = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk) => {
			text += chunk;
		});
	}
	const exit = new Promise<number | string>((resolve) => {
		child.on("exit", (code, signal) => resolve(code ?? signal ?? -1));
	});
	onTestFinished(() => {
		child.kill("SIGKILL");
	});
	const log = () => {
		const lines = text
			.split("\n")
			.map((line) => line.replace(/^\d+:[MC] \d+ \w+ \d+ \d\d:\d\d:\d\d\.\d+ /, ""));
		return lines.slice(lines.indexOf("* Server initialized") + 1).filter((line) => line !== "");
	};
	return {
		log,
		text: () => text,
		pid: child.pid as number,
		exit,
		signal: (name) => child.kill(name),
		socket,
	};
}

export interface StartOptions {
	/** What a shell does before it becomes the server. */
	shell?: string;
}

/** Starts a server and waits until it answers. */
export async function start(
	kind: Kind,
	dir: string,
	args: readonly string[],
	{ shell }: StartOptions = {},
): Promise<Running> {
	const spawned = run(kind, dir, args, shell);
	let isGone = false;
	void spawned.exit.then(() => {
		isGone = true;
	});
	const isReady = () => isGone || /Ready to accept connections/.test(spawned.text());
	await expect.poll(isReady, { timeout: 20_000, interval: 10 }).toBe(true);
	if (isGone) throw new Error(`the server ended: ${spawned.text()}`);
	const redis = new Redis({ path: spawned.socket, maxRetriesPerRequest: 0, retryStrategy: () => null });
	redis.on("error", () => {});
	onTestFinished(() => redis.disconnect());
	return {
		redis,
		pid: spawned.pid,
		log: spawned.log,
		exit: spawned.exit,
		async stop() {
			spawned.signal("SIGTERM");
			return spawned.exit;
		},
		async kill() {
			spawned.signal("SIGKILL");
			await spawned.exit;
		},
	};
}

/** Starts a server that is expected to end by itself. */
export async function startInVain(
	kind: Kind,
	dir: string,
	args: readonly string[],
): Promise<{ code: number | string; log: string[] }> {
	const spawned = run(kind, dir, args);
	const timer = setTimeout(() => spawned.signal("SIGKILL"), 20_000);
	const code = await spawned.exit;
	clearTimeout(timer);
	return { code, log: spawned.log() };
}

/** Runs redis-check-aof or redis-check-rdb, which are redis-server under another name; what it prints. */
export function check(tool: "redis-check-aof" | "redis-check-rdb", path: string): string {
	const link = join(newFolder(), tool);
	symlinkSync(oracle.path as string, link);
	return execFileSync(link, [path], { encoding: "utf8", stdio: "pipe" });
}

/** The files of a folder, in the order of their names. */
export const filesIn = (...path: string[]) => readdirSync(join(...path)).sort();

export const manifestIn = (dir: string) =>
	readFileSync(join(dir, "appendonlydir", "appendonly.aof.manifest"), "latin1");

/** A command as it stands in an append-only file. */
export const inFile = (...words: string[]) =>
	`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
