/** The append-only file in a browser whose storage makes trouble: a full disk, data that is cleared, none at all. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PAGES, Profile } from "./browser.mjs";
import type { Tab } from "./chromium.mjs";
import { Judge } from "./judge.mjs";
import { openPlace, sleep, until } from "./place.mjs";

const URL = "idb://trouble";
const SEED = Number(process.env.REDSTART_SEED ?? 20260730);

let place: Awaited<ReturnType<typeof openPlace>>;
let folder: string;
let profile: Profile;

beforeAll(async () => {
	place = await openPlace(PAGES);
});
afterAll(() => place?.close());
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "redstart-trouble-"));
	profile = new Profile(place, folder);
	place.reports.clear();
});
afterEach(async () => {
	await profile.kill();
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function open(mode = "everysec", quotaSize?: number): Promise<Tab> {
	const tab = await profile.tab("/");
	// The browser remembers for half a minute how much room it has seen, so before it looks.
	if (quotaSize) await tab.send("Storage.overrideQuotaForOrigin", { origin: place.url, quotaSize });
	const opening = { config: { appendfsync: mode } };
	await tab.ask("open", { url: URL, options: opening, waits: true });
	return tab;
}

const call = (tab: Tab, ...words: string[]): Promise<unknown> => tab.ask("call", ...words);
const events = async (tab: Tab): Promise<string> => (await tab.ask("events")).join("\n");
const acknowledged = (): number => place.reports.get("run") ?? 0;
const ended = (): string | undefined => place.reports.get("run-error");

/** Begins to write, from a number on, until it fails. */
async function write(tab: Tab, from = 0, options = {}): Promise<void> {
	place.reports.clear();
	await tab.ask("start", { name: "run", seed: SEED, from, depth: 8, pauses: false, options });
	await until("the first acknowledgement", () => acknowledged() > from);
}

/** How many writes are there; all that were acknowledged have to be. */
async function count(tab: Tab, judge: Judge): Promise<number> {
	const { count, lost } = judge.find(await tab.ask("read"), acknowledged());
	expect(lost).toBe(0);
	return count;
}

const field = async (tab: Tab, name: string): Promise<string | undefined> =>
	new RegExp(`^${name}:(.*?)\r?$`, "m").exec(String(await call(tab, "INFO", "persistence")))?.[1];

describe.each(["always", "everysec"])("with appendfsync %s, a full disk", (mode) => {
	it("refuses writes, goes on reading, says so, and recovers when there is room", async () => {
		const tab = await open(mode, 3_000_000);
		const judge = new Judge(SEED, { bigShare: 0.2 });
		await write(tab, 0, { bigShare: 0.2 });
		await until("the end of the room", ended);
		expect(ended()).toMatch(/MISCONF|no more storage|full/);
		// What was given up has made room again; this has not.
		const filled: string[] = [];
		await until("the refusal", async () => {
			filled.push(`filled ${filled.length}`);
			const reply = await call(tab, "SET", filled.at(-1) as string, randomBytes(50_000).toString("base64"));
			return String(reply).startsWith("MISCONF");
		});
		expect(await call(tab, "SET", "more", "1")).toMatch(/^MISCONF/);
		expect(await call(tab, "EXISTS", "more")).toBe(0);
		expect(await field(tab, "aof_last_write_status")).toBe("err");
		expect(await events(tab)).toMatch(/persistence-lost/);

		await tab.send("Storage.overrideQuotaForOrigin", { origin: place.url });
		await until("the recovery", async () => (await call(tab, "SET", "more", "1")) === "OK");
		expect(await field(tab, "aof_last_write_status")).toBe("ok");
		await call(tab, "DEL", "more", ...filled);
		const there = await count(tab, judge);
		await tab.crash();
		await tab.close();

		const next = await open(mode);
		expect(await count(next, judge)).toBe(there);
		expect(next.errors).toEqual([]);
	});
});

describe.each(["always", "everysec"])("with appendfsync %s, site data that is cleared", (mode) => {
	it("is stored again while writes go on", async () => {
		let tab = await open(mode);
		const judge = new Judge(SEED);
		let from = 0;
		for (let round = 0; round < 3; round++) {
			await write(tab, from);
			for (let clearing = 0; clearing < 4; clearing++) {
				await sleep(150);
				await tab.send("Storage.clearDataForOrigin", { origin: place.url, storageTypes: "indexeddb" });
			}
			// Whatever is acknowledged from here on stands on storage that is whole again.
			const before = acknowledged();
			await until("writes to go on", () => ended() ?? acknowledged() > before + 50);
			expect([ended(), ended() && (await events(tab))]).toEqual([undefined, undefined]);
			await tab.crash();
			await tab.close();
			tab = await open(mode);
			from = await count(tab, judge);
		}
		expect(tab.errors).toEqual([]);
	});
});

describe("no storage", () => {
	const WAYS = {
		"there is no IndexedDB": "Object.defineProperty(self, 'indexedDB', { value: undefined })",
		"IndexedDB throws": "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }",
		"IndexedDB cannot be opened":
			"const open = IDBFactory.prototype.open; IDBFactory.prototype.open = function () { return open.call(this, 'none', 0.5 + 2 ** 53) }",
		"IndexedDB refuses, as in private windows": `IDBFactory.prototype.open = () => {
			const request = { error: new DOMException("A mutation operation was attempted on a database that did not allow mutations.", "InvalidStateError") };
			setTimeout(() => request.onerror?.({ target: request }));
			return request;
		}`,
	};
	it.each(Object.entries(WAYS))("%s: the data lives in memory, with a warning", async (_, source) => {
		const tab = await profile.tab("/elsewhere");
		await tab.send("Page.addScriptToEvaluateOnNewDocument", { source });
		await tab.go(`${place.url}/`);
		await tab.ask("open", { url: URL, options: { config: { appendfsync: "always" } }, waits: true });
		expect(await call(tab, "SET", "k", "v")).toBe("OK");
		expect(await call(tab, "GET", "k")).toBe("v");
		expect(await events(tab)).toMatch(/persistence-lost: .*(memory|IndexedDB)/);
		expect(tab.errors).toEqual([]);
	});
});
