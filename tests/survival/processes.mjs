// Programs that are started to be killed: each leads a process group of its own, which dies as a whole.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { findBrowser } from "../../scripts/setup.mjs";
import { until, within } from "./place.mjs";

/** Starts a program. `exited` resolves when it is gone; `lines` hears its output. */
export function start(command, args, { cwd, env, onLine } = {}) {
	const child = spawn(command, args, {
		cwd,
		env: { ...process.env, ...env },
		detached: true,
		stdio: ["ignore", "pipe", "pipe"],
	});
	const started = {
		pid: child.pid,
		output: "",
		exited: new Promise((resolve) => child.once("exit", resolve)),
	};
	child.once("error", (error) => {
		started.output += error.message;
	});
	for (const stream of [child.stdout, child.stderr]) {
		let rest = "";
		stream.on("data", (chunk) => {
			started.output = (started.output + chunk).slice(-20_000);
			const lines = (rest + chunk).split("\n");
			rest = lines.pop();
			for (const line of lines) onLine?.(line);
		});
	}
	running.add(started);
	void started.exited.then(() => running.delete(started));
	return started;
}

const running = new Set();
process.once("exit", () => {
	for (const { pid } of running) signalGroup(pid);
});

function signalGroup(pid) {
	try {
		process.kill(-pid, "SIGKILL");
	} catch {
		// It is gone.
	}
}

/** kill -9 of a program with all that it started. */
export async function killGroup(started) {
	signalGroup(started.pid);
	await within(10_000, "the death of a process", started.exited);
}

const FLAGS = [
	"--headless=new",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-dev-shm-usage",
	"--disable-quic",
	"--no-first-run",
	"--no-default-browser-check",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--disable-extensions",
	// Rebuilt after each death, and of no use here.
	"--disable-features=OptimizationGuideModelDownloading,MediaRouter",
	"--remote-debugging-port=0",
];

/**
 * Chromium with a profile that outlives it, as a process group that can be killed. playwright drives it from outside,
 * without an environment of its own: pages share the profile's storage as a visitor's do.
 */
export async function startChromium(profile, args = []) {
	const { chrome } = findBrowser();
	if (!chrome) throw new Error("no Chrome or Chromium found: run `npm run setup`");
	let address = "";
	const started = start(chrome, [...FLAGS, ...args, `--user-data-dir=${profile}`, "about:blank"], {
		onLine(line) {
			address ||= /^DevTools listening on (ws:\/\/\S+)/.exec(line)?.[1] ?? "";
		},
	});
	await until("Chromium's address", () => {
		if (!running.has(started)) throw new Error(`Chromium ended: ${started.output}`);
		return address;
	});
	const browser = await chromium.connectOverCDP(address);
	const [context] = browser.contexts();
	/** kill -9 of all its processes. */
	const kill = async () => {
		await killGroup(started);
		// Some lead groups of their own; all of them have the profile in their command lines or are children of one.
		for (const pid of processesWith(profile)) {
			try {
				process.kill(pid, "SIGKILL");
			} catch {
				// It is gone.
			}
		}
		await until("the end of Chromium", () => processesWith(profile).length === 0, 10_000);
		await browser.close().catch(() => undefined);
	};
	return { browser, context, kill };
}

/** Processes with a text in their command lines, where the system shows them. */
function processesWith(text) {
	if (!existsSync("/proc")) return [];
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.filter((pid) => {
			try {
				const isDead = /^State:\s+Z/m.test(readFileSync(join("/proc", pid, "status"), "utf8"));
				return !isDead && readFileSync(join("/proc", pid, "cmdline"), "utf8").includes(text);
			} catch {
				return false;
			}
		})
		.map(Number);
}
