/** Files in and out, and the Storage sheet. */

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Redstart } from "../../js/redstart.ts";
import { engineModule, open as openDatabase } from "../js/open.ts";
import { type Playground, ready, run, startPlayground, type Visit } from "./browser.ts";

let playground: Playground;
let visit: Visit;
let dump: Buffer;
/** Takes long enough to be watched. */
let longDump: Buffer;

beforeAll(async () => {
	playground = await startPlayground();
	const database = await Redstart.open("memory://", { wasm: engineModule });
	for (let i = 0; i < 50; i++) database.set(`user:${i}`, `name ${i}`);
	database.rpush("jobs", ["a", "b"]);
	dump = Buffer.from(await database.exportRdb());
	database.flushall();
	for (let i = 0; i < 200_000; i += 1000) {
		const pipeline = database.pipeline();
		for (let j = i; j < i + 1000; j++) pipeline.set(`key:${j}`, `value of ${j}`);
		pipeline.exec();
	}
	longDump = Buffer.from(await database.exportRdb());
	await database.close();
}, 120_000);

afterAll(() => playground?.close());

afterEach(async () => {
	const { complaints } = visit;
	await visit.context.close();
	expect(complaints).toEqual([]);
});

const notice = () => visit.page.locator("#notice").textContent();
const file = (buffer: Buffer, name = "dump.rdb") => ({ name, mimeType: "application/octet-stream", buffer });

/** Drags a file over the page, and lets it go there unless it is to stay in the air. */
async function drop(page: Page, buffer: Buffer, events = ["dragover", "drop"]): Promise<void> {
	await page.evaluate(
		([text, names]) => {
			const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
			const transfer = new DataTransfer();
			transfer.items.add(new File([bytes], "dropped.rdb"));
			for (const name of names) {
				const event = new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true });
				document.querySelector(".screen")?.dispatchEvent(event);
			}
		},
		[buffer.toString("base64"), events] as const,
	);
}

test("a dump.rdb is opened by keyboard, and is there after a reload", async () => {
	visit = await playground.open();
	const { page } = visit;
	const chooser = page.waitForEvent("filechooser");
	await page.locator("#menu summary").focus();
	await page.keyboard.press("Enter");
	await page.getByRole("button", { name: "Open dump.rdb" }).press("Enter");
	await (await chooser).setFiles(file(dump));
	await expect.poll(notice).toMatch(/^dump\.rdb is open: 51 keys in \d+\.\d s\.$/);
	await expect.poll(() => page.locator("#keys-count").textContent()).toBe("51");
	expect(await run(page, "LRANGE jobs 0 -1")).toBe('1) "a"\n2) "b"\n');
	await page.reload();
	await ready(page);
	expect(await run(page, "DBSIZE")).toBe("(integer) 51\n");
});

test("what is here is replaced only when the visitor says so, and can be downloaded first", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET precious x");
	await page.locator("#dump-file").setInputFiles(file(dump, "other.rdb"));
	const sheet = page.getByRole("dialog", { name: "Open other.rdb?" });
	await sheet.waitFor();
	expect(await page.locator("#replace-text").textContent()).toMatch(
		/takes the place of the 1 key that is here/,
	);
	const download = page.waitForEvent("download");
	await sheet.getByRole("button", { name: "Download what is here first" }).click();
	const saved = await (await download).path();
	const database = await openDatabase();
	expect(await database.importRdb(readFileSync(saved))).toMatchObject({ keys: 1 });
	expect(database.get("precious")).toBe("x");
	await page.keyboard.press("Escape");
	expect(await run(page, "GET precious")).toBe('"x"\n');
	await page.locator("#dump-file").setInputFiles(file(dump, "other.rdb"));
	await sheet.getByRole("button", { name: "Replace" }).click();
	await expect.poll(notice).toMatch(/^other\.rdb is open: 51 keys/);
	expect(await run(page, "EXISTS precious")).toBe("(integer) 0\n");
});

test("a long file shows how far it is, leaves the page alive, and can be given up", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET precious x");
	const devtools = await visit.context.newCDPSession(page);
	await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
	await page.evaluate(() => {
		// What the bar showed, and how often the page drew meanwhile.
		const seen = { values: [] as number[], frames: 0 };
		Object.assign(window, { seen });
		const bar = document.querySelector("progress") as HTMLProgressElement;
		const look = () => {
			if (bar.getClientRects().length > 0) {
				seen.frames++;
				if (bar.position > 0) seen.values.push(bar.position);
			}
			requestAnimationFrame(look);
		};
		requestAnimationFrame(look);
	});
	await page.locator("#dump-file").setInputFiles(file(longDump, "long.rdb"));
	await page.getByRole("button", { name: "Replace" }).click();
	await page.getByRole("button", { name: "Cancel" }).click();
	await expect.poll(notice).toBe("Opening long.rdb was given up.");
	expect(await run(page, "GET precious")).toBe('"x"\n');
	await page.locator("#dump-file").setInputFiles(file(longDump, "long.rdb"));
	await page.getByRole("button", { name: "Replace" }).click();
	await expect.poll(notice).toMatch(/^long\.rdb is open: 200,000 keys/);
	const { values, frames } = await page.evaluate(
		() => (window as unknown as { seen: { values: number[]; frames: number } }).seen,
	);
	expect(new Set(values).size).toBeGreaterThan(2);
	expect(frames).toBeGreaterThan(5);
	expect(await page.locator("#transfer").isVisible()).toBe(false);
});

test("a file is dropped anywhere on the page", async () => {
	visit = await playground.open();
	const { page } = visit;
	await drop(page, dump, ["dragover"]);
	expect(await page.locator("#drop").isVisible()).toBe(true);
	await drop(page, dump, ["dragleave"]);
	expect(await page.locator("#drop").isVisible()).toBe(false);
	await drop(page, dump);
	await expect.poll(notice).toMatch(/^dropped\.rdb is open: 51 keys/);
	expect(await page.locator("#drop").isVisible()).toBe(false);
});

test("a file that is damaged or something else changes nothing, and says why", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET precious x");
	await page.locator("#dump-file").setInputFiles(file(Buffer.from("hello"), "letter.txt"));
	await expect
		.poll(notice)
		.toBe("letter.txt is no RDB file: it does not begin with REDIS. Nothing was changed.");
	await page.locator("#dump-file").setInputFiles(file(dump.subarray(0, dump.length - 40)));
	await page.getByRole("button", { name: "Replace" }).click();
	await expect
		.poll(notice)
		.toMatch(/^dump\.rdb cannot be opened: the snapshot is truncated, at byte \d+\. Nothing was changed\.$/);
	expect(await run(page, "GET precious")).toBe('"x"\n');
});

test("dump.rdb is downloaded", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET a 1");
	const download = page.waitForEvent("download");
	await page.locator("#menu summary").click();
	await page.getByRole("button", { name: "Download dump.rdb" }).first().click();
	const got = await download;
	expect(got.suggestedFilename()).toBe("dump.rdb");
	expect(
		readFileSync(await got.path())
			.subarray(0, 5)
			.toString(),
	).toBe("REDIS");
	await expect.poll(notice).toMatch(/^dump\.rdb was downloaded: \d+ B\.$/);
});

test("the Storage sheet tells what is kept, and saves", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET a 1");
	await page.locator("#saved").focus();
	await page.keyboard.press("Enter");
	const sheet = page.getByRole("dialog", { name: "Storage" });
	await sheet.waitFor();
	const facts = () => page.locator("#storage-facts").textContent();
	await expect.poll(facts).toContain("Kept inIndexedDB of this browser");
	await expect.poll(facts).toMatch(/Append-only file\d+ B, every write at once/);
	await expect.poll(facts).toMatch(/Room[\d.]+ [KM]?i?B used of [\d.]+ GiB/);
	await expect.poll(facts).toContain("When room is shortthe browser may delete it");
	await page.locator("#storage-save").click();
	await expect.poll(() => page.locator("#storage-note").textContent()).toMatch(/^Background /);
	await page.keyboard.press("Escape");
	expect(await sheet.isVisible()).toBe(false);
	expect(await page.evaluate(() => document.activeElement?.id)).toBe("saved");
});

for (const colorScheme of ["light", "dark"] as const) {
	test(`the sheets fit a phone in ${colorScheme}`, async () => {
		const viewport = { width: 360, height: 640 };
		visit = await playground.open({ viewport, isMobile: true, hasTouch: true, colorScheme });
		const { page } = visit;
		await run(page, "SET a 1");
		const fits = async (selector: string) => {
			const box = await page.locator(selector).boundingBox();
			expect(box?.x).toBeGreaterThanOrEqual(0);
			expect((box?.x ?? 0) + (box?.width ?? 999)).toBeLessThanOrEqual(viewport.width);
			expect((box?.y ?? 0) + (box?.height ?? 999)).toBeLessThanOrEqual(viewport.height);
		};
		await page.locator("#saved").tap();
		await fits("#storage");
		await page.locator("#storage-close").tap();
		await page.locator("#dump-file").setInputFiles(file(dump, `${"long-".repeat(20)}name.rdb`));
		await fits("#replace");
		expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
	});
}
