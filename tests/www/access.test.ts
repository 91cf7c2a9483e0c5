/** What people with a keyboard, a screen reader, a phone or dark surroundings meet. */

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

test("landmarks, one heading, names for everything that can be used", async () => {
	visit = await playground.open();
	const { page } = visit;
	await run(page, "SET a 1");
	await page.locator(".row").first().click();
	for (const selector of [
		"header",
		"main",
		"footer",
		"h1",
		'nav[aria-label="Views"]',
		"html[lang]",
		"title",
	]) {
		expect(await page.locator(selector).count(), selector).toBe(1);
	}
	const nameless = await page.evaluate(() => {
		const named = (element: Element) =>
			element.getAttribute("aria-label") ||
			element.getAttribute("aria-labelledby") ||
			element.textContent?.trim() ||
			(element as HTMLInputElement).labels?.[0]?.textContent?.trim();
		const all = document.querySelectorAll("button, input, select, textarea, summary, [role], a");
		const silent = new Set(["presentation", "alert"]);
		return [...all]
			.filter((e) => !silent.has(e.getAttribute("role") ?? "") && !named(e))
			.map((e) => e.outerHTML);
	});
	expect(nameless).toEqual([]);
	const ids = await page.evaluate(() => [...document.querySelectorAll("[id]")].map((element) => element.id));
	expect(new Set(ids).size).toBe(ids.length);
});

test("Tab completes in a line, leaves from an empty one, and Shift-Tab always leaves", async () => {
	visit = await playground.open();
	const { page } = visit;
	const isInside = () =>
		page.evaluate(() => document.activeElement?.classList.contains("xterm-helper-textarea"));
	await page.keyboard.type("dbsi");
	await page.keyboard.press("Tab");
	await expect.poll(() => screenText(page)).toContain("redstart> dbsize");
	expect(await isInside()).toBe(true);
	await page.keyboard.press("Shift+Tab");
	expect(await isInside()).toBe(false);
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.press("Control+c");
	await page.keyboard.press("Tab");
	expect(await isInside()).toBe(false);
	expect(await page.evaluate(() => document.activeElement?.id)).toBe("saved");
});

test("focus can be seen wherever Tab goes", async () => {
	visit = await playground.open();
	const { page } = visit;
	await page.evaluate(() => (document.activeElement as HTMLElement).blur());
	const seen = new Set<string>();
	const hidden: string[] = [];
	for (let i = 0; i < 22; i++) {
		await page.keyboard.press("Tab");
		const focus = await page.evaluate(() => {
			const element = document.activeElement as HTMLElement;
			const { outlineStyle, outlineWidth } = getComputedStyle(element);
			const isTerminal = element.classList.contains("xterm-helper-textarea");
			const isShown = isTerminal || (outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2);
			return { what: element.id || `${element.tagName}.${element.className}`, isShown };
		});
		if (!focus.what.startsWith("BODY") && !focus.isShown) hidden.push(focus.what);
		seen.add(focus.what);
	}
	expect(hidden).toEqual([]);
	for (const id of ["resp2", "second-tab", "filter", "type-filter", "saved"]) expect([...seen]).toContain(id);
});

test("replies are announced once", async () => {
	visit = await playground.open();
	const { page } = visit;
	const log = page.locator("#spoken");
	expect(await log.getAttribute("aria-live")).toBe("polite");
	await run(page, "ECHO spoken");
	expect(await log.locator("p").allTextContents()).toEqual(['"spoken"\n']);
	await page.locator("#menu summary").click();
	await page.getByLabel("Screen reader mode").check();
	await page.keyboard.press("Escape");
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.type("ECHO aloud\r");
	await expect.poll(() => page.locator(".xterm-accessibility").textContent()).toContain('"aloud"');
	expect(await log.locator("p").count()).toBe(1);
});

for (const colorScheme of ["light", "dark"] as const) {
	test(`text has a contrast of 4.5 in ${colorScheme}`, async () => {
		visit = await playground.open({ colorScheme });
		const { page } = visit;
		await run(page, "SET session:1 x EX 9");
		await run(page, `SET doc '{"n":1}'`);
		await page.locator(".row", { hasText: "doc" }).click();
		await page.locator("#menu summary").click();
		const low = await page.evaluate(() => {
			const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
			const light = (rgb: number[]) => {
				const [r = 0, g = 0, b = 0] = rgb.map((c) =>
					c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
				);
				return 0.2126 * r + 0.7152 * g + 0.0722 * b;
			};
			const behind = (element: Element | null): number[] => {
				for (let at = element; at; at = at.parentElement) {
					const rgba = channels(getComputedStyle(at).backgroundColor);
					if (rgba.length === 3 || (rgba[3] ?? 0) > 0.5) return rgba.slice(0, 3);
				}
				return [255, 255, 255];
			};
			const found: string[] = [];
			for (const element of document.querySelectorAll("body *")) {
				const isText = [...element.childNodes].some(
					(node) => node.nodeType === 3 && node.textContent?.trim(),
				);
				if (
					!isText ||
					element.closest(".xterm, script, style, option, noscript") ||
					!element.getClientRects().length
				)
					continue;
				const a = light(channels(getComputedStyle(element).color).slice(0, 3)) + 0.05;
				const b = light(behind(element)) + 0.05;
				const ratio = Math.max(a, b) / Math.min(a, b);
				if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 90)}`);
			}
			return found;
		});
		expect(low).toEqual([]);
	});
}

test("the chosen appearance stays, and the system's is followed without one", async () => {
	visit = await playground.open({ colorScheme: "dark" });
	const { page } = visit;
	const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const dark = await background();
	await page.locator("#menu summary").click();
	await page.getByLabel("Light").check();
	const light = await background();
	expect(light).not.toBe(dark);
	await page.reload();
	await ready(page);
	expect(await background()).toBe(light);
	await page.locator("#menu summary").click();
	await page.getByLabel("System").check();
	expect(await background()).toBe(dark);
});

test("fits a phone, with terminal and keys in turn", async () => {
	visit = await playground.open({ viewport: { width: 360, height: 720 }, isMobile: true, hasTouch: true });
	const { page } = visit;
	await run(page, "SET phone yes");
	const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	expect(await overflow()).toBe(0);
	await page.getByRole("button", { name: /^Keys/ }).tap();
	await page.locator(".row").tap();
	expect(await page.locator("#value").isVisible()).toBe(true);
	expect(await overflow()).toBe(0);
	await page.getByRole("button", { name: "Terminal" }).tap();
	expect(await screenText(page)).toContain("redstart> SET phone yes");
	await page.getByRole("button", { name: "Previous line" }).tap();
	await page.getByRole("button", { name: "Ctrl-C" }).tap();
	await page.keyboard.type("dbsi");
	await page.getByRole("button", { name: "Tab", exact: true }).tap();
	await expect.poll(() => screenText(page)).toContain("redstart> SET phone yes^C\nredstart> dbsize");
});
