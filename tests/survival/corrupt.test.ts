/** Stored bytes that are not what was stored: a clear error, or set aside where that is asked for; never a silent loss. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PAGES, Profile } from "./browser.mjs";
import type { Tab } from "./chromium.mjs";
import { openPlace, until } from "./place.mjs";

/** In the page: everything in the database but its epoch, as text; and what spoils records of it. */
const TOOLS = `
self.inStores = (name, work) => new Promise((resolve, reject) => {
	const request = indexedDB.open("redstart:" + name);
	request.onerror = () => reject(request.error);
	request.onsuccess = () => {
		const database = request.result;
		const transaction = database.transaction(["meta", "objects", "log"], "readwrite");
		const stores = Object.fromEntries(["meta", "objects", "log"].map((one) => [one, transaction.objectStore(one)]));
		let result;
		work(stores, (value) => { result = value; });
		transaction.oncomplete = () => { database.close(); resolve(result); };
		transaction.onabort = () => reject(transaction.error);
	};
});
const text = (value) => value instanceof Uint8Array ? Array.from(value).join() : JSON.stringify(value);
self.allOf = (name) => inStores(name, (stores, give) => {
	const lines = [];
	for (const store of ["objects", "log"]) stores[store].openCursor().onsuccess = ({ target: { result } }) => {
		if (!result) return give(lines);
		lines.push(store + " " + JSON.stringify(result.key) + " " + text(result.value));
		result.continue();
	};
	stores.meta.get("meta").onsuccess = ({ target: { result } }) => lines.push(JSON.stringify(result.manifest));
});
self.keysOf = (name, store) => inStores(name, (stores, give) => {
	stores[store].getAllKeys().onsuccess = ({ target: { result } }) => give(result);
});
const WAYS = {
	truncate: (bytes) => bytes.slice(0, bytes.length - 3),
	empty: () => new Uint8Array(0),
	garble: (bytes) => { const copy = bytes.slice(); copy[copy.length >> 1] ^= 0x55; return copy; },
	frame: (bytes) => { const copy = bytes.slice(); copy[0] ^= 0x55; return copy; },
	noise: (bytes) => crypto.getRandomValues(new Uint8Array(bytes.length)),
	type: (bytes) => Array.from(bytes).join(),
};
self.spoil = (name, store, key, way) => inStores(name, (stores) => {
	stores[store].get(key).onsuccess = ({ target: { result } }) => {
		if (way === "missing") stores[store].delete(key);
		else stores[store].put(WAYS[way](result), key);
	};
});
self.spoilManifest = (name, source) => inStores(name, (stores) => {
	stores.meta.get("meta").onsuccess = ({ target: { result } }) => {
		result.manifest = new Function("manifest", "return " + source)(result.manifest);
		stores.meta.put(result, "meta");
	};
});
`;
const ALL = 40;

let place: Awaited<ReturnType<typeof openPlace>>;
let folder: string;
let profile: Profile;
let tab: Tab;
let names = 0;

beforeAll(async () => {
	place = await openPlace(PAGES);
	folder = mkdtempSync(join(tmpdir(), "redstart-corrupt-"));
	profile = new Profile(place, folder);
	tab = await profile.tab("/");
	await tab.evaluate(TOOLS);
});
afterAll(async () => {
	await profile.kill();
	await place.close();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const call = (...words: string[]): Promise<unknown> => tab.ask("call", ...words);
const run = (name: string, ...args: unknown[]): Promise<unknown> =>
	tab.evaluate(`${name}(...${JSON.stringify(args)})`);
const events = async (): Promise<string> => (await tab.ask("events")).join("\n");

/** Opens; the message of its error, or an empty text. */
const open = (name: string, options = {}): Promise<string> =>
	tab
		.ask("open", {
			url: `idb://${name}`,
			options: { broadcast: false, config: { appendfsync: "always" }, ...options },
			waits: true,
		})
		.then(
			() => "",
			(error: Error) => error.message,
		);

/** Writes so many times five keys, each time as a record of its own. */
async function fill(what: string, from: number, count: number): Promise<void> {
	for (let i = from; i < from + count; i++) {
		const words = Array.from({ length: 5 }, (_, k) => [`key:${i}:${k}`, `${what} ${i} ${k}`]);
		expect(await call("MSET", ...words.flat())).toBe("OK");
	}
}

/** A database with a base, a sealed segment and another: ten keys in the base, and fifteen in three records in each of these. */
async function written(): Promise<string> {
	const name = `corrupt-${++names}`;
	expect(await open(name)).toBe("");
	await fill("in the base", 0, 2);
	await call("BGREWRITEAOF");
	await until("the base", async () => ((await run("keysOf", name, "objects")) as unknown[]).length > 0);
	await fill("sealed", 2, 3);
	await tab.ask("close");
	expect(await open(name)).toBe("");
	await fill("last", 5, 3);
	await tab.ask("close");
	return name;
}

/** Keys of a store in order: those of the base, or of a segment. */
async function keysOf(name: string, place: string): Promise<unknown[]> {
	if (place === "base") return (await run("keysOf", name, "objects")) as unknown[];
	const keys = (await run("keysOf", name, "log")) as [number, number][];
	const segments = [...new Set(keys.map(([segment]) => segment))].sort((a, b) => a - b);
	// The last may be one that was begun and never written to.
	const segment = segments.at(place === "sealed" ? 0 : -1);
	return keys.filter(([one]) => one === segment);
}

const CASES = [
	...["truncate", "empty", "garble", "frame", "noise", "type", "missing"].map((way) => ["base", way]),
	...["truncate", "empty", "garble", "frame", "missing"].map((way) => ["sealed", way]),
	...["truncate", "empty", "garble", "frame", "noise", "missing"].map((way) => ["last", way]),
] as [string, string][];

describe("a record that is not what was stored", () => {
	it.each(CASES)("%s, %s: nothing is lost without a word", async (part, way) => {
		const name = await written();
		const keys = await keysOf(name, part);
		expect(keys.length).toBeGreaterThan(0);
		await run("spoil", name, part === "base" ? "objects" : "log", keys[keys.length >> 1], way);
		const before = await run("allOf", name);

		const error = await open(name);
		if (error === "") {
			// A byte within a value is nothing that Redis' own format could tell, and no write is missing.
			const count = await call("DBSIZE");
			if (count !== ALL) expect(await events()).not.toBe("");
			expect([`${part} ${way}`, count]).toEqual([`${part} ${way}`, ALL]);
			await tab.ask("close");
			return;
		}
		expect(error).toMatch(/cannot be read|missing|damaged|append-only file ends/);
		expect(await run("allOf", name)).toEqual(before);
		// Once more: the first attempt changed nothing.
		expect(await open(name)).toBe(error);

		expect(await open(name, { onCorrupt: "keep" })).toBe("");
		expect(await events()).toMatch(/persistence-lost: .*(set aside|cannot be read)/);
		expect(await call("SET", "fresh", "1")).toBe("OK");
		await tab.ask("close");
		expect(await open(name)).toBe("");
		expect(await call("GET", "fresh")).toBe("1");
		// What could not be read is still there for whoever can.
		const after = (await run("allOf", name)) as string[];
		const kept = (before as string[]).filter((line) => /^(objects|log) /.test(line));
		expect(after).toEqual(expect.arrayContaining(kept));
		await tab.ask("close");
	});
});

describe("a manifest that is not one", () => {
	it.each([
		["of a later version", "({ ...manifest, version: 2 })"],
		["without its segments", "({ ...manifest, incr: undefined })"],
		["with text for numbers", "({ ...manifest, incr: manifest.incr.map(({ id }) => ({ id: String(id) })) })"],
		["that is a number", "7"],
		["with another length of its base", "({ ...manifest, base: { ...manifest.base, length_bytes: 1 } })"],
		["with a base of no chunks", "({ ...manifest, base: { ...manifest.base, chunks: 0 } })"],
	])("%s: a clear error or all of the data", async (_, source) => {
		const name = await written();
		await run("spoilManifest", name, source);
		const before = await run("allOf", name);
		const error = await open(name);
		if (error === "") {
			expect(await call("DBSIZE")).toBe(ALL);
			await tab.ask("close");
			return;
		}
		expect(error).toMatch(/cannot be read|cannot read|missing|damaged|has no end/);
		expect(await run("allOf", name)).toEqual(before);
	});
});
