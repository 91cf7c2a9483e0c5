/** The built package in Chromium: what survives a reload, a crash, a full disk; what reaches another tab. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, launchProfile, serveFiles } from "../chromium.mjs";
import { errorsOf } from "./page.ts";

type Redstart = import("../../js/redstart.ts").Redstart;

/** What a test finds on the page. */
interface Global {
	Redstart: typeof import("../../js/redstart.ts").Redstart;
	db: Redstart;
	heard: unknown[];
	lost: string[];
}
declare const self: Global & typeof window;

const PAGE = `<!doctype html><title>persistence</title><script type="module">
	import { Redstart } from "/pkg/browser.js";
	self.Redstart = Redstart;
</script>`;

let browser: Browser;
let server: { url: string; close(): Promise<unknown> };
let context: BrowserContext;

beforeAll(async () => {
	server = await serveFiles({ "/": PAGE });
	browser = await launchChromium();
});
afterAll(async () => {
	await browser?.close();
	await server?.close();
});
beforeEach(async () => {
	// A profile of its own for each test; tabs within it share storage.
	context = await browser.newContext();
	return () => context.close();
});

/** A tab with an open database. */
async function tab(url = "idb://test", options = {}): Promise<Page> {
	const page = await context.newPage();
	await page.goto(server.url);
	await openIn(page, url, options);
	return page;
}

async function openIn(page: Page, url = "idb://test", options = {}): Promise<void> {
	await page.waitForFunction(() => self.Redstart !== undefined);
	await page.evaluate(
		async ([given, opening]) => {
			self.lost = [];
			self.heard = [];
			self.db = await self.Redstart.open(given as string, opening as object);
			self.db.on("persistence-lost", (error) => self.lost.push(error.message));
		},
		[url, options] as const,
	);
}

const get = (page: Page, key: string) => page.evaluate((k) => self.db.get(k), key);
const set = (page: Page, key: string, value: string) =>
	page.evaluate(([k, v]) => self.db.set(k as string, v as string), [key, value]);

describe("a database in IndexedDB", () => {
	it("survives a reload right after a change", async () => {
		const page = await tab();
		const errors = errorsOf(page);
		await set(page, "k", "caf\u00e9");
		await page.reload();
		await openIn(page);
		expect(await get(page, "k")).toBe("caf\u00e9");
		expect(errors).toEqual([]);
	});

	it("survives navigation away and a closed tab", async () => {
		const page = await tab();
		await set(page, "a", "1");
		await page.goto("about:blank");
		await page.goto(server.url);
		await openIn(page);
		expect(await get(page, "a")).toBe("1");
		await set(page, "b", "2");
		await page.close({ runBeforeUnload: true });
		// The old tab may still be on its way out: then this one reads a copy first, and inherits what was stored last.
		const next = await tab();
		await expect.poll(() => get(next, "b")).toBe("2");
		expect(await get(next, "a")).toBe("1");
	});

	it("loses nothing that was saved when the tab crashes", async () => {
		const page = await tab();
		await page.evaluate(async () => {
			self.db.set("saved", "1");
			await self.db.save();
			self.db.set("unsaved", "1");
		});
		const crashed = page.waitForEvent("crash");
		const session = await context.newCDPSession(page);
		session.send("Page.crash").catch(() => {});
		await crashed;
		const next = await tab();
		expect(await get(next, "saved")).toBe("1");
		// The browser frees the lock of the dead tab, so this one comes to own the database.
		const canSave = () =>
			next.evaluate(() =>
				self.db.save().then(
					() => "saved",
					() => "refused",
				),
			);
		await expect.poll(canSave).toBe("saved");
	});

	it("stores every change by itself, and saves by its rules where they are set", async () => {
		const page = await tab();
		// Nobody waits for it; the tab dies a moment later.
		await set(page, "k", "v");
		await page.waitForTimeout(500);
		const crashed = page.waitForEvent("crash");
		const session = await context.newCDPSession(page);
		session.send("Page.crash").catch(() => {});
		await crashed;
		expect(await get(await tab(), "k")).toBe("v");
		const other = await tab("idb://rules", { config: { appendonly: "no", save: "1 1" } });
		await other.evaluate(
			() =>
				new Promise<void>((resolve) => {
					self.db.on("save", () => resolve());
					self.db.set("k", "v");
				}),
		);
		expect(await other.evaluate(() => self.db.engine.dirty)).toBe(0);
	});

	it("belongs to one tab; another has a copy and is told so", async () => {
		const first = await tab();
		await first.evaluate(async () => {
			self.db.set("who", "first");
			await self.db.save();
		});
		const second = await tab();
		expect(await get(second, "who")).toBe("first");
		await expect.poll(() => second.evaluate(() => self.lost[0])).toMatch(/another tab owns/);
		expect(
			await second.evaluate(async () => {
				self.db.set("who", "second");
				return self.db.save().then(
					() => "saved",
					() => "refused",
				);
			}),
		).toBe("refused");
		// In this order, or the second would inherit the database and store its change.
		await second.close();
		await first.close();
		const third = await tab();
		expect(await get(third, "who")).toBe("first");
	});

	it("passes to the tab that stays, with what it has changed since", async () => {
		const first = await tab();
		await first.evaluate(async () => {
			self.db.set("who", "first");
			await self.db.save();
		});
		const second = await tab();
		await set(second, "who", "second");
		expect(await set(second, "more", "1")).toBe("OK");
		const gained = second.evaluate(
			() => new Promise<void>((resolve) => self.db.on("persistence-gained", () => resolve())),
		);
		await first.close();
		await gained;
		await second.reload();
		await openIn(second);
		expect(await get(second, "who")).toBe("second");
	});

	it("passes on with what its owner stored last, where nothing else was changed", async () => {
		const first = await tab();
		const second = await tab();
		const gained = second.evaluate(
			() => new Promise<void>((resolve) => self.db.on("persistence-gained", () => resolve())),
		);
		await set(first, "who", "first");
		await first.evaluate(() => self.db.close());
		await gained;
		expect(await get(second, "who")).toBe("first");
	});

	it("stays what it was when both tabs have changed it, and says so", async () => {
		const first = await tab();
		const second = await tab();
		await set(second, "who", "second");
		await set(first, "who", "first");
		await first.evaluate(() => self.db.close());
		await expect.poll(() => second.evaluate(() => self.lost.at(-1))).toMatch(/changes of its own/);
		await second.close();
		const third = await tab();
		expect(await get(third, "who")).toBe("first");
	});

	it("refuses writes when the disk is full, goes on reading, and recovers", async () => {
		const folder = mkdtempSync(join(tmpdir(), "redstart-profile-"));
		await context.close();
		context = await launchProfile(folder);
		const page = await context.newPage();
		await page.goto(server.url);
		const session = await context.newCDPSession(page);
		await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: 500_000 });
		await openIn(page);
		await page.evaluate(async () => {
			self.db.set("k", "v");
			await self.db.save();
		});
		const full = await page.evaluate(async () => {
			const noise = crypto.getRandomValues(new Uint8Array(60000));
			for (let i = 0; i < 20; i++) self.db.set(`big:${i}`, noise);
			const saved = await self.db.save().then(
				() => "saved",
				() => "refused",
			);
			let write: string;
			try {
				write = String(self.db.set("more", "1"));
			} catch (error) {
				write = (error as Error).message.split(" ")[0] as string;
			}
			return { saved, write, read: self.db.get("k"), lost: self.lost };
		});
		expect(full).toMatchObject({ saved: "refused", write: "MISCONF", read: "v" });
		expect(full.lost[0]).toMatch(/no more storage|full|quota/i);
		// Chromium counts what was deleted until it compacts its files, so room has to come from elsewhere.
		await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: 50_000_000 });
		const write = () =>
			page.evaluate(async () => {
				try {
					return String(await self.db.async.set("more", "1"));
				} catch (error) {
					return (error as Error).message;
				}
			});
		await expect.poll(write, { timeout: 20_000, interval: 250 }).toBe("OK");
		expect(await page.evaluate(() => self.db.save())).toBe("OK");
		await page.reload();
		await openIn(page);
		expect(await get(page, "more")).toBe("1");
		await context.close();
		rmSync(folder, { recursive: true, force: true });
	});

	it("becomes whole again after the site's data was cleared", async () => {
		const page = await tab();
		await page.evaluate(async () => {
			self.db.set("k", "v");
			await self.db.save();
		});
		const session = await context.newCDPSession(page);
		await session.send("Storage.clearDataForOrigin", { origin: server.url, storageTypes: "indexeddb" });
		expect(await page.evaluate(() => self.db.save())).toBe("OK");
		await page.reload();
		await openIn(page);
		expect(await get(page, "k")).toBe("v");
	});

	it("becomes whole again however the clearing meets a save", async () => {
		const page = await tab();
		const session = await context.newCDPSession(page);
		const clear = () =>
			session.send("Storage.clearDataForOrigin", { origin: server.url, storageTypes: "indexeddb" });
		for (let round = 0; round < 40; round++) {
			const saving = page.evaluate(async (value) => {
				self.db.set("k", String(value));
				await self.db.save();
				await self.db.save();
			}, round);
			if (round % 4 === 0) await saving;
			await Promise.all([saving, clear()]);
			// What was cleared at last is for the next save to make good.
			expect(await page.evaluate(() => self.db.save())).toBe("OK");
			if (round % 10 < 9) continue;
			await page.reload();
			await openIn(page);
			expect(await get(page, "k")).toBe(String(round));
		}
		expect(await page.evaluate(() => self.lost)).toEqual([]);
	});

	it("is kept in memory, with a warning, where there is no IndexedDB", async () => {
		const page = await context.newPage();
		await page.addInitScript(() => Object.defineProperty(self, "indexedDB", { value: undefined }));
		await page.goto(server.url);
		await openIn(page);
		expect(await page.evaluate(() => self.db.set("k", "v"))).toBe("OK");
		await expect.poll(() => page.evaluate(() => self.lost[0])).toMatch(/memory only/);
	});

	it("keeps a large dataset", async () => {
		const page = await tab();
		const keys = await page.evaluate(async () => {
			const noise = crypto.getRandomValues(new Uint8Array(1000));
			for (let i = 0; i < 5000; i++) self.db.set(`key:${i}`, noise);
			await self.db.save();
			return self.db.dbsize();
		});
		await page.reload();
		await openIn(page);
		expect(await page.evaluate(() => self.db.dbsize())).toBe(keys);
	});
});

describe("two tabs", () => {
	it("hear what is published in either, bytes and patterns included", async () => {
		const [one, two] = [await tab(), await tab()];
		for (const page of [one, two]) {
			await page.evaluate(() => {
				const { db, heard } = self;
				db.subscribe("bytes", (message) => heard.push([...message]), { bytes: true });
				db.psubscribe("news:*", (message, channel, pattern) => heard.push([message, channel, pattern]));
			});
		}
		const counts = await one.evaluate(() => [
			self.db.publish("bytes", Uint8Array.of(0, 255, 10)),
			self.db.publish("news:1", "h\u00e9llo"),
		]);
		expect(counts).toEqual([1, 1]);
		const expected = [
			[0, 255, 10],
			["h\u00e9llo", "news:1", "news:*"],
		];
		await expect.poll(() => two.evaluate(() => self.heard)).toEqual(expected);
		expect(await one.evaluate(() => self.heard)).toEqual(expected);
	});
});
