/** The built playground in Chromium: pages that collect what goes wrong in them. */

import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { build, preview } from "vite";
import { launchChromium } from "../chromium.mjs";

const root = new URL("../../www/", import.meta.url).pathname;

export interface Playground {
	readonly url: string;
	open(options?: BrowserContextOptions): Promise<Visit>;
	close(): Promise<void>;
}

/** A visitor with a profile of their own. */
export interface Visit {
	readonly context: BrowserContext;
	readonly page: Page;
	/** Errors and warnings of the console, exceptions, and requests that left the origin; of all the visitor's tabs. */
	readonly complaints: string[];
}

/** Builds and serves the page. */
export async function startPlayground(): Promise<Playground> {
	await build({ root, logLevel: "error" });
	const server = await preview({ root, logLevel: "error", preview: { port: 0, host: "localhost" } });
	const url = server.resolvedUrls?.local[0];
	if (!url) throw new Error("the page is not served");
	const browser: Browser = await launchChromium();
	return {
		url,
		async open(options = {}) {
			const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
			const complaints: string[] = [];
			const watch = (page: Page) => {
				page.on("console", (message) => {
					if (["error", "warning"].includes(message.type())) complaints.push(message.text());
				});
				page.on("pageerror", (error) => complaints.push(String(error.stack)));
				page.on("request", (request) => {
					if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url))
						complaints.push(request.url());
				});
			};
			context.on("page", watch);
			const page = await context.newPage();
			await page.goto(url);
			await ready(page);
			return { context, page, complaints };
		},
		async close() {
			await browser.close();
			await server.close();
		},
	};
}

/** Waits until the prompt is there. */
export async function ready(page: Page): Promise<void> {
	await page.waitForSelector("html[data-ready]", { state: "attached", timeout: 30_000 });
}

/** Runs a line in the terminal; what was answered. */
export async function run(page: Page, line: string): Promise<string> {
	const log = page.locator("#spoken p");
	const before = await log.count();
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.insertText(line);
	await page.keyboard.press("Enter");
	await page.waitForFunction((count) => document.querySelectorAll("#spoken p").length > count, before);
	return (await log.nth(before).textContent()) ?? "";
}

/** The text on the terminal, row by row. */
export async function screenText(page: Page): Promise<string> {
	const rows = await page.locator(".xterm-rows > div").allTextContents();
	return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n");
}
