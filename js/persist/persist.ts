/**
 * A dataset in storage: loaded at open, then kept in one of two ways.
 *
 * - Snapshots: the whole dataset as a base, when the engine asks, and when the page may be gone soon.
 * - The append-only file ({@link Log}): every write, and a base now and then so that the file does not grow for ever.
 *   SAVE stores a base, too: what it answers is true either way.
 *
 * One base is stored at a time. It is what the dataset was when it began; it counts from the commit on that names it and,
 * with an append-only file, the segments begun since. Whatever happens before or after, storage holds a whole state.
 */

import { RedstartError } from "../errors.ts";
import type { Base, Manifest, Storage } from "../storage/storage.ts";
import { putBase, wholeBase } from "./base.ts";
import { type Fsync, HOST, type Host, type Persisted } from "./host.ts";
import { chunkNames, Ledger, setAside } from "./ledger.ts";
import { asStorageError, type Cut, Log } from "./log.ts";
import { clear, isCorrupt, recover } from "./recover.ts";

export interface SaveReport {
	/** Length of the snapshot. */
	length_bytes: number;
	/** From the snapshot's begin until it was durable. */
	took_ms: number;
}

export interface PersistenceEvents {
	onSave(report: SaveReport): void;
	/** Changes are not stored, from now on or until a later save succeeds. */
	onLost(error: RedstartError): void;
	/** What was not stored is stored after all. */
	onGained(): void;
	onLog(level: string, text: string): void;
	/** The engine's value of a directive. */
	config(name: string): string;
}

export interface LoadOptions {
	/** What cannot be read is set aside, and the dataset starts empty. */
	keepCorrupt?: boolean;
	/** Somebody else owns the storage: nothing is ever saved. */
	isReader?: boolean;
	/** A lock keeps others out while this is open. */
	isExclusive?: boolean;
}

/** How often a base is put anew when it is gone before it is committed, and storage is read that somebody writes to. */
const ATTEMPTS = 5;
/** A dataset that takes long to save is saved less often: at most this part of the time goes into it. */
const BUSY_SHARE = 0.1;

/**
 * `appendonly yes` before the dataset is loaded: it is turned on with what is loaded, which needs no base. The engine waits
 * for one.
 */
export function beginsWithLoad(dataset: { endSnapshot(isStored: boolean): void }, value: string): void {
	if (value === "yes") dataset.endSnapshot(true);
}

export class Persistence {
	private readonly storage: Storage;
	private readonly events: PersistenceEvents;
	private readonly host: Host;
	private engine: Persisted | undefined;
	private ledger: Ledger;
	private log: Log | undefined;
	private isLoading = false;
	/** A change of `appendonly` that is under way, and where to. */
	private switching: Promise<void> | undefined;
	private isAppendingWanted = false;
	/** Not everything is stored, whatever the engine counts. */
	private isOwed = false;
	private isReader = false;
	private isExclusive = false;
	/** Counts flushes: a save that began before one is outdated. */
	private flushes = 0;
	private flushing: Promise<void> = Promise.resolve();
	/** What the flush under way holds; -1 when there is none. */
	private flushed = -1;
	/** The save that runs, and the one that waits for it. */
	private running: Promise<void> | undefined;
	private following: Promise<void> | undefined;
	/** The engine makes a base, piece by piece. */
	private isSnapshotting = false;
	/** The next base answers SAVE, BGSAVE or a rule of `save`. */
	private isSaveAsked = false;
	private notBefore_ms = 0;
	private forgetTimer: (() => void) | undefined;

	constructor(storage: Storage, events: PersistenceEvents, host = HOST) {
		this.storage = storage;
		this.events = events;
		this.host = host;
		this.ledger = new Ledger(storage, null);
	}

	// ---- from storage ----

	/** Fills `engine` from storage. What cannot be read is refused with kind `corrupt` and stays as it is. */
	async load(engine: Persisted, options: LoadOptions = {}): Promise<void> {
		this.isReader = options.isReader ?? false;
		this.isExclusive = options.isExclusive ?? false;
		this.isLoading = true;
		try {
			// What was acknowledged before a trap may still be on its way.
			await this.log?.abandon(new RedstartError("trap", "the engine stopped before this was stored"));
			this.engine = engine;
			const { manifest } = await this.storage.load(this.isReader);
			await this.fill(engine, manifest, options.keepCorrupt ?? false);
		} finally {
			this.isLoading = false;
		}
	}

	/** Reads storage into an engine without data, as owner or reader. */
	private async fill(engine: Persisted, found: Manifest | null, keepsCorrupt: boolean): Promise<void> {
		const { storage, events, isReader } = this;
		let manifest = found;
		const allowsTear = events.config("aof-load-truncated") !== "no";
		for (let attempt = 1; ; attempt++) {
			try {
				const { tail, torn_bytes } = await recover(storage, manifest, engine.dataset, allowsTear);
				if (torn_bytes > 0) {
					const what = `segment ${tail?.id} of the append-only file`;
					events.onLog("warning", `${what} was torn; its last ${torn_bytes} bytes do not count`);
				}
				this.ledger = new Ledger(storage, manifest);
				this.log = this.newLog(engine, tail);
				break;
			} catch (error) {
				if (!isCorrupt(error)) throw error;
				const before = manifest;
				// The owner may have removed what a reader was about to read.
				if (isReader && attempt < ATTEMPTS) {
					manifest = (await storage.load(true)).manifest;
					clear(engine.dataset);
					if (JSON.stringify(manifest) !== JSON.stringify(before)) continue;
				}
				if (!keepsCorrupt || !manifest || manifest.version !== 1) throw error;
				clear(engine.dataset);
				this.ledger = new Ledger(storage, setAside(manifest));
				this.log = this.newLog(engine, undefined);
				const text = `${(error as Error).message}; it was set aside`;
				events.onLost(new RedstartError("corrupt", text, error));
				break;
			}
		}
		this.startLog(false);
	}

	private newLog(engine: Persisted, tail: ConstructorParameters<typeof Log>[5]): Log {
		const events = {
			onFailed: (error: RedstartError) => this.events.onLost(error),
			onRecovered: () => this.events.onGained(),
			onBaseWanted: () => this.baseSoon(),
		};
		return new Log(engine, this.ledger, events, this.host, this.fsync, tail);
	}

	private get fsync(): Fsync {
		return this.events.config("appendfsync") as Fsync;
	}

	/** Records from now on, if that is what the engine's configuration says. */
	private startLog(isBroken: boolean): void {
		const { log, storage, isReader } = this;
		if (isReader || !storage.hasAof || this.events.config("appendonly") !== "yes") return;
		log?.start(isBroken);
	}

	/**
	 * Makes a reader the owner: the former one is gone. True when changes are stored from now on, the way that `configure`
	 * sets. What the former owner stored since is taken over, unless there are changes here as well: then nothing is.
	 */
	async takeOver(configure: () => void): Promise<boolean> {
		const { engine } = this;
		if (!engine) return false;
		// From now on nobody else changes what is there.
		const { manifest } = await this.storage.load();
		const isSame = await this.isSeen(manifest);
		if (engine.isBusy) await engine.whenIdle();
		if (engine.dirty > 0 && !isSame) return false;
		this.isReader = false;
		this.isExclusive = true;
		this.isLoading = true;
		try {
			configure();
			if (!isSame) {
				clear(engine.dataset);
				await this.fill(engine, manifest, false);
				return true;
			}
			const isChanged = engine.dirty > 0;
			this.startLog(isChanged);
			// Changes made here are in no log, and due.
			if (isChanged) this.saveSoon();
			return true;
		} finally {
			this.isLoading = false;
		}
	}

	/** Whether storage holds what was read of it, and no more. */
	private async isSeen(manifest: Manifest | null): Promise<boolean> {
		const { ledger, log } = this;
		const before = ledger.manifest;
		const shape = (one: Manifest) => JSON.stringify([one.base?.name, one.incr.map(({ id }) => id)]);
		if (shape(manifest ?? new Ledger(this.storage, null).manifest) !== shape(before)) return false;
		const tail = log?.tailAt;
		if (!tail) return true;
		const bytes = await this.storage.read(tail.id);
		return (bytes?.length ?? 0) <= tail.length_bytes;
	}

	// ---- bases ----

	/** Resolves when the dataset as it is now is stored. One save runs at a time; who comes meanwhile shares the next. */
	save(): Promise<void> {
		this.isSaveAsked = true;
		return this.base();
	}

	/** Stores a base, so that the append-only file begins anew. */
	rewrite(): Promise<void> {
		return this.base();
	}

	/** The dataset became another one, without commands: resolves when that is stored. */
	async replaced(): Promise<void> {
		if (this.isReader) return;
		if (this.log?.isOn) this.log.break();
		await this.save();
	}

	private base(): Promise<void> {
		this.forgetTimer?.();
		this.forgetTimer = undefined;
		if (!this.running) {
			this.running = this.baseNow().finally(() => {
				this.running = undefined;
			});
			return this.running;
		}
		this.following ??= this.running
			.catch(() => undefined)
			.then(() => {
				this.following = undefined;
				return this.base();
			});
		return this.following;
	}

	private baseSoon(): void {
		if (!this.following) this.base().catch(() => undefined);
	}

	/** Saves, unless it is known that this cannot be. */
	async saveIfOwner(): Promise<void> {
		if (!this.isReader) await this.save();
	}

	/** Saves now or, when saving takes much of the time, a little later. Failures are told as events. */
	saveSoon(): void {
		if (this.forgetTimer) return;
		const wait_ms = this.notBefore_ms - this.host.now_ms();
		const save = () => {
			this.save().catch(() => undefined);
		};
		if (wait_ms <= 0) save();
		else this.forgetTimer = this.host.later(wait_ms, save);
	}

	/** Resolves when no save is under way; rejects when the last one failed. */
	async settled(): Promise<void> {
		await (this.following ?? this.running);
	}

	private async baseNow(): Promise<void> {
		const { engine, host } = this;
		if (!engine) throw new RedstartError("closed", "there is nothing to save");
		await this.whenFree(engine);
		const from_ms = host.now_ms();
		const isSave = this.isSaveAsked;
		this.isSaveAsked = false;
		const isAppending = this.log?.isOn ?? false;
		let length_bytes: number | undefined;
		try {
			for (let attempt = 1; ; attempt++) {
				if (attempt > 1) await this.whenFree(engine);
				length_bytes = await this.store(engine);
				// A flush has told everybody.
				if (length_bytes === undefined) return;
				if (!isAppending || !isSave || (await this.isDrained(attempt === ATTEMPTS))) break;
			}
		} catch (cause) {
			const error = asStorageError(cause);
			if (engine === this.engine) {
				if (error.kind !== "trap") this.end(engine, isAppending, isSave, error);
				this.events.onLost(error);
			}
			throw error;
		}
		this.end(engine, isAppending, isSave);
		const now_ms = host.now_ms();
		this.notBefore_ms = now_ms + (now_ms - from_ms) / BUSY_SHARE;
		this.events.onSave({ length_bytes, took_ms: now_ms - from_ms });
	}

	/** A flush has the engine's only snapshot until it is stored; half of what a script does is not to be stored. */
	private async whenFree(engine: Persisted): Promise<void> {
		while (this.flushed >= 0 || engine.isBusy) {
			if (this.flushed >= 0) await this.flushing.catch(() => undefined);
			else await engine.whenIdle();
		}
	}

	/** Whether the log, too, holds everything; not when what was stored is gone, and a base is needed again. */
	private async isDrained(isLast: boolean): Promise<boolean> {
		const { log } = this;
		try {
			if (log?.isOn) await log.drained();
		} catch (error) {
			if (isLast || !log?.isBroken || log.failure) throw error;
			return false;
		}
		return true;
	}

	/** Tells the engine; it may have been closed or rebuilt while storage worked. */
	private end(engine: Persisted, wasRewrite: boolean, isSave: boolean, cause?: RedstartError): void {
		// The base that is being made answers everybody.
		if (engine !== this.engine || this.isSnapshotting) return;
		try {
			engine.dataset.endSnapshot(!cause, cause);
			if (!wasRewrite || !isSave) return;
			// Who asked for a save is answered as well: base and log hold the dataset as it is now.
			if (cause || this.log?.isOn) {
				engine.dataset.beginSnapshot("save");
				engine.dataset.endSnapshot(!cause, cause);
			} else {
				// The log was turned off meanwhile.
				this.isSaveAsked = true;
				this.baseSoon();
			}
		} catch (error) {
			if (!(error instanceof RedstartError)) throw error;
		}
	}

	/** Stores the dataset as it is now as a base; its length, or undefined when a flush stored all of it meanwhile. */
	private async store(engine: Persisted): Promise<number | undefined> {
		if (this.isReader) {
			throw new RedstartError("storage", "another tab owns this database; changes here are not stored");
		}
		const { flushes, ledger, host } = this;
		const isCurrent = () => this.flushes === flushes && this.engine === engine;
		for (let attempt = 1; ; attempt++) {
			const log = this.log?.isOn ? this.log : undefined;
			const cut = log?.cut();
			engine.dataset.beginSnapshot(cut ? "rewrite" : "save");
			this.isSnapshotting = true;
			try {
				const base = await putBase(engine, ledger, host, isCurrent);
				this.isSnapshotting = false;
				const isStored = base && (await this.commit(base, log, cut, isCurrent));
				ledger.putting.clear();
				if (isStored) {
					await ledger.swept();
					return base.length_bytes;
				}
				if (this.engine !== engine) throw new RedstartError("closed", "the database was closed or rebuilt");
				await this.flushing;
				return undefined;
			} catch (error) {
				this.isSnapshotting = false;
				ledger.putting.clear();
				// What a flush gives up fails.
				if (this.flushes !== flushes) {
					await this.flushing;
					return undefined;
				}
				// Site data that was cleared in between took what was put.
				const isRetried = attempt < ATTEMPTS && isCorrupt(error);
				if (cut) log?.notBased(cut, isRetried ? undefined : asStorageError(error));
				if (!isRetried) throw error;
			}
		}
	}

	/** False when it is of no use any more. */
	private commit(
		base: Base,
		log: Log | undefined,
		cut: Cut | undefined,
		isCurrent: () => boolean,
	): Promise<boolean> {
		const { ledger } = this;
		return ledger.alone(async () => {
			if (!isCurrent()) {
				await ledger.drop(chunkNames(base));
				return false;
			}
			const incr = cut && log ? log.since(cut) : [];
			await ledger.commit(ledger.withBase(base, incr), chunkNames(base));
			if (cut) log?.based(cut);
			this.isOwed = false;
			return true;
		});
	}

	// ---- the append-only file ----

	/** A directive has changed. */
	async reconfigure(name: string, value: string): Promise<void> {
		const { log } = this;
		if (this.isLoading && this.engine && name === "appendonly") beginsWithLoad(this.engine.dataset, value);
		// The engine waits to hear of the first base: from a reader there is none.
		if (this.isReader && name === "appendonly" && value === "yes") this.engine?.dataset.endSnapshot(false);
		if (!log || this.isLoading || this.isReader || !this.storage.hasAof) return;
		if (name === "appendfsync") log.fsync = value as Fsync;
		if (name !== "appendonly") return;
		this.isAppendingWanted = value === "yes";
		// It is on already, since somebody took over.
		if (log.isOn && !log.isBroken && !this.running && this.engine) {
			beginsWithLoad(this.engine.dataset, value);
		}
		// One change after another; the last one counts.
		this.switching ??= this.switchLog(log).finally(() => {
			this.switching = undefined;
		});
		await this.switching;
	}

	private async switchLog(log: Log): Promise<void> {
		while (log === this.log && log.isOn !== this.isAppendingWanted) {
			if (log.isOn) this.isOwed = !(await log.stop());
			else {
				log.start(true);
				this.baseSoon();
			}
		}
	}

	// ---- the end ----

	/** Stores what is left; with snapshots only if `isSaving`. */
	async finish(isSaving: boolean): Promise<void> {
		const { engine, log, isReader } = this;
		if (!engine || isReader) return;
		await this.switching;
		if (log?.isOn) {
			if (!log.isBroken) await log.drained().catch((error) => this.rescue(log, error));
			if (log.isBroken) {
				await this.base();
				await log.drained();
			}
		} else if (isSaving && (engine.dirty > 0 || this.isOwed)) await this.save();
	}

	/** What cannot be appended any more may yet be stored as a base. */
	private rescue(log: Log, error: unknown): void {
		if (!log.isBroken) throw error;
	}

	/** Ends saving; storage is closed. */
	async close(): Promise<void> {
		this.forgetTimer?.();
		this.engine = undefined;
		await this.log?.abandon(new RedstartError("closed", "the database is closed"));
		await this.settled().catch(() => undefined);
		await this.flushing.catch(() => undefined);
		await this.ledger.swept();
		await this.storage.close();
	}

	// ---- a page that goes ----

	/** Stores what has changed in one step, if storage can do that, because there may be no time for a second. */
	flush(): void {
		const { engine, storage, log } = this;
		if (!engine || this.isReader || engine.isBusy || this.isLoading) return;
		const isAppending = log?.isOn ?? false;
		if (isAppending ? log?.isAtRest : engine.dirty === 0) return;
		if (!storage.replace || !this.isExclusive) {
			if (!isAppending) this.save().catch(() => undefined);
			return;
		}
		if (isAppending && log?.handOver()) return;
		// A page that goes says so up to three times.
		if (this.flushed === engine.writeVersion) return;
		this.replace(engine, storage.replace.bind(storage));
	}

	/** The whole dataset at once. */
	private replace(engine: Persisted, replace: NonNullable<Storage["replace"]>): void {
		const { ledger, host } = this;
		this.flushed = engine.writeVersion;
		const from_ms = host.now_ms();
		const log = this.log?.isOn ? this.log : undefined;
		const cut = log?.cut();
		engine.dataset.beginSnapshot(cut ? "rewrite" : "save");
		const { base, objects } = wholeBase(engine, ledger, host);
		const manifest = ledger.withBase(base, []);
		const mine = ++this.flushes;
		// A commit that is under way must find what it names, should it come later; the next owner removes it.
		const old = cut ? [] : ledger.outdatedBy(manifest).filter((name) => typeof name === "string");
		const handed = replace(manifest, objects, old);
		handed.catch(() => undefined);
		const done = () => {
			if (!cut || !log) return;
			log.since(cut);
			log.based(cut);
		};
		this.flushing = ledger.replace(manifest, handed, done);
		this.flushing.then(
			() => {
				// A later flush has the snapshot.
				if (this.flushes !== mine) return;
				this.flushed = -1;
				this.end(engine, cut !== undefined, true);
				this.events.onSave({ length_bytes: base.length_bytes, took_ms: host.now_ms() - from_ms });
			},
			(cause) => {
				const error = asStorageError(cause);
				if (cut) log?.notBased(cut, error);
				if (this.flushes !== mine) return;
				this.flushed = -1;
				this.end(engine, cut !== undefined, true, error);
				this.events.onLost(error);
			},
		);
	}

	/** Flushes when the page is hidden, frozen or left. Returns the end of it. */
	watchPage(): () => void {
		if (typeof document === "undefined") return () => undefined;
		const flush = () => this.flush();
		const hidden = () => {
			if (document.visibilityState === "hidden") flush();
		};
		document.addEventListener("visibilitychange", hidden);
		document.addEventListener("freeze", flush);
		addEventListener("pagehide", flush);
		return () => {
			document.removeEventListener("visibilitychange", hidden);
			document.removeEventListener("freeze", flush);
			removeEventListener("pagehide", flush);
		};
	}
}
