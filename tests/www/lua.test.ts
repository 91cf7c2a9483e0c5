/** The Lua view: what it makes of sources and errors, and the page in Chromium. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RespNode, textOf } from "../../www/engine/resp.ts";
import { LUA_EXAMPLES } from "../../www/lua/examples.ts";
import { errorLine, libraryName, ScriptRunner, wordsOf } from "../../www/lua/runner.ts";
import { pastedLines } from "../../www/terminal/editor.ts";
import { splitLine } from "../../www/terminal/split.ts";
import { type Playground, ready, screenText, startPlayground, type Visit } from "./browser.ts";
import { loadPackage } from "./package.ts";

test("tells libraries from scripts, and finds the line of an error", () => {
	expect(libraryName("#!lua name=cart\nreturn 1")).toBe("cart");
	expect(libraryName("#!lua flags=no-writes\nreturn 1")).toBeUndefined();
	expect(libraryName("return '#!lua name=x'")).toBeUndefined();
	expect(errorLine("ERR Error compiling script (new function): user_script:13: '=' expected near 'x'")).toBe(
		13,
	);
	expect(
		errorLine("ERR user_script:2: x script: 9851144f39f03a0d597a980c5aa79c80cb696891, on @user_script:2."),
	).toBe(2);
	expect(errorLine("ERR Error compiling function: user_function:2: ')' expected near '<eof>'")).toBe(2);
	expect(errorLine("tab script: 555f, on @user_script:4.")).toBe(4);
	expect(errorLine("NOSCRIPT No matching script. Please use EVAL.")).toBeUndefined();
	expect(wordsOf('a "b c"')?.map((word) => new TextDecoder().decode(word))).toEqual(["a", "b c"]);
	expect(wordsOf('a "b')).toBe(null);
});

describe("pasted commands", () => {
	const script = "local x = 'it''s'\nif x then -- yes\n\treturn {KEYS[1], \"q\"}\nend";

	test("may have a script over several lines", () => {
		const lines = pastedLines(`SET a 1\nEVAL '${script.replaceAll("'", "\\'")}' 1 k\nGET a\n`);
		expect(lines.length).toBe(4);
		expect(lines[0]).toBe("SET a 1");
		expect(splitLine(lines[1] as string)?.map((word) => word.text)).toEqual(["EVAL", script, "1", "k"]);
		expect(lines.slice(2)).toEqual(["GET a", ""]);
		expect(pastedLines('EVAL "return 1\n+ 2" 0')).toEqual(['EVAL "return 1\\n+ 2" 0']);
	});

	test("with a quote that never closes are lines as they are", () => {
		expect(pastedLines('SET a "b\nGET a\n')).toEqual(['SET a "b', "GET a", ""]);
		expect(pastedLines("# it's a comment\nGET a\n")).toEqual(["GET a", ""]);
	});
});

describe("the runner", () => {
	test("runs every example, and a library with its functions", async () => {
		const { Redstart } = await loadPackage();
		const db = await Redstart.open();
		const place = { db: 3, protocol: 2 as 2 | 3 };
		const runner = new ScriptRunner(
			() => db.engine as never,
			() => place,
		);
		const kind = (reply: RespNode | undefined) => reply?.kind;
		for (const { title, source, keys, args } of LUA_EXAMPLES) {
			if (libraryName(source)) continue;
			const { reply } = await runner.eval(source, wordsOf(keys) ?? [], wordsOf(args) ?? [], false);
			expect(kind(reply), title).not.toBe("error");
		}
		place.protocol = 3;
		const double = await runner.eval("return {double=1.5}", [], [], true);
		expect(double.reply).toEqual({ kind: "double", text: "1.5" });
		const { reply, line } = await runner.eval("\nreturn nope", [], [], false);
		expect([kind(reply), line]).toEqual(["error", 2]);
		const library = LUA_EXAMPLES.find(({ source }) => libraryName(source));
		expect(textOf((await runner.loadLibrary(library?.source ?? "")).reply)).toBe("cart");
		const [cart] = await runner.libraries();
		expect(cart?.functions).toEqual([
			{ name: "add_to_cart", description: "", flags: [] },
			{ name: "cart_total", description: "", flags: ["no-writes"] },
		]);
		expect(cart?.code).toBe(library?.source);
		const keys = wordsOf("cart:ada") ?? [];
		expect(kind((await runner.call("add_to_cart", keys, wordsOf("book 2") ?? [], false)).reply)).toBe(
			"array",
		);
		expect((await runner.call("cart_total", keys, [], true)).reply).toEqual({ kind: "int", text: "2" });
		expect((await runner.deleteLibrary("cart")).reply).toEqual({ kind: "status", text: "OK" });
		expect(await runner.libraries()).toEqual([]);
		await db.close();
	});
});

describe("on the page", () => {
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

	const result = () => visit.page.locator("#lua-result").textContent();
	const showLua = async () => {
		await visit.page.locator('.views button[data-view="lua"]').click();
		await visit.page.locator(".cm-content").waitFor();
	};
	const type = async (source: string) => {
		const { page } = visit;
		await page.locator(".cm-content").focus();
		await page.keyboard.press("Control+a");
		await page.keyboard.insertText(source);
	};

	test("a script runs with its keys and arguments, by keyboard alone", async () => {
		visit = await playground.open();
		const { page } = visit;
		await showLua();
		await type(
			"redis.call('SET', KEYS[1], ARGV[1])\nredis.log(redis.LOG_WARNING, 'wrote')\nreturn {1, ARGV[2]}",
		);
		await page.getByRole("textbox", { name: "KEYS" }).fill("from:lua");
		await page.getByRole("textbox", { name: "ARGV" }).fill('value "two words"');
		await page.locator(".cm-content").focus();
		await page.keyboard.press("Control+Enter");
		await expect.poll(result).toBe('warning: wrote\n1) (integer) 1\n2) "two words"\n');
		await expect.poll(() => page.locator(".row .name").allTextContents()).toEqual(["from:lua"]);
		await page.getByRole("checkbox", { name: "read only" }).check();
		await page.getByRole("button", { name: "Run", exact: true }).click();
		await expect.poll(result).toMatch(/^\(error\) ERR Write commands are not allowed from read-only scripts/);
		await page.getByRole("textbox", { name: "ARGV" }).fill('"open');
		await page.keyboard.press("Enter");
		await expect.poll(result).toBe("ARGV: the quotes do not close\n");
	});

	test("the line of an error is marked until it is mended", async () => {
		visit = await playground.open();
		const { page } = visit;
		await showLua();
		await type("local a = 1\nreturn a + {}\n");
		await page.keyboard.press("Control+Enter");
		await expect.poll(result).toMatch(/user_script:2: attempt to perform arithmetic on a table value/);
		expect(await page.locator(".cm-error-line").textContent()).toBe("return a + {}");
		expect(await page.locator(".cm-error-number").textContent()).toBe("2");
		await page.keyboard.type("x");
		expect(await page.locator(".cm-error-line").count()).toBe(0);
	});

	test("a library is loaded, called, opened and deleted", async () => {
		visit = await playground.open();
		const { page } = visit;
		await showLua();
		await page.getByRole("button", { name: "A library" }).click();
		await page.getByRole("button", { name: "Load library" }).click();
		await expect.poll(result).toBe('"cart"\n');
		await page.getByRole("button", { name: "Call add_to_cart with KEYS and ARGV" }).click();
		await expect.poll(result).toBe('1) "book"\n2) "2"\n');
		await page.getByRole("button", { name: "Rate limit" }).last().click();
		await page.getByRole("button", { name: "Open library cart in the editor" }).click();
		await expect.poll(() => page.locator(".cm-line").first().textContent()).toBe("#!lua name=cart");
		await page.getByRole("button", { name: "Delete library cart" }).click();
		await expect.poll(() => page.locator("#lua-libraries").textContent()).toMatch(/None yet/);
	});

	test("what is written stays over a reload, and runs as EVALSHA in the terminal", async () => {
		visit = await playground.open();
		const { page } = visit;
		await showLua();
		await type("return {'kept', KEYS[1]}");
		await page.getByRole("textbox", { name: "KEYS" }).fill('a "b c"');
		await page.getByRole("textbox", { name: "ARGV" }).fill("");
		await page.waitForTimeout(700);
		await page.reload();
		await ready(page);
		await showLua();
		expect(await page.locator(".cm-line").first().textContent()).toBe("return {'kept', KEYS[1]}");
		await page.getByRole("button", { name: "EVALSHA in the terminal" }).click();
		await expect
			.poll(() => screenText(page))
			.toMatch(/redstart> EVALSHA [0-9a-f]{40} 2 a "b c"\n1\) "kept"\n2\) "a"\nredstart>/);
	});

	test("a script that never ends is stopped, and the page goes on", async () => {
		visit = await playground.open();
		const { page } = visit;
		await showLua();
		await type("while true do end");
		await page.keyboard.press("Control+Enter");
		await page.getByRole("button", { name: "Stop" }).click();
		await expect.poll(result).toMatch(/Script killed by user with SCRIPT KILL/);
		await type("return 'again'");
		await page.keyboard.press("Control+Enter");
		await expect.poll(result).toBe('"again"\n');
	});

	test("works offline, though the editor was never looked at before", async () => {
		visit = await playground.open();
		const { page, context } = visit;
		await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
		await context.setOffline(true);
		await page.reload();
		await ready(page);
		await showLua();
		await type("return 'offline'");
		await page.keyboard.press("Control+Enter");
		await expect.poll(result).toBe('"offline"\n');
		await context.setOffline(false);
	});

	test("Ctrl-C ends a script of the terminal", async () => {
		visit = await playground.open();
		const { page } = visit;
		await page.keyboard.type("EVAL 'while true do end' 0\r");
		await page.waitForTimeout(300);
		await page.keyboard.press("Control+c");
		await expect.poll(() => screenText(page)).toMatch(/Script killed by user with SCRIPT KILL/);
		await page.keyboard.type("PING\r");
		await expect.poll(() => screenText(page)).toMatch(/redstart> PING\nPONG/);
	});

	for (const colorScheme of ["light", "dark"] as const) {
		test(`can be read in ${colorScheme}, and fits a phone`, async () => {
			visit = await playground.open({
				viewport: { width: 360, height: 720 },
				colorScheme,
				isMobile: true,
				hasTouch: true,
			});
			const { page } = visit;
			await page.locator('.views button[data-view="lua"]').tap();
			await page.locator(".cm-content").waitFor();
			await page.getByRole("button", { name: "Run", exact: true }).tap();
			await expect.poll(result).toMatch(/go on/);
			expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
			const low = await page.evaluate(() => {
				const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
				const light = (rgb: number[]) => {
					const [r = 0, g = 0, b = 0] = rgb.map((c) =>
						c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
					);
					return 0.2126 * r + 0.7152 * g + 0.0722 * b;
				};
				const back = light(
					channels(getComputedStyle(document.querySelector(".lua-editor") as Element).backgroundColor),
				);
				return [...document.querySelectorAll(".cm-line span, .lua-result span, .cm-gutterElement")]
					.map((element) => {
						const text = light(channels(getComputedStyle(element).color));
						return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
					})
					.filter((ratio) => ratio < 4.5);
			});
			expect(low).toEqual([]);
		});
	}
});
