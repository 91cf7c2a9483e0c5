/** Runs the storage suite in a page, and what only a page can do to IndexedDB. */

import { RedstartError } from "../../js/errors.ts";
import { IndexedDbStorage } from "../../js/storage/indexeddb.ts";
import type { Manifest } from "../../js/storage/storage.ts";
import { CASES } from "../js/storage.conformance.ts";

export async function run(name: string): Promise<void> {
	const one = CASES.find((other) => other.name === name);
	await one?.run({ open: () => new IndexedDbStorage(name), isFenced: true, hasLog: true });
}

const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);
const manifestOf = (base: string): Manifest => ({
	version: 1,
	replid: "",
	base: { name: base, chunks: 0, seq: 1, crc: 0, length_bytes: 0 },
	incr: [],
	offset: 0,
});

/** Another tab that deletes the database makes the browser close every connection to it. */
function deleteDatabase(name: string): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const request = indexedDB.deleteDatabase(`redstart:${name}`);
		request.onsuccess = resolve;
		request.onerror = reject;
	});
}

/** What a promise came to, as text. */
async function outcome(work: Promise<unknown>): Promise<string> {
	return work.then(
		() => "done",
		(error: Error) => {
			const kind = error instanceof RedstartError ? error.kind : "?";
			return `${kind}: ${error.message}`;
		},
	);
}

export async function taken(): Promise<unknown> {
	const storage = new IndexedDbStorage("taken");
	await storage.load();
	await storage.put("x", Uint8Array.of(1, 2, 3));
	await deleteDatabase("taken");
	await storage.put("y", Uint8Array.of(4));
	await storage.commit(manifestOf("y"), ["y"]);
	return [await storage.read("x"), [...((await storage.read("y")) ?? [])]];
}

export async function cleared(): Promise<unknown> {
	const first = new IndexedDbStorage("cleared");
	const { epoch } = await first.load();
	await deleteDatabase("cleared");
	const second = new IndexedDbStorage("cleared");
	const isSame = (await second.load()).epoch === epoch;
	const refused = await outcome(first.commit(manifestOf("x"), []));
	await second.commit(manifestOf("x"), []);
	return [isSame, refused];
}

/** The data is gone: a log without its base is worth nothing. */
export async function clearedUnderTheLog(): Promise<unknown> {
	const storage = new IndexedDbStorage("cleared-log");
	await storage.load();
	await storage.append(1, bytes(10, 1), true);
	await deleteDatabase("cleared-log");
	const after = await outcome(storage.append(1, bytes(10, 2), true));
	await storage.put("base", bytes(5, 3));
	await storage.commit(manifestOf("base"), ["base"]);
	const later = await outcome(storage.append(2, bytes(10, 4), true));
	return [after, later, [...((await storage.read(2)) ?? [])].join(), await storage.read(1)];
}

/**
 * Takes connections and transactions away while appends are under way, as browsers do, and returns how often, and whether
 * every append is there once and in its place.
 */
export async function interrupted(seed: number): Promise<unknown> {
	let state = seed;
	const random = (below: number) => {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		return (state >>> 8) % below;
	};
	let broken = 0;
	const begin = IDBDatabase.prototype.transaction;
	IDBDatabase.prototype.transaction = function (...args) {
		const transaction = begin.apply(this, args);
		if (args[1] !== "readwrite" || random(6) > 0) return transaction;
		broken++;
		if (random(2) === 0) queueMicrotask(() => transaction.abort());
		else {
			setTimeout(() => {
				this.close();
				try {
					transaction.abort();
				} catch {
					// It is over already.
				}
			});
		}
		return transaction;
	};
	try {
		const storage = new IndexedDbStorage(`interrupted-${seed}`);
		await storage.load();
		const parts: number[] = [];
		for (let i = 0; i < 60; i++) {
			const group: Promise<void>[] = [];
			for (let j = random(5); j >= 0; j--) {
				const some = bytes(1 + random(300), parts.length);
				parts.push(...some);
				group.push(storage.append(1, some, random(4) === 0));
			}
			await Promise.all(group);
		}
		const stored = await storage.read(1);
		await storage.close();
		return { broken, isSame: String(stored) === String(parts) };
	} finally {
		IDBDatabase.prototype.transaction = begin;
	}
}

/** Appends without end; what is acknowledged is counted. A page that goes sends the rest at once. */
export async function appendUntilLeft(name: string): Promise<void> {
	const storage = new IndexedDbStorage(name);
	await storage.load();
	let next = 0;
	const number = () => new Uint8Array(Uint32Array.of(next++).buffer);
	addEventListener("pagehide", () => {
		// Some nobody waits for, then the last ones.
		for (let i = 0; i < 5; i++) void storage.append(1, number(), false);
		void storage.appendNow(1, number());
		localStorage.setItem(name, String(next));
	});
	while (next < 1e6) {
		await storage.append(1, number(), false);
		document.title = "appending";
	}
}

/** Whether there are the numbers from 0 on, and all that were handed over. */
export async function counted(name: string): Promise<unknown> {
	const storage = new IndexedDbStorage(name);
	await storage.load(true);
	const stored = new Uint32Array(((await storage.read(1)) as Uint8Array).slice().buffer);
	await storage.close();
	// A page may go on for a moment after it was told.
	const isAll = stored.length >= Number(localStorage.getItem(name) ?? Number.NaN);
	return { isInOrder: stored.every((value, i) => value === i), isAll };
}

/** The page stays: who waited is told, and nothing is there twice. */
export async function hurried(): Promise<unknown> {
	const storage = new IndexedDbStorage("hurried");
	await storage.load();
	await storage.append(1, bytes(3, 1), false);
	const outcomes: Promise<string>[] = [];
	for (let round = 0; round < 20; round++) {
		outcomes.push(outcome(storage.append(1, bytes(3, 10 * round + 2), false)));
		if (round % 3 === 0) await Promise.resolve();
		if (round % 4 === 0) await new Promise((resolve) => setTimeout(resolve, round / 4));
		outcomes.push(outcome(storage.append(1, bytes(3, 10 * round + 3), true)));
		if (round % 5 === 0) outcomes.push(outcome(storage.commit(manifestOf(`b${round}`), [])));
		outcomes.push(outcome(storage.appendNow(1, bytes(3, 10 * round + 4))));
		outcomes.push(outcome(storage.append(1, bytes(3, 10 * round + 5), false)));
	}
	const told = [...new Set(await Promise.all(outcomes))];
	const expected = [...bytes(3, 1)];
	for (let round = 0; round < 20; round++) {
		for (let last = 2; last <= 5; last++) expected.push(...bytes(3, 10 * round + last));
	}
	return { told, isSame: String(await storage.read(1)) === String(expected) };
}

/** Fills what the browser gives, and says how it ended and what is stored. */
export async function filled(isRoom: () => Promise<void>): Promise<unknown> {
	const storage = new IndexedDbStorage("filled");
	await storage.load();
	const part = crypto.getRandomValues(new Uint8Array(60_000));
	let count = 0;
	let error: unknown;
	while (!error && count < 100) {
		await storage.append(1, part, true).then(
			() => count++,
			(reason) => {
				error = reason;
			},
		);
	}
	await isRoom();
	await storage.append(1, bytes(7, 7), true);
	const { kind, cause } = error as RedstartError;
	const stored = (await storage.read(1))?.length ?? 0;
	return { kind, cause: (cause as Error)?.name, isWhole: stored === count * part.length + 7, count };
}
