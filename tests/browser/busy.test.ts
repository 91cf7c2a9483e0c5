/** A page with a script that runs long: it goes on with its timers and frames, and can end the script. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium, serveFiles } from "../chromium.mjs";
import { errorsOf } from "./page.ts";

interface Global {
	Redstart: typeof import("../../js/redstart.ts").Redstart;
}
declare const self: Global & typeof window;

const PAGE = `<!doctype html><title>busy</title><script type="module">
	import { Redstart } from "/pkg/browser.js";
	self.Redstart = Redstart;
</script>`;

let browser: Browser;
let server: { url: string; close(): Promise<unknown> };

beforeAll(async () => {
	server = await serveFiles({ "/": PAGE });
	browser = await launchChromium();
});
afterAll(async () => {
	await browser?.close();
	await server?.close();
});

it("goes on with timers, frames and clicks, and ends the script", async () => {
	const page = await browser.newPage();
	await page.goto(server.url);
	await page.waitForFunction(() => self.Redstart !== undefined);
	const errors = errorsOf(page);
	await page.evaluate(() => {
		document.body.innerHTML = "<button>stop</button>";
	});
	const result = page.evaluate(async () => {
		const db = await self.Redstart.open("memory://");
		let timers = 0;
		let frames = 0;
		const timer = setInterval(() => timers++, 5);
		const frame = () => {
			frames++;
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
		const running = db.async.eval("while true do end").catch((error: Error) => error.message);
		const button = document.querySelector("button") as HTMLButtonElement;
		await new Promise((resolve) => button.addEventListener("click", resolve));
		clearInterval(timer);
		const isBusy = db.engine.isBusy;
		const killed = db.scriptKill();
		const error = await running;
		await db.async.eval("return redis.call('SET', 'k', 'v')");
		return { timers, frames, isBusy, killed, error, value: db.get("k") };
	});
	await new Promise((resolve) => setTimeout(resolve, 500));
	await page.click("button");
	const { timers, frames, isBusy, killed, error, value } = await result;
	expect(isBusy).toBe(true);
	expect(timers).toBeGreaterThan(5);
	expect(frames).toBeGreaterThan(2);
	expect(killed).toBe("OK");
	expect(error).toMatch(/^ERR Script killed by user with SCRIPT KILL\.\.\. script: /);
	expect(value).toBe("v");
	expect(errors).toEqual([]);
});
