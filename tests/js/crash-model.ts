/**
 * The crash fuzz: lives of a database on a model disk. Each life opens what the last one left, writes, saves, rewrites,
 * imports, is hidden, fails to store, is closed, taken over while it lives on, or crashes at any operation.
 *
 * After each recovery:
 * - what is there is a prefix of what was written, in its order: nothing twice, nothing left out, nothing of a time before;
 * - everything is there that was acknowledged, for the kind of crash: the death of the process, or a power cut;
 * - recovery ends, whatever it finds, and never calls its own storage corrupt.
 *
 * The engine is a list of numbers with an append-only file of two commands; its clock and its timers are the model's.
 */

import type { Load, LoadReport, Replay } from "../../js/dataset.ts";
import type { RedstartError } from "../../js/errors.ts";
import type { Fsync, Host, Persisted } from "../../js/persist/host.ts";
import { Persistence } from "../../js/persist/persist.ts";
import { ModelDisk, type ModelOptions, ModelStorage, Rng } from "./model-storage.ts";

/** What must never happen, did. */
export class Violation extends Error {}

/** One for each who waits: it would keep them all. */
const never = () => new Promise<never>(() => undefined);
const encoder = new TextEncoder();
const ascii = new TextDecoder("latin1");

const command = (name: string, word: number) =>
	`*2\r\n$${name.length}\r\n${name}\r\n$${String(word).length}\r\n${word}\r\n`;

/** A list of numbers; even ones live in database 0, odd ones in 1. */
export class ModelEngine implements Persisted {
	ids: number[] = [];
	onAof: (() => void) | undefined;
	whenStored: (() => Promise<void> | undefined) | undefined;
	dirty = 0;
	writeVersion = 0;
	readonly isBusy = false;
	failure: string | undefined;
	/** How many numbers were there at each byte of the log, and what is said to be stored. */
	onStored: ((written: number, durable: number) => void) | undefined;
	private isOn = false;
	private isTold = false;
	private text = "";
	private db = -1;
	private recorded_bytes = 0;
	private ends: { bytes: number; count: number }[] = [];
	private snapshot: string[] | undefined;
	private dirtyAtBegin = 0;

	async whenIdle(): Promise<void> {}

	get hasAof(): boolean {
		return this.text.length > 0;
	}

	get aofPending(): number {
		return this.text.length;
	}

	/** A write; false when writes are refused. */
	add(id: number): boolean {
		if (this.failure !== undefined) return false;
		this.change(id);
		if (!this.isOn) return true;
		let text = "";
		if (this.db !== id % 2) {
			this.db = id % 2;
			text = command("SELECT", this.db);
		}
		text += command("ADD", id);
		this.text += text;
		this.recorded_bytes += text.length;
		this.ends.push({ bytes: this.recorded_bytes, count: this.ids.length });
		if (!this.isTold) {
			this.isTold = true;
			queueMicrotask(() => {
				this.isTold = false;
				if (this.hasAof) this.onAof?.();
			});
		}
		return true;
	}

	/** A change outside of the log. */
	change(id: number): void {
		this.ids.push(id);
		this.dirty++;
		this.writeVersion++;
	}

	private countAt(bytes: number): number {
		let count = 0;
		for (const end of this.ends) if (end.bytes <= bytes) count = end.count;
		return count;
	}

	private take(): Uint8Array {
		const bytes = encoder.encode(this.text);
		this.text = "";
		return bytes;
	}

	private setAof(isOn: boolean): void {
		this.isOn = isOn;
		this.text = "";
		this.db = -1;
		this.recorded_bytes = 0;
		this.ends = [];
		this.failure = undefined;
	}

	private replay(text: string): number {
		if (text.endsWith(".")) {
			this.ids = text.split(",").slice(0, -1).map(Number);
			return text.length;
		}
		const one = /\*2\r\n\$\d+\r\n(SELECT|ADD)\r\n\$\d+\r\n(\d+)\r\n/y;
		let db = 0;
		let good = 0;
		for (let found = one.exec(text); found; found = one.exec(text)) {
			const word = Number(found[2]);
			if (found[1] === "SELECT") db = word;
			else if (word % 2 !== db) throw new Violation(`${word} was replayed in database ${db}`);
			else this.ids.push(word);
			good = one.lastIndex;
		}
		return good;
	}

	readonly dataset: Persisted["dataset"] = {
		beginSnapshot: (purpose) => {
			if (purpose === "rewrite") this.db = -1;
			const { ids } = this;
			this.snapshot = [];
			for (let i = 0; i < ids.length; i += 6) this.snapshot.push(`${ids.slice(i, i + 6).join(",")},`);
			this.snapshot.push(".");
			this.dirtyAtBegin = this.dirty;
		},
		nextPiece: () => {
			const piece = this.snapshot?.shift();
			return piece === undefined ? undefined : encoder.encode(piece);
		},
		endSnapshot: (isStored) => {
			this.snapshot = undefined;
			if (isStored) this.dirty -= this.dirtyAtBegin;
			this.dirtyAtBegin = 0;
		},
		beginLoad: () => {
			let text = "";
			const load = {
				add: (piece: Uint8Array) => {
					text += ascii.decode(piece);
				},
				end: (): LoadReport => {
					if (text.startsWith("REDIS")) text = ".";
					if (!text.endsWith(".")) throw new Violation("a base is not whole");
					this.ids = text.split(",").slice(0, -1).map(Number);
					this.dirty = 0;
					return { keys: 0, expired: 0, skipped: 0 };
				},
				drop: () => undefined,
			};
			return load as unknown as Load;
		},
		setAof: (isOn) => this.setAof(isOn),
		takeAof: () => this.take(),
		aofDb: () => this.db,
		aofStored: (written, durable) => {
			this.failure = undefined;
			if (written > this.recorded_bytes || durable > written)
				throw new Violation("more is stored than there was");
			this.onStored?.(this.countAt(written), this.countAt(durable));
		},
		aofFailed: (why) => {
			this.failure = why;
		},
		beginReplay: () => {
			let text = "";
			const replay = {
				add: (chunk: Uint8Array) => {
					text += ascii.decode(chunk);
				},
				end: () => {
					const good = this.replay(text);
					this.dirty = 0;
					return good;
				},
			};
			return replay as unknown as Replay;
		},
	};
}

/** Time that passes when it is told to. */
class ModelHost implements Host {
	time_ms = 0;
	readonly pileLimit_bytes = 400;
	private readonly rng: Rng;
	private timers: { at_ms: number; task: () => void }[] = [];

	constructor(rng: Rng) {
		this.rng = rng;
	}

	/** Slices are as long as chance has it. */
	now_ms(): number {
		this.time_ms += this.rng.below(3);
		return this.time_ms;
	}

	async turn(): Promise<void> {
		for (let i = this.rng.below(6); i >= 0; i--) await undefined;
	}

	later(wait_ms: number, task: () => void): () => void {
		const timer = { at_ms: this.time_ms + wait_ms, task };
		this.timers.push(timer);
		return () => {
			this.timers = this.timers.filter((one) => one !== timer);
		};
	}

	word(): string {
		return this.rng.next().toString(36).slice(2, 10);
	}

	advance(by_ms: number): void {
		this.time_ms += by_ms;
		const due = this.timers.filter(({ at_ms }) => at_ms <= this.time_ms);
		this.timers = this.timers.filter((one) => !due.includes(one));
		for (const { task } of due) task();
	}
}

/** What is put into a trial to see that it is found. */
export interface Bugs {
	/** Makes the storage that a life gets. */
	wrap?(storage: ModelStorage): ModelStorage;
	/** Changes a life's persistence before it loads. */
	spoil?(persistence: Persistence): void;
}

class Life {
	readonly engine = new ModelEngine();
	readonly host: ModelHost;
	readonly persistence: Persistence;
	fsync: Fsync;
	appendonly: string;
	hasWritten = false;
	/** How many numbers its successor found; until then this life is the owner. */
	successorCount: number | undefined;
	private readonly trial: Trial;
	private readonly generation: number;

	constructor(trial: Trial) {
		const { rng } = trial;
		this.trial = trial;
		this.generation = trial.disk.generation;
		this.host = new ModelHost(rng);
		this.fsync = (["always", "everysec", "no"] as const)[rng.below(3)] as Fsync;
		this.appendonly = rng.chance(0.85) ? "yes" : "no";
		const storage = new ModelStorage(trial.disk);
		const events = {
			onSave: () => undefined,
			onLost: (_error: RedstartError) => undefined,
			onGained: () => undefined,
			onLog: () => undefined,
			config: (name: string) =>
				name === "appendonly" ? this.appendonly : name === "appendfsync" ? this.fsync : "yes",
		};
		this.persistence = new Persistence(trial.bugs.wrap?.(storage) ?? storage, events, this.host);
		trial.bugs.spoil?.(this.persistence);
		this.engine.onStored = (written, durable) => this.acknowledge(written, durable);
	}

	/** So many of this life's numbers survive the process, and so many a power cut. */
	private acknowledge(count: number, durable: number): void {
		const { trial, successorCount } = this;
		if (this.isDead) return;
		if (successorCount !== undefined) {
			if (count > successorCount) throw trial.report("a former owner acknowledged a write that is lost");
			return;
		}
		// What was acknowledged before the clearing may be told after it.
		if (trial.isCleared) return;
		trial.floor = Math.max(trial.floor, count);
		trial.durableFloor = Math.max(trial.durableFloor, durable);
	}

	write(): void {
		const { trial, engine } = this;
		for (let i = trial.rng.below(4); i >= 0; i--) {
			const id = trial.nextId++;
			if (!engine.add(id)) return;
			this.hasWritten = true;
			if (this.successorCount === undefined) trial.issued.push(id);
		}
		if (trial.rng.chance(0.3)) return;
		const count = engine.ids.length;
		const fsync = this.fsync;
		const done = () => this.acknowledge(count, fsync === "always" && this.fsync === fsync ? count : 0);
		const stored = engine.whenStored?.();
		if (stored) stored.then(done, () => undefined).catch((error) => this.trial.fail(error));
		else if (engine.whenStored && engine.failure === undefined) done();
	}

	/** Waits for `promise` while time goes on. True when it was kept. */
	async until(promise: Promise<unknown>): Promise<boolean> {
		let state = "open";
		promise.then(
			() => {
				state = "kept";
			},
			() => {
				state = "broken";
			},
		);
		for (let i = 0; state === "open"; i++) {
			if (this.isDead) return never();
			if (i > 3000) throw this.trial.report("a promise is never settled");
			await undefined;
			if (i % 16 === 15) this.host.advance(i);
		}
		return state === "kept";
	}

	async base(work: () => Promise<void>): Promise<void> {
		const { trial, engine, persistence } = this;
		const count = engine.ids.length;
		const kept = work();
		const noted = kept.then(() => {
			if (count > trial.clearedCount) trial.isCleared = false;
			this.acknowledge(count, count);
		});
		noted.catch((error) => error instanceof Violation && trial.fail(error));
		if (trial.rng.chance(0.4)) await this.until(kept);
		void persistence;
	}

	/** The process is gone: nobody hears of what it still does. */
	get isDead(): boolean {
		return this.generation !== this.trial.disk.generation;
	}

	/** One thing that may happen. */
	async step(): Promise<void> {
		const { trial, persistence, engine, host } = this;
		const { rng } = trial;
		if (this.isDead) return never();
		const what = rng.below(100);
		if (what < 50) this.write();
		else if (what < 65) for (let i = rng.below(20); i >= 0; i--) await undefined;
		else if (what < 75) await this.base(() => (rng.chance(0.5) ? persistence.rewrite() : persistence.save()));
		else if (what < 83) host.advance(rng.below(1500));
		else if (what < 87) persistence.flush();
		else if (what < 90 && engine.failure === undefined) {
			const id = trial.nextId++;
			engine.change(id);
			if (this.successorCount === undefined) trial.issued.push(id);
			await this.base(() => persistence.replaced());
		} else if (what < 93) {
			this.appendonly = this.appendonly === "yes" ? "no" : "yes";
			const changed = persistence.reconfigure("appendonly", this.appendonly);
			changed.catch(() => undefined);
			if (rng.chance(0.5)) await this.until(changed);
		} else if (what < 95) {
			this.fsync = (["always", "everysec", "no"] as const)[rng.below(3)] as Fsync;
			await persistence.reconfigure("appendfsync", this.fsync);
		} else if (what === 99 && trial.mayClear && this.successorCount === undefined) trial.clear();
	}
}

export class Trial {
	readonly seed: number;
	readonly rng: Rng;
	readonly disk: ModelDisk;
	readonly bugs: Bugs;
	readonly mayClear: boolean;
	/** Everything written, in order, as far as it may be there. */
	issued: number[] = [];
	/** So many of them must be there after the death of the process, and after a power cut. */
	floor = 0;
	durableFloor = 0;
	nextId = 1;
	/** The site's data was cleared, when there were so many, and nothing since is known to be stored. */
	isCleared = false;
	clearedCount = 0;
	/** What was seen. */
	recoveries = 0;
	crashes = 0;
	crashesInRecovery = 0;
	private failure: unknown;
	private readonly formers: Life[] = [];

	constructor(seed: number, bugs: Bugs = {}, options: Partial<ModelOptions> = {}) {
		this.seed = seed;
		this.rng = new Rng(seed);
		this.bugs = bugs;
		const { rng } = this;
		// A driver that does not look cannot tell that data was cleared.
		this.mayClear = rng.chance(0.1) && options.isStrict !== false;
		this.disk = new ModelDisk(rng, {
			layout: rng.chance(0.5) ? "raw" : "framed",
			faults: rng.chance(0.4) ? rng.next() * 0.3 : 0,
			isStrict: true,
			...options,
		});
	}

	report(text: string): Violation {
		return new Violation(`seed ${this.seed}: ${text}`);
	}

	fail(error: unknown): void {
		this.failure ??= error;
	}

	/** The site's data is gone; nothing that was acknowledged is left. */
	clear(): void {
		this.disk.clear();
		this.isCleared = true;
		this.clearedCount = this.issued.length;
		this.floor = 0;
		this.durableFloor = 0;
	}

	private verify(life: Life): void {
		const { ids } = life.engine;
		this.recoveries++;
		if (ids.length > this.issued.length || ids.some((id, i) => id !== this.issued[i])) {
			throw this.report(`found ${ids}, which is no beginning of ${this.issued}`);
		}
		if (ids.length < this.floor) {
			throw this.report(`found ${ids.length} of ${this.floor} that were acknowledged`);
		}
		this.issued = [...ids];
		this.durableFloor = Math.min(this.durableFloor, ids.length);
		for (const former of this.formers) former.successorCount ??= ids.length;
	}

	/** One life, to its end or to a crash. */
	private async live(isLast: boolean): Promise<void> {
		const { rng } = this;
		const life = new Life(this);
		const { persistence, engine } = life;
		// A tab may have read before, and take over.
		const isReader = rng.chance(0.15);
		// A lock keeps others out, or the fence does.
		const isExclusive = isReader || rng.chance(0.5);
		await life.until(this.loaded(persistence.load(engine, { isReader, isExclusive })));
		if (isReader) await life.until(this.loaded(persistence.takeOver(() => undefined)));
		if (this.failure) throw this.failure;
		this.verify(life);
		this.isRecovering = false;
		if (isLast) return;
		for (let steps = rng.below(14); steps >= 0; steps--) {
			await life.step();
			for (const former of this.formers) if (rng.chance(0.3)) await former.step();
			if (this.failure) throw this.failure;
		}
		if (life.isDead) return never();
		if (!isExclusive && rng.chance(0.6)) {
			// A former owner lives on and does not know yet.
			this.formers.push(life);
			return;
		}
		const count = engine.ids.length;
		const isKept = await life.until(persistence.finish(true));
		if (isKept && life.successorCount === undefined && !this.isCleared) {
			this.floor = count;
			// What was only found is as durable as it was.
			if (life.hasWritten) this.durableFloor = count;
		}
		await life.until(persistence.close());
	}

	private isRecovering = false;

	private async loaded(work: Promise<unknown>): Promise<void> {
		try {
			await work;
		} catch (error) {
			this.fail(error instanceof Violation ? error : this.report(`recovery failed: ${error}`));
		}
		if (this.failure) throw this.failure;
	}

	/** Lives one after another; rejects with a {@link Violation}. */
	async run(): Promise<void> {
		const { rng, disk } = this;
		const lives = 2 + rng.below(4);
		for (let i = 0; i <= lives; i++) {
			const isLast = i === lives;
			if (!isLast) disk.crashAt = disk.operations + 1 + rng.below(rng.chance(0.3) ? 6 : 60);
			this.isRecovering = true;
			let isCrashed = false;
			const crashed = new Promise<void>((resolve) => {
				disk.onCrash = () => {
					isCrashed = true;
					resolve();
				};
			});
			await Promise.race([this.live(isLast), crashed]);
			if (this.failure) throw this.failure;
			if (isCrashed) this.afterCrash();
		}
		if (this.failure) throw this.failure;
	}

	private afterCrash(): void {
		this.crashes++;
		if (this.isRecovering) this.crashesInRecovery++;
		this.formers.length = 0;
		if (!this.rng.chance(0.5)) return;
		this.disk.cutPower();
		this.floor = Math.min(this.floor, this.durableFloor);
	}
}

/** Runs trials from a seed; throws at the first violation. */
export async function fuzz(
	seed: number,
	trials: number,
	bugs: Bugs = {},
	options: Partial<ModelOptions> = {},
): Promise<{ recoveries: number; crashes: number; crashesInRecovery: number }> {
	const sum = { recoveries: 0, crashes: 0, crashesInRecovery: 0 };
	for (let i = 0; i < trials; i++) {
		const trial = new Trial(seed + i, bugs, options);
		// Everything happens in microtasks: who is not done when they are over never will be.
		let timer: ReturnType<typeof setImmediate> | undefined;
		const stuck = new Promise<never>((_, reject) => {
			timer = setImmediate(() => reject(trial.report("it hangs")));
		});
		await Promise.race([trial.run(), stuck]);
		clearImmediate(timer);
		sum.recoveries += trial.recoveries;
		sum.crashes += trial.crashes;
		sum.crashesInRecovery += trial.crashesInRecovery;
	}
	return sum;
}
