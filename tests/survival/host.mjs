// The database of a page or of a worker that is going to be killed.

import { Redstart } from "/pkg/browser.js";
import { readAll, work } from "./stream.mjs";

let db;
let events = [];

/** Tells the rig: the last value of each name, one request at a time. */
function reporter(name) {
	let next;
	let isSending = false;
	return async (value) => {
		next = value;
		if (isSending) return;
		isSending = true;
		while (next !== undefined) {
			const body = JSON.stringify(next);
			next = undefined;
			await fetch(`/report/${name}`, { method: "POST", body }).catch(() => undefined);
		}
		isSending = false;
	};
}

const call = (name, ...args) => db.async.call(name, ...args);

async function send(commands) {
	if (commands.length === 1) return call(...commands[0]);
	const multi = db.async.multi();
	for (const command of commands) multi.call(...command);
	return multi.exec();
}

export const host = {
	/** Opens a database; with `waits`, resolves only when this tab owns it. */
	async open({ url, options, waits }) {
		events = [];
		db = await Redstart.open(url, options);
		const gained = new Promise((resolve) => db.on("persistence-gained", resolve));
		for (const name of ["persistence-lost", "persistence-gained", "error", "reopen"]) {
			db.on(name, (value) => events.push(`${name}: ${value?.message ?? value}`));
		}
		// What was lost before anybody listened is told a moment later.
		await new Promise((resolve) => setTimeout(resolve));
		if (waits && events.some((text) => /another tab owns/.test(text))) await gained;
	},
	/** Resolves when this tab has come to own the database. */
	async owned() {
		if (events.some((text) => text.startsWith("persistence-gained"))) return;
		await new Promise((resolve) => db.on("persistence-gained", resolve));
	},
	read: () => readAll(call),
	/** Writes until it dies, or its first error. */
	start({ name, ...how }) {
		const acknowledge = reporter(name);
		const failed = reporter(`${name}-error`);
		const disturb = (command) => call(command).catch(() => undefined);
		work({ ...how, send, acknowledge, disturb }).catch((error) => failed(String(error.message ?? error)));
	},
	/** One command, or the message of its error. */
	async call(...words) {
		try {
			return await call(...words);
		} catch (error) {
			return `${error.message ?? error}`;
		}
	},
	events: () => events,
	close: () => db.close(),
};

/** The same, in a worker of this page. */
export function inWorker() {
	const worker = new Worker(new URL("./host-worker.mjs", import.meta.url), { type: "module" });
	const waiting = new Map();
	worker.onmessage = ({ data: { id, value, error } }) => {
		const { resolve, reject } = waiting.get(id);
		waiting.delete(id);
		if (error === undefined) resolve(value);
		else reject(new Error(error));
	};
	let last = 0;
	const ask = (name, args) =>
		new Promise((resolve, reject) => {
			waiting.set(++last, { resolve, reject });
			worker.postMessage({ id: last, name, args });
		});
	const names = Object.keys(host).map((name) => [name, (...args) => ask(name, args)]);
	return Object.fromEntries(names);
}
