// Programs that are started to be killed: each leads a process group of its own, which dies as a whole.

import { spawn } from "node:child_process";
import { within } from "./place.mjs";

const running = new Set();
process.once("exit", () => {
	for (const { pid } of running) signalGroup(pid);
});

/**
 * Starts a program, with so many `pipes` besides its output. `exited` resolves when it is gone, `output` is the end of what
 * it said, `onLine` hears each line.
 */
export function start(command, args, { onLine, pipes = 0 } = {}) {
	const stdio = ["ignore", "pipe", "pipe", ...Array(pipes).fill("pipe")];
	const child = spawn(command, args, { detached: true, stdio });
	const exited = new Promise((resolve) => child.once("exit", resolve));
	const started = { pid: child.pid, stdio: child.stdio, output: "", exited };
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
	void exited.then(() => running.delete(started));
	return started;
}

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
