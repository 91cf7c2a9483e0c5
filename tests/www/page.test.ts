import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Playground, ready, run, screenText, startPlayground, type Visit } from "./browser.ts";

let playground: Playground;
let visit: Visit;

beforeAll(async () => {
	playground = await startPlayground();
}, 120_000);

afterAll(() => playground?.close());

afterEach(async () => {
	const { complaints } = visit;
	await visit.context.close();
	expect(complaints).toEqual([]);
});

const keyNames = () => visit.page.locator(".row .name").allTextContents();
const rowOf = (name: string) =>
	visit.page.locator(".row", { has: visit.page.getByText(name, { exact: true }) });
const saved = () => visit.page.waitForSelector('#saved[data-state="saved"]');

test("a visitor runs commands and sees the keys", async () => {
	visit = await playground.open();
	const { page } = visit;
	expect(await run(page, "SET greeting hello EX 100")).toBe("OK\n");
	expect(await run(page, "INCR user:1:visits")).toBe("(integer) 1\n");
	expect(await run(page, "SET user:2:visits 5")).toBe("OK\n");
	expect(await screenText(page)).toContain("redstart> INCR user:1:visits\n(integer) 1\nredstart> ");
	await expect.poll(keyNames).toEqual(["greeting", "user:", "1:visits", "2:visits"]);
	await expect.poll(() => page.locator("#keys-count").textContent()).toBe("3");
	expect(await rowOf("greeting").locator(".ttl").textContent()).toMatch(/^(100|9\d)s$/);
	expect(await run(page, "DEL greeting")).toBe("(integer) 1\n");
	await expect.poll(keyNames).toEqual(["user:", "1:visits", "2:visits"]);
	await page.getByRole("button", { name: "List" }).click();
	await expect.poll(keyNames).toEqual(["user:1:visits", "user:2:visits"]);
	await page.getByRole("searchbox").fill("er:2");
	await expect.poll(keyNames).toEqual(["user:2:visits"]);
});

test("what is written survives a reload", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET kept yes");
	await run(page, "SELECT 5");
	await run(page, "SET other db");
	await saved();
	await page.reload();
	await ready(page);
	expect(await run(page, "GET kept")).toBe('"yes"\n');
	expect(await screenText(page)).toContain("2 keys of your last visit are here");
	await page.keyboard.press("ArrowUp");
	await page.keyboard.press("ArrowUp");
	await page.keyboard.press("ArrowUp");
	await expect.poll(() => screenText(page)).toContain("redstart> SELECT 5");
});

test("a reload right after a write loses nothing", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET quick yes");
	await page.goto("about:blank");
	await page.goto(playground.url);
	await ready(page);
	expect(await run(page, "GET quick")).toBe('"yes"\n');
});

test("a second tab publishes to the first, and saves once that one is closed", async () => {
	visit = await playground.open();
	const { page, context } = visit;
	const opened = context.waitForEvent("page");
	await page.getByRole("button", { name: "Second tab" }).click();
	const other = await opened;
	await ready(other);
	await expect.poll(() => screenText(page)).toContain("redstart(subscribed mode)>");
	await expect.poll(() => screenText(other)).toContain('redstart> PUBLISH news "hello from the other tab"');
	await other.locator(".xterm-helper-textarea").focus();
	await other.keyboard.press("Enter");
	await expect
		.poll(() => screenText(page))
		.toContain('1) "message"\n2) "news"\n3) "hello from the other tab"');
	await expect.poll(() => other.locator("#notice").textContent()).toMatch(/another tab owns this database/);
	await run(other, "SET later yes");
	await page.close();
	await other.waitForSelector('#saved[data-state="saved"]');
	await other.reload();
	await ready(other);
	expect(await run(other, "GET later")).toBe('"yes"\n');
	visit.complaints.splice(
		0,
		visit.complaints.length,
		...visit.complaints.filter((text) => !/another tab owns/.test(text)),
	);
});

test("works offline once it was loaded", async () => {
	visit = await playground.open();
	const { page, context } = visit;
	await run(page, "SET here still");
	await saved();
	await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
	await context.setOffline(true);
	await page.reload();
	await ready(page);
	expect(await run(page, "GET here")).toBe('"still"\n');
	expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
	await context.setOffline(false);
});

test("an example types itself, and Ctrl-C stops it", async () => {
	visit = await playground.open();
	const { page } = visit;
	await page.getByRole("button", { name: "Transaction" }).click();
	await expect.poll(() => screenText(page), { timeout: 20_000 }).toContain('1) "70"\n2) "50"');
	expect(await screenText(page)).toContain("redstart(TX)> EXEC\n1) (integer) 70\n2) (integer) 50");
	await page.getByRole("button", { name: "Rate limit" }).click();
	await page.waitForTimeout(120);
	await page.keyboard.press("Control+c");
	await expect.poll(() => page.locator('.strip [aria-busy="true"]').count()).toBe(0);
	expect(await screenText(page)).not.toContain("INCRBYFLOAT");
});

test("a value is looked at, edited, given a time and deleted, by keyboard alone", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, `SET doc '{"a":[1,true],"b":"x"}'`);
	await expect.poll(keyNames).toEqual(["doc"]);
	await page.locator("#rows").focus();
	await page.keyboard.press("Home");
	await page.keyboard.press("Enter");
	const body = page.locator(".value-body");
	await expect.poll(() => body.textContent()).toBe('{\n  "a": [\n    1,\n    true\n  ],\n  "b": "x"\n}');
	await page.getByRole("button", { name: "Hex" }).press("Enter");
	await expect.poll(() => body.textContent()).toContain('0000  7b 22 61 22 3a 5b 31 2c  {"a":[1,');
	await page.getByRole("button", { name: "Bits" }).press("Enter");
	expect(await page.locator(".bits").getAttribute("aria-label")).toMatch(/of 176 bits are set/);
	await page.getByRole("button", { name: "Edit" }).press("Enter");
	await page.getByRole("textbox", { name: "Value of doc" }).waitFor();
	await page.keyboard.press("Control+a");
	await page.keyboard.insertText("changed \u00e9");
	await page.keyboard.press("Control+Enter");
	await page.getByRole("button", { name: "Text" }).press("Enter");
	await expect.poll(() => body.textContent()).toContain("changed");
	expect(await run(page, "GET doc")).toBe('"changed \\xc3\\xa9"\n');
	await page.getByLabel("Time to live in seconds").fill("50");
	await page.keyboard.press("Enter");
	await expect.poll(() => page.locator(".value-facts").textContent()).toMatch(/expires in (50|49)s/);
	await page.getByRole("button", { name: "Persist" }).press("Enter");
	await expect.poll(() => page.locator(".value-facts").textContent()).toMatch(/no expiry/);
	await page.getByRole("button", { name: "Delete", exact: true }).press("Enter");
	await expect.poll(() => page.locator("#value").isVisible()).toBe(false);
	expect(await run(page, "EXISTS doc")).toBe("(integer) 0\n");
});

test("collections are looked at as tables that follow what is written", async () => {
	visit = await playground.open();
	const { page } = visit;
	const open = async (name: string) => {
		await rowOf(name).click();
		await expect.poll(() => page.locator(".value h3").textContent()).toBe(name);
	};
	const cells = async () => {
		const rows = await page.locator(".cells").first().locator("tr").all();
		return Promise.all(rows.map(async (row) => (await row.locator("th, td").allTextContents()).join(" | ")));
	};
	const facts = () => page.locator(".value-facts").textContent();
	await run(page, "RPUSH jobs one two");
	await run(page, "HSET user name Ada token x");
	await run(page, "HEXPIRE user 100 FIELDS 1 token");
	await run(page, "ZADD scores 120 ada 95.5 ken");
	await run(page, "ARSET lines 0 a b");
	await run(page, "XADD events 1-1 type click");
	await run(page, "XGROUP CREATE events readers 0");
	await expect.poll(keyNames).toEqual(["events", "jobs", "lines", "scores", "user"]);
	await open("jobs");
	await expect.poll(cells).toEqual(["index | element", "0 | one", "1 | two"]);
	await run(page, "RPUSH jobs three");
	await expect.poll(cells).toContain("2 | three");
	expect(await facts()).toMatch(/^3 elementslistpack/);
	await open("user");
	await expect
		.poll(cells)
		.toEqual([
			"field | value | expires",
			expect.stringMatching(/^token \| x \| (100|99)s$/),
			"name | Ada | ",
		]);
	await open("scores");
	await expect.poll(cells).toEqual(["rank | member | score", "0 | ada | 120", "1 | ken | 95.5"]);
	await page.getByRole("button", { name: "Lowest" }).click();
	await expect.poll(cells).toEqual(["rank | member | score", "0 | ken | 95.5", "1 | ada | 120"]);
	await open("events");
	await expect.poll(cells).toEqual(["id | fields", "1-1 | type click"]);
	await page.getByRole("button", { name: "Groups" }).click();
	await expect.poll(cells).toContain("readers | 0 | 0 | 1 | 0-0");
	await open("lines");
	await expect.poll(cells).toEqual(["index | value", "0 | a", "1 | b"]);
	await run(page, "ARDELRANGE lines 0 9");
	await expect.poll(() => page.locator("#value").isVisible()).toBe(false);
});

test("long collections are read in parts", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, `RPUSH long ${Array.from({ length: 250 }, (_, i) => i).join(" ")}`);
	await rowOf("long").click();
	await expect.poll(() => page.locator(".cells tbody tr").count()).toBe(100);
	await page.getByRole("button", { name: "Show more" }).click();
	await expect.poll(() => page.locator(".cells tbody tr").count()).toBe(250);
	expect(await page.getByRole("button", { name: "Show more" }).count()).toBe(0);
});

test("keys that expire go from the list", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET brief x PX 1500");
	await run(page, "SET stays x");
	await expect.poll(keyNames).toEqual(["brief", "stays"]);
	await expect.poll(keyNames, { timeout: 6000 }).toEqual(["stays"]);
});

test("a hundred thousand keys, of which few are elements", async () => {
	visit = await playground.open();
	const { page } = visit;
	const lines = Array.from({ length: 100 }, (_, i) => {
		const pairs = Array.from({ length: 1000 }, (_, j) => `item:x:${i * 1000 + j} value`);
		return `MSET ${pairs.join(" ")}`;
	});
	const file = { name: "many.redis", mimeType: "text/plain", buffer: Buffer.from(lines.join("\n")) };
	await page.locator("#import-file").setInputFiles(file);
	await expect
		.poll(() => page.locator("#notice").textContent(), { timeout: 30_000 })
		.toBe("100 commands ran.");
	await expect.poll(() => page.locator("#keys-count").textContent(), { timeout: 30_000 }).toBe("100,000");
	await page.getByRole("button", { name: "List" }).click();
	await expect.poll(async () => (await keyNames())[0]).toBe("item:x:0");
	expect(await page.locator(".row").count()).toBeLessThan(60);
	await page.locator("#rows").focus();
	await page.keyboard.press("End");
	await expect.poll(async () => (await keyNames()).at(-1)).toBe("item:x:99999");
	await page.getByRole("searchbox").fill("item:x:7777?");
	await expect.poll(() => page.locator("#keys-count").textContent()).toBe("10 found");
	await run(page, "FLUSHALL");
	await expect.poll(() => page.locator("#rows-empty").textContent()).toBe("No key matches the filter.");
});

test("keys and values of any bytes", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, 'SET "bin\\xff\\x00" "\\x00\\xfe"');
	await expect.poll(keyNames).toEqual(['"bin\\xff\\x00"']);
	await page.locator(".row").click();
	await expect
		.poll(() => page.locator(".value-body").textContent())
		.toBe("0000  00 fe                    ..");
	await page.locator("#rows").focus();
	await page.keyboard.press("Delete");
	expect(await run(page, "DBSIZE")).toBe("(integer) 0\n");
});

test("export and import bring everything back", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, 'SET a "1 \\"x\\" \\xff" PX 500000');
	await run(page, "SELECT 2");
	await run(page, "SET b 2");
	const download = page.waitForEvent("download");
	await page.locator("#menu summary").click();
	await page.getByRole("button", { name: "Export as commands" }).click();
	const path = await (await download).path();
	expect(readFileSync(path, "utf8")).toMatch(/^SET "a" "1 \\"x\\" \\xff" PXAT \d+\nSELECT 2\nSET "b" "2"\n$/);
	await run(page, "FLUSHALL");
	await page.locator("#import-file").setInputFiles(path);
	await expect.poll(() => page.locator("#notice").textContent()).toBe("3 commands ran.");
	expect(await run(page, "GET b")).toBe('"2"\n');
	await run(page, "SELECT 0");
	expect(await run(page, "GET a")).toBe('"1 \\"x\\" \\xff"\n');
	expect(await run(page, "PTTL a")).toMatch(/^\(integer\) 4\d{5}\n$/);
});

test("the protocol is switched by button and by HELLO", async () => {
	visit = await playground.open();
	const { page } = visit;
	const pressed = () => page.locator('.top .segmented [aria-pressed="true"]').textContent();
	await page.getByRole("button", { name: "RESP3" }).first().click();
	await expect.poll(pressed).toBe("RESP3");
	expect(await run(page, "CONFIG GET maxmemory")).toBe('1# "maxmemory" => "0"\n');
	await run(page, "HELLO 2");
	await expect.poll(pressed).toBe("RESP2");
});

test("Ctrl-V pastes, and runs the lines of the paste", async () => {
	visit = await playground.open({ permissions: ["clipboard-read", "clipboard-write"] });
	const { page } = visit;
	await page.evaluate(() => navigator.clipboard.writeText("SET pasted 1\nINCR pasted\nGET pas"));
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.press("Control+v");
	await expect.poll(() => screenText(page)).toContain("INCR pasted\n(integer) 2\nredstart> GET pas");
});

test("after SHUTDOWN the page says so, and a reload begins anew", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET before shutdown");
	await run(page, "SHUTDOWN");
	await expect.poll(() => page.locator("#notice").textContent()).toMatch(/was shut down/);
	expect(await run(page, "PING")).toMatch(/closed/);
	await page.waitForTimeout(1500);
	await page.reload();
	await ready(page);
	expect(await run(page, "GET before")).toBe('"shutdown"\n');
});
