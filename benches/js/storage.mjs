// 50 MB into and out of the stores of a browser, and appends, each beside the plainest program that does the same: one
// transaction a record, nothing checked. In a profile on disk, as a visitor has it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchProfile, serveFiles } from "../../tests/chromium.mjs";
import { ratio } from "./measure.mjs";

const PAGE =
	'<!doctype html><script type="module">import * as drivers from "/pkg/storage.js"; self.drivers = drivers;</script>';

/** Runs in the page and, for OPFS, in a worker of it: everything it needs is within. */
const MEASURE = `
const MIB = 1 << 20;
const noise = (length) => {
	const bytes = new Uint8Array(length);
	for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
	return bytes;
};
const least = (values) => Math.min(...values);
const manifest = (seq, incr = []) => ({
	version: 1, replid: "", base: { name: "base", chunks: 0, seq, crc: 0, length_bytes: 0 }, incr, offset: 0,
});

/** What each store takes for a base written and read, an append, and one that is durable; in turn, the least of some rounds. */
async function timeStores(stores, length, chunk) {
	const all = noise(length);
	const chunks = [];
	for (let at = 0; at < length; at += chunk) chunks.push(all.slice(at, at + chunk));
	const took = {};
	for (let round = 0; round < 4; round++) {
		for (const [name, make] of Object.entries(stores)) {
			took[name] ??= { write: [], read: [], append: [], durable: [] };
			await timeStore(await make(round), chunks, length, took[name]);
		}
	}
	const leastOf = (times) => Object.fromEntries(Object.entries(times).map(([what, values]) => [what, least(values)]));
	return Object.fromEntries(Object.entries(took).map(([name, times]) => [name, leastOf(times)]));
}

async function timeStore(store, chunks, length, took) {
	let from = performance.now();
	await store.write(chunks);
	took.write.push(performance.now() - from);
	from = performance.now();
	const read = await store.read(chunks.length);
	took.read.push(performance.now() - from);
	if (read !== length) throw new Error(read + " bytes came back");
	const record = noise(1024);
	for (const [what, count] of [["append", 200], ["durable", 20]]) {
		from = performance.now();
		for (let i = 0; i < count; i++) await store.append(record, what === "durable");
		took[what].push((performance.now() - from) / count);
	}
	await store.close();
}

const driver = (open) => async (round) => {
	const storage = open("driver-" + round);
	await storage.load();
	return {
		async write(chunks) {
			const names = chunks.map((_, i) => "base." + i);
			for (const [i, chunk] of chunks.entries()) await storage.put(names[i], chunk);
			await storage.commit(manifest(1, [{ id: 1 }]), names);
		},
		async read(count) {
			// As a database does it at open: a few chunks ahead.
			let total = 0;
			const ahead = [];
			for (let i = 0; i < count; i++) {
				while (ahead.length < 3 && i + ahead.length < count) ahead.push(storage.read("base." + (i + ahead.length)));
				total += (await ahead.shift()).length;
			}
			return total;
		},
		append: (bytes, isDurable) => storage.append(1, bytes, isDurable),
		close: () => storage.close(),
	};
};

const rawIndexedDb = async (round) => {
	const database = await new Promise((resolve, reject) => {
		const request = indexedDB.open("raw-" + round, 1);
		request.onupgradeneeded = () => request.result.createObjectStore("all");
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
	const transact = (mode, durability, work) =>
		new Promise((resolve, reject) => {
			const transaction = database.transaction("all", mode, { durability });
			const request = work(transaction.objectStore("all"));
			transaction.oncomplete = () => resolve(request.result);
			transaction.onabort = () => reject(transaction.error);
		});
	let next = 0;
	return {
		async write(chunks) {
			for (const [i, chunk] of chunks.entries()) {
				await transact("readwrite", "relaxed", (store) => store.put(chunk, i));
			}
			await transact("readwrite", "strict", (store) => store.put(1, "end"));
		},
		async read(count) {
			let total = 0;
			const ahead = [];
			for (let i = 0; i < count; i++) {
				while (ahead.length < 3 && i + ahead.length < count) {
					const key = i + ahead.length;
					ahead.push(transact("readonly", "default", (store) => store.get(key)));
				}
				total += (await ahead.shift()).length;
			}
			return total;
		},
		append: (bytes, isDurable) =>
			transact("readwrite", isDurable ? "strict" : "relaxed", (store) => store.put(bytes, "r" + next++)),
		close: async () => database.close(),
	};
};

const rawOpfs = async (round) => {
	const root = await navigator.storage.getDirectory();
	const open = async (name) => (await root.getFileHandle(name, { create: true })).createSyncAccessHandle();
	const base = await open("raw-base-" + round);
	const log = await open("raw-log-" + round);
	let at = 0;
	return {
		async write(chunks) {
			let end = 0;
			for (const chunk of chunks) end += base.write(chunk, { at: end });
			base.flush();
		},
		async read(count) {
			const size = base.getSize() / count;
			let total = 0;
			for (let i = 0; i < count; i++) total += base.read(new Uint8Array(size), { at: i * size });
			return total;
		},
		async append(bytes, isDurable) {
			at += log.write(bytes, { at });
			if (isDurable) log.flush();
		},
		close: async () => {
			base.close();
			log.close();
		},
	};
};
`;

const inPage = `${MEASURE}
(chunk) => timeStores({
	raw: rawIndexedDb,
	driver: driver((name) => new drivers.IndexedDbStorage(name)),
}, 50 * MIB, chunk)`;

const worker = (url) => `
import { OpfsStorage } from "${url}/pkg/storage.js";
${MEASURE}
onmessage = async ({ data: chunk }) => {
	try {
		const stores = { raw: rawOpfs, driver: driver((name) => new OpfsStorage(name)) };
		postMessage(await timeStores(stores, 50 * MIB, chunk));
	} catch (error) {
		postMessage({ error: String(error.stack) });
	}
};`;

const ms = (value) => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ms`;

function tell(what, { raw, driver }, isBase) {
	const rows = isBase
		? { write: "50 MB written", read: "50 MB read" }
		: { append: "1 KiB appended", durable: "1 KiB appended, durably" };
	for (const [key, label] of Object.entries(rows)) {
		const detail = `${ms(driver[key])}, plainest ${ms(raw[key])}`;
		// An append also has the fence in it, and in OPFS a checksum; both cost little beside what follows in a real store.
		ratio(`${what}: ${label}`, driver[key] / raw[key], isBase ? 1.5 : 3, { atMost: true, detail });
	}
}

export async function storage() {
	const folder = mkdtempSync(join(tmpdir(), "redstart-bench-"));
	const files = await serveFiles({ "/": PAGE });
	const context = await launchProfile(folder);
	try {
		for (const chunk of [256 << 10, 1 << 20]) {
			const size = `${chunk >> 10} KiB chunks`;
			const page = await context.newPage();
			await page.goto(files.url);
			await page.waitForFunction(() => self.drivers !== undefined);
			const ofPage = await page.evaluate(`(${asFunction(inPage)})(${chunk})`);
			tell(`IndexedDB, ${size}`, ofPage, true);
			if (chunk === 1 << 20) tell("IndexedDB", ofPage, false);
			await clear(page);
			const ofWorker = await page.evaluate(
				([text, given]) =>
					new Promise((resolve) => {
						const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
						const one = new Worker(url, { type: "module" });
						one.onmessage = ({ data }) => resolve(data);
						one.onerror = (event) => resolve({ error: event.message });
						one.postMessage(given);
					}),
				[worker(files.url), chunk],
			);
			if (ofWorker.error) throw new Error(ofWorker.error);
			tell(`OPFS, ${size}`, ofWorker, true);
			if (chunk === 1 << 20) tell("OPFS", ofWorker, false);
			await clear(page);
			await page.close();
		}
	} finally {
		await context.close();
		await files.close();
		rmSync(folder, { recursive: true, force: true });
	}
}

/** The last expression of a script, as the body of a function of one argument. */
function asFunction(script) {
	const at = script.lastIndexOf("\n(chunk) =>");
	return `(given) => { ${script.slice(0, at)}\nreturn (${script.slice(at + 1)})(given); }`;
}

/** The next size begins with nothing stored. */
async function clear(page) {
	const session = await page.context().newCDPSession(page);
	await session.send("Storage.clearDataForOrigin", {
		origin: new URL(page.url()).origin,
		storageTypes: "all",
	});
	await session.detach();
}
