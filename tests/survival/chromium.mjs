// Chromium as a visitor has it: with a profile that outlives it, tabs that are hidden and frozen, and nothing between it and
// kill -9. Driven over its debugging pipe alone, because a driver would keep every tab awake and in front.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findBrowser } from "../../scripts/setup.mjs";
import { until, within } from "./place.mjs";
import { killGroup, start } from "./processes.mjs";

const FLAGS = [
	"--headless=new",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-dev-shm-usage",
	"--disable-quic",
	"--no-first-run",
	"--no-default-browser-check",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--disable-extensions",
	"--remote-debugging-pipe",
];
const STEP_LIMIT_ms = 60_000;

export class Chromium {
	constructor(profile, args = []) {
		const { chrome } = findBrowser();
		if (!chrome) throw new Error("no Chrome or Chromium found: run `npm run setup`");
		this.profile = profile;
		this.started = start(chrome, [...FLAGS, ...args, `--user-data-dir=${profile}`, "about:blank"], {
			pipes: 2,
		});
		this.last = 0;
		this.waiting = new Map();
		this.tabs = new Map();
		let rest = "";
		const [, , , input, output] = this.started.stdio;
		this.input = input;
		input.on("error", () => undefined);
		output.setEncoding("utf8").on("data", (chunk) => {
			const messages = (rest + chunk).split("\0");
			rest = messages.pop();
			for (const message of messages) this.hear(JSON.parse(message));
		});
		void this.started.exited.then(() => {
			for (const { reject } of this.waiting.values()) reject(new Error("the browser is gone"));
			this.waiting.clear();
		});
	}

	send(method, params = {}, sessionId) {
		const id = ++this.last;
		const answered = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
		this.input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
		return within(STEP_LIMIT_ms, method, answered);
	}

	hear({ id, result, error, method, sessionId, params }) {
		if (id !== undefined) {
			const { resolve, reject } = this.waiting.get(id) ?? {};
			this.waiting.delete(id);
			if (error) reject?.(new Error(error.message));
			else resolve?.(result);
			return;
		}
		this.tabs.get(sessionId)?.hear(method, params);
	}

	/** A new tab in front of the others, with a page. */
	async open(url) {
		const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
		const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
		const tab = new Tab(this, targetId, sessionId);
		this.tabs.set(sessionId, tab);
		for (const domain of ["Page", "Runtime", "Inspector"]) await tab.send(`${domain}.enable`);
		await tab.go(url);
		return tab;
	}

	/** kill -9 of all its processes. */
	async kill() {
		await killGroup(this.started);
		// Some lead groups of their own; all of them name the profile.
		for (const pid of processesWith(this.profile)) {
			try {
				process.kill(pid, "SIGKILL");
			} catch {
				// It is gone.
			}
		}
		await until("the end of Chromium", () => processesWith(this.profile).length === 0, 10_000);
	}
}

export class Tab {
	constructor(browser, targetId, sessionId) {
		this.browser = browser;
		this.targetId = targetId;
		this.sessionId = sessionId;
		this.listeners = new Map();
		/** What went wrong in the page that nobody caught. */
		this.errors = [];
	}

	send(method, params) {
		return this.browser.send(method, params, this.sessionId);
	}

	hear(method, params) {
		if (method === "Runtime.exceptionThrown") {
			const { exceptionDetails } = params;
			this.errors.push(exceptionDetails.exception?.description ?? exceptionDetails.text);
		}
		for (const resolve of this.listeners.get(method) ?? []) resolve(params);
		this.listeners.delete(method);
	}

	/** Resolves at the next event. */
	next(method) {
		const heard = new Promise((resolve) => {
			this.listeners.set(method, [...(this.listeners.get(method) ?? []), resolve]);
		});
		return within(STEP_LIMIT_ms, method, heard);
	}

	async go(url) {
		const loaded = this.next("Page.loadEventFired");
		const { errorText } = await this.send("Page.navigate", { url });
		if (errorText) throw new Error(`${url}: ${errorText}`);
		await loaded;
	}

	async reload() {
		const loaded = this.next("Page.loadEventFired");
		await this.send("Page.reload");
		await loaded;
	}

	/** The value of an expression; a promise is waited for. */
	async evaluate(expression) {
		const how = { expression, awaitPromise: true, returnByValue: true };
		const { result, exceptionDetails } = await this.send("Runtime.evaluate", how);
		if (exceptionDetails) {
			throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		}
		return result.value;
	}

	/** Calls a method of the page's `host`, once it is there. */
	async ask(name, ...args) {
		await until("the page's host", () => this.evaluate("self.host !== undefined"));
		return this.evaluate(`host[${JSON.stringify(name)}](...${JSON.stringify(args)})`);
	}

	front() {
		return this.browser.send("Target.activateTarget", { targetId: this.targetId });
	}

	async close() {
		const { tabs } = this.browser;
		await this.browser.send("Target.closeTarget", { targetId: this.targetId });
		tabs.delete(this.sessionId);
	}

	/** Its renderer dies at once, without a word to the page. */
	async crash() {
		const crashed = this.next("Inspector.targetCrashed");
		this.send("Page.crash").catch(() => undefined);
		await crashed;
	}
}

/** Living processes with a text in their command lines, where the system shows them. */
function processesWith(text) {
	if (!existsSync("/proc")) return [];
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.filter((pid) => {
			try {
				const isDead = /^State:\s+Z/m.test(readFileSync(join("/proc", pid, "status"), "utf8"));
				return !isDead && readFileSync(join("/proc", pid, "cmdline"), "utf8").includes(text);
			} catch {
				return false;
			}
		})
		.map(Number);
}
