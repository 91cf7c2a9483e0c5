// Kills browsers, tabs and pages while they write, opens the same profile again and counts. Rows of `npm run survive`.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";
import { Judge } from "./judge.mjs";
import { openPlace, sleep, until } from "./place.mjs";
import { between, random } from "./stream.mjs";

const PAGE = (isWorker) => `<!doctype html><title>survival</title><script type="module">
	import { host, inWorker } from "/tests/survival/host.mjs";
	self.host = ${isWorker ? "inWorker()" : "host"};
</script>`;
export const PAGES = {
	"/": PAGE(false),
	"/worker": PAGE(true),
	"/elsewhere": "<!doctype html><title>elsewhere</title>",
};

const STEP_LIMIT_ms = 60_000;
/** How long a tab writes before it dies, in ms after its first acknowledgement. */
const LIFE_ms = [30, 1000];

/** The deaths of a tab, of which some leave a browser. What they return is done after the next tab is open. */
const DEATHS = {
	/** kill -9 of the browser and all its processes. */
	kill: (_, profile) => profile.kill(),
	/** The renderer crashes. */
	async crash(tab) {
		await tab.crash();
		await tab.close();
	},
	close: (tab) => tab.close(),
	/** The visitor goes to another page. */
	async navigate(tab, profile) {
		await tab.go(`${profile.place.url}/elsewhere`);
		return () => tab.close();
	},
	async reload(tab) {
		await tab.reload();
		return () => tab.close();
	},
	/** A new tab in front of it, then the browser takes its memory. */
	async hide(tab, profile) {
		const front = await profile.tab("/elsewhere");
		await front.front();
		await sleep(20);
		await DEATHS.crash(tab);
		return () => front.close();
	},
	/** Frozen in the background and discarded: nothing of the page runs any more. */
	async freeze(tab, profile) {
		const front = await profile.tab("/elsewhere");
		await front.front();
		await tab.send("Page.setWebLifecycleState", { state: "frozen" });
		await sleep(20);
		await DEATHS.crash(tab);
		return () => front.close();
	},
};

/** A profile that outlives its browsers. */
export class Profile {
	constructor(place, folder, args = []) {
		this.place = place;
		this.folder = folder;
		this.args = args;
	}

	tab(path) {
		this.chromium ??= new Chromium(this.folder, this.args);
		return this.chromium.open(this.place.url + path);
	}

	async kill() {
		const { chromium } = this;
		this.chromium = undefined;
		await chromium?.kill();
	}
}

/** One row: a way to die, a driver, a mode. */
async function chain({ death, scheme, mode, trials, seed, place, log }) {
	const folder = mkdtempSync(join(tmpdir(), "redstart-survival-"));
	const profile = new Profile(place, folder);
	const name = `${scheme} ${mode}: ${death}`;
	const rng = random(seed);
	const judge = new Judge(seed);
	const row = { name, trials: 0, acknowledged: 0, lost: 0 };
	let acknowledged = 0;
	try {
		const url = `${scheme}://survival`;
		const options = { config: { appendfsync: mode } };
		const path = scheme === "opfs" ? "/worker" : "/";
		let tab;
		for (let trial = 0; trial <= trials; trial++) {
			if (!tab) {
				tab = await profile.tab(path);
				await tab.ask("open", { url, options, waits: true });
			}
			const { count, lost } = judge.find(await tab.ask("read"), acknowledged);
			row.lost += lost;
			if (lost > 0) log(`${name}, trial ${trial}: ${lost} of ${acknowledged} acknowledged writes are lost`);
			if (trial === trials) break;
			const run = `${scheme}-${mode}-${death}-${trial}`;
			const depth = between(rng, 1, 12);
			await tab.ask("start", { name: run, seed, from: count, depth, pauses: true });
			await until("the first acknowledgement", () => told(place, run), STEP_LIMIT_ms);
			let next;
			if (death === "take over") {
				next = await profile.tab(path);
				await next.ask("open", { url, options, waits: false });
			}
			await sleep(between(rng, ...LIFE_ms));
			const die = DEATHS[death] ?? DEATHS[between(rng, 0, 1) ? "crash" : "close"];
			const after = await die(tab, profile);
			await next?.ask("owned");
			await after?.();
			tab = next;
			// What was on its way has arrived by now or never will.
			await sleep(30);
			acknowledged = Math.max(count, told(place, run) ?? 0);
			row.trials++;
			row.acknowledged += acknowledged - count;
		}
	} finally {
		await profile.kill();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	}
	return row;
}

/** How many writes a run has acknowledged; throws what it ended with. */
function told(place, run) {
	const error = place.reports.get(`${run}-error`);
	if (error) throw new Error(`writing ended with: ${error}`);
	return place.reports.get(run);
}

const SCHEMES = ["idb", "opfs"];
const WAYS = [...Object.keys(DEATHS), "take over"];

/** What a short run does. */
export const SHORT = [
	"idb everysec: kill",
	"idb always: crash",
	"idb everysec: freeze",
	"idb always: take over",
];

/** All rows whose names contain one of `only`; each as soon as it is there. */
export async function* run({ trials, seed, only, log }) {
	const place = await openPlace(PAGES);
	try {
		for (const scheme of SCHEMES) {
			for (const mode of ["always", "everysec"]) {
				for (const death of WAYS) {
					const name = `${scheme} ${mode}: ${death}`;
					if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
					try {
						yield await chain({ death, scheme, mode, trials, seed, place, log });
					} catch (error) {
						yield { name, trials, error: error.message };
					}
				}
			}
		}
	} finally {
		await place.close();
	}
}
