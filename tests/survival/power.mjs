// Cuts the power of the disk under a program that writes, kills the program, and looks what is on the disk. A job for root:
// `npm run survive -- power`. With `always` nothing that was acknowledged may be lost; with `everysec` nothing that was
// acknowledged more than about a second before.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PAGES, Profile } from "./browser.mjs";
import { Disk } from "./disk.mjs";
import { Judge } from "./judge.mjs";
import { openPlace, sleep, until } from "./place.mjs";
import { Server } from "./server.mjs";
import { between, random } from "./stream.mjs";

/** How long a program writes before the cut, in ms. */
const LIFE_ms = [100, 3000];
/** What a cut may take, in ms: a second, and what it takes to write on a busy machine. */
const WINDOW_ms = { always: 0, everysec: 1500 };

/** `npx redstart` with its folder on the disk. */
class ServerOnDisk {
	constructor(disk, folder, mode) {
		this.data = join(disk.mount, "data");
		mkdirSync(this.data);
		this.socket = join(folder, "socket");
		this.directives = ["--appendonly", "yes", "--appendfsync", mode];
	}

	async read() {
		this.server = new Server(this.data, this.socket, this.directives);
		await this.server.ready();
		return this.server.read();
	}

	async write(how) {
		this.server.write(how);
	}

	/** When each write was acknowledged, in order. */
	get times() {
		return this.server.times;
	}

	async kill() {
		await this.server?.kill();
	}
}

/** A tab, with the browser's profile on the disk. */
class TabOnDisk {
	constructor(disk, place, scheme, mode) {
		this.profile = new Profile(place, join(disk.mount, "profile"));
		this.place = place;
		this.scheme = scheme;
		this.options = { config: { appendfsync: mode } };
		this.runs = 0;
	}

	/**
	 * A session that ends in peace: what a database's very first one has created may be gone after a cut, in OPFS even though
	 * it was flushed.
	 */
	async prepare(disk) {
		await this.read();
		await this.tab.ask("close");
		await this.kill();
		disk.flush();
	}

	async read() {
		this.tab = await this.profile.tab(this.scheme === "opfs" ? "/worker" : "/");
		await this.tab.ask("open", { url: `${this.scheme}://survival`, options: this.options, waits: true });
		return this.tab.ask("read");
	}

	async write(how) {
		const name = `power-${++this.runs}`;
		this.times = [];
		this.place.onReport = (from, count) => {
			if (from !== name) return;
			const now_ms = Date.now();
			while (this.times.length < count - how.from) this.times.push(now_ms);
		};
		await this.tab.ask("start", { name, ...how });
		await until("the first acknowledgement", () => this.times.length > 0);
	}

	kill() {
		return this.profile.kill();
	}
}

async function chain(name, mode, make, { trials, seed, log }) {
	const folder = mkdtempSync(join(tmpdir(), "redstart-power-"));
	const row = { name, trials: 0, acknowledged: 0, lost: 0, note: "" };
	const rng = random(seed);
	const judge = new Judge(seed);
	const disk = new Disk(folder);
	let program;
	let last = { acknowledged: 0, times: [], cut_ms: 0 };
	let widest_ms = 0;
	let within = 0;
	try {
		program = make(disk, folder);
		await program.prepare?.(disk);
		for (let trial = 0; trial <= trials; trial++) {
			const { count, lost } = judge.find(await program.read(), last.acknowledged);
			if (lost > 0) {
				const gone = last.times.slice(-lost);
				widest_ms = Math.max(widest_ms, last.cut_ms - gone[0]);
				const early = gone.filter((time_ms) => time_ms < last.cut_ms - WINDOW_ms[mode]).length;
				const tooMany = mode === "always" ? lost : early;
				row.lost += tooMany;
				within += lost - tooMany;
				if (tooMany > 0) log(`${name}, trial ${trial}: ${tooMany} writes are lost that must not be`);
			}
			if (trial === trials) break;
			await program.write({ seed, from: count, depth: between(rng, 1, 12), pauses: true });
			const cut = await disk.cutter();
			await sleep(between(rng, ...LIFE_ms));
			const cut_ms = await cut();
			await program.kill();
			last = { acknowledged: count + program.times.length, times: program.times, cut_ms };
			row.trials++;
			row.acknowledged += last.times.length;
			await disk.unplug();
			disk.plugIn();
		}
	} finally {
		await program?.kill();
		await disk.unplug();
		rmSync(folder, { recursive: true, force: true });
	}
	if (mode !== "always")
		row.note = `${within} lost of the last moments, the oldest ${widest_ms} ms before the cut`;
	return row;
}

export async function* run({ trials, seed, only, log }) {
	const lack = Disk.lack();
	if (lack) {
		log(`the power cannot be cut here: ${lack}`);
		return;
	}
	const place = await openPlace(PAGES);
	const programs = {
		"npx redstart": (mode) => (disk, folder) => new ServerOnDisk(disk, folder, mode),
		"Chromium, IndexedDB": (mode) => (disk) => new TabOnDisk(disk, place, "idb", mode),
		"Chromium, OPFS": (mode) => (disk) => new TabOnDisk(disk, place, "opfs", mode),
	};
	try {
		for (const [program, make] of Object.entries(programs)) {
			for (const mode of ["always", "everysec"]) {
				const name = `${program}, ${mode}`;
				if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
				try {
					yield await chain(name, mode, make(mode), { trials, seed, log });
				} catch (error) {
					yield { name, trials, error: error.message };
				}
			}
		}
	} finally {
		await place.close();
	}
}
