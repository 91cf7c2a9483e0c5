/** A dataset in storage: loaded at open, saved as snapshots when the engine asks, and when the page may be gone soon. */

import type { Engine } from "./engine.ts";
import { RedstartError, ReplyError } from "./errors.ts";
import { crc32c } from "./storage/crc32c.ts";
import { type Base, type Manifest, missing, type Storage } from "./storage/storage.ts";

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
}

export interface LoadOptions {
	/** What cannot be read is set aside, and the dataset starts empty. */
	keepCorrupt?: boolean;
	/** Somebody else owns the storage: nothing is ever saved. */
	isReader?: boolean;
	/** A lock keeps others out while this is open. */
	isExclusive?: boolean;
}

/** How often a base is put anew when it is gone before it is committed. */
const ATTEMPTS = 5;
/** A dataset that takes long to save is saved less often: at most this part of the time goes into it. */
const BUSY_SHARE = 0.1;

export class Persistence {
	private readonly storage: Storage;
	private readonly events: PersistenceEvents;
	private engine: Engine | undefined;
	private manifest: Manifest | null = null;
	private isReader = false;
	private isExclusive = false;
	/** Counts flushes: a save that began before one is outdated. */
	private flushes = 0;
	private flushing: Promise<void> = Promise.resolve();
	/** What the flush under way holds. */
	private flushed = -1;
	/** The save that runs, and the one that waits for it. */
	private running: Promise<void> | undefined;
	private following: Promise<void> | undefined;
	private notBefore_ms = 0;
	private timer: ReturnType<typeof setTimeout> | undefined;

	constructor(storage: Storage, events: PersistenceEvents) {
		this.storage = storage;
		this.events = events;
	}

	/** Fills `engine` from storage. What cannot be read is refused with kind `corrupt` and stays as it is. */
	async load(engine: Engine, options: LoadOptions = {}): Promise<void> {
		this.isReader = options.isReader ?? false;
		this.isExclusive = options.isExclusive ?? false;
		const { manifest } = await this.storage.load(this.isReader);
		if (manifest && manifest.version !== 1) {
			throw new RedstartError(
				"corrupt",
				`storage has version ${manifest.version}, which this build cannot read`,
			);
		}
		this.manifest = manifest;
		if (manifest?.base) {
			try {
				engine.dataset.load(await this.chunksOf(manifest.base));
			} catch (error) {
				if (!isCorrupt(error)) throw error;
				if (!options.keepCorrupt) {
					throw new RedstartError(
						"corrupt",
						`the stored snapshot cannot be read: ${(error as Error).message}`,
						error,
					);
				}
				this.manifest = { ...manifest, base: null, kept: [...(manifest.kept ?? []), manifest.base] };
				this.events.onLost(
					new RedstartError("corrupt", "the stored snapshot cannot be read; it was set aside", error),
				);
			}
		}
		this.engine = engine;
	}

	/**
	 * Makes a reader the owner: the former one is gone. True when changes are stored from now on. What the former owner
	 * stored since is taken over, unless there are changes here as well: then nothing is.
	 */
	async takeOver(): Promise<boolean> {
		const { engine } = this;
		if (!engine) return false;
		const { manifest } = await this.storage.load(true);
		if (manifest?.base && manifest.base.name !== this.manifest?.base?.name) {
			if (engine.dirty > 0) return false;
			engine.dataset.load(await this.chunksOf(manifest.base));
		}
		await this.storage.load();
		this.manifest = manifest;
		this.isReader = false;
		this.isExclusive = true;
		return true;
	}

	private async chunksOf(base: Base): Promise<Uint8Array[]> {
		const chunks: Uint8Array[] = [];
		let crc = 0;
		for (const name of chunkNames(base)) {
			const chunk = await this.storage.read(name);
			if (!chunk) throw missing(name);
			crc = crc32c(chunk, crc);
			chunks.push(chunk);
		}
		if (crc !== base.crc) throw new RedstartError("corrupt", "its checksum is wrong");
		return chunks;
	}

	/** Resolves when the dataset as it is now is stored. One save runs at a time; who comes meanwhile shares the next. */
	save(): Promise<void> {
		clearTimeout(this.timer);
		this.timer = undefined;
		if (!this.running) {
			this.running = this.saveNow().finally(() => {
				this.running = undefined;
			});
			return this.running;
		}
		this.following ??= this.running
			.catch(() => undefined)
			.then(() => {
				this.following = undefined;
				return this.save();
			});
		return this.following;
	}

	/** Saves, unless it is known that this cannot be. */
	async saveIfOwner(): Promise<void> {
		if (!this.isReader) await this.save();
	}

	/** Saves now or, when saving takes much of the time, a little later. Failures are told as events. */
	saveSoon(): void {
		if (this.timer !== undefined) return;
		const wait_ms = this.notBefore_ms - Date.now();
		const save = () => this.save().catch(() => undefined);
		if (wait_ms <= 0) void save();
		else {
			this.timer = setTimeout(save, wait_ms);
			(this.timer as { unref?(): void }).unref?.();
		}
	}

	/** Resolves when no save is under way; rejects when the last one failed. */
	async settled(): Promise<void> {
		await (this.following ?? this.running);
	}

	private async saveNow(): Promise<void> {
		const engine = this.engine;
		if (!engine) throw new RedstartError("closed", "there is nothing to save");
		// Half of what a script does is not to be stored.
		if (engine.isBusy) await engine.whenIdle();
		const from_ms = Date.now();
		let length_bytes = 0;
		try {
			const chunks = engine.dataset.snapshot(this.storage.chunkLimit_bytes);
			for (const chunk of chunks) length_bytes += chunk.length;
			await this.store(chunks, length_bytes);
		} catch (cause) {
			const error = asStorageError(cause);
			if (error.kind !== "trap") this.end(false, error);
			this.events.onLost(error);
			throw error;
		}
		this.end(true);
		const now_ms = Date.now();
		this.notBefore_ms = now_ms + (now_ms - from_ms) / BUSY_SHARE;
		this.events.onSave({ length_bytes, took_ms: now_ms - from_ms });
	}

	/** The engine may have been closed or rebuilt while storage worked. */
	private end(isStored: boolean, cause?: RedstartError): void {
		try {
			this.engine?.dataset.endSnapshot(isStored, cause);
		} catch (error) {
			if (!(error instanceof RedstartError)) throw error;
		}
	}

	private async store(chunks: readonly Uint8Array[], length_bytes: number): Promise<void> {
		if (this.isReader) {
			throw new RedstartError("storage", "another tab owns this database; changes here are not stored");
		}
		const { flushes } = this;
		const { manifest, objects, old } = this.plan(chunks, length_bytes);
		const names = [...objects.keys()];
		try {
			for (let attempt = 1; this.flushes === flushes; attempt++) {
				for (const [name, bytes] of objects) await this.storage.put(name, bytes);
				if (this.flushes !== flushes) break;
				try {
					await this.storage.commit(manifest, names);
					this.manifest = manifest;
					break;
				} catch (error) {
					// Site data that was cleared in between took what was put.
					if (attempt === ATTEMPTS || !isCorrupt(error)) throw error;
				}
			}
		} catch (error) {
			// A flush gives up what is under way, and holds all of it.
			if (this.flushes !== flushes) return this.flushing;
			await this.storage.remove(names).catch(() => undefined);
			throw error;
		}
		if (this.flushes !== flushes) await this.flushing;
		// What stays behind when this fails costs space, nothing else.
		const outdated = this.flushes === flushes ? old : names;
		if (outdated.length > 0) await this.storage.remove(outdated).catch(() => undefined);
	}

	/** What a base made of `chunks` means for storage. */
	private plan(
		chunks: readonly Uint8Array[],
		length_bytes: number,
	): { manifest: Manifest; objects: Map<string, Uint8Array>; old: string[] } {
		const before = this.manifest;
		const seq = Math.max(before?.base?.seq ?? 0, ...(before?.kept ?? []).map((kept) => kept.seq)) + 1;
		// The random part keeps owners apart where storage has no fence.
		const name = `base-${seq}-${Math.random().toString(36).slice(2, 10)}`;
		let crc = 0;
		for (const chunk of chunks) crc = crc32c(chunk, crc);
		const base: Base = { name, chunks: chunks.length, seq, crc, length_bytes };
		const keeps = this.storage.keepsPrevious ?? false;
		const manifest: Manifest = {
			version: 1,
			replid: before?.replid ?? "",
			base,
			incr: [],
			offset: 0,
			...(keeps && before?.base ? { previous: before.base } : {}),
			...(before?.kept ? { kept: before.kept } : {}),
		};
		const gone = keeps ? before?.previous : before?.base;
		const objects = new Map(chunks.map((chunk, i) => [`${name}.${i}`, chunk]));
		return { manifest, objects, old: gone ? chunkNames(gone) : [] };
	}

	/** Saves what has changed in one step, if storage can do that, because there may be no time for a second. */
	private flush(): void {
		const { engine, storage } = this;
		if (!engine || engine.dirty === 0 || this.isReader || engine.isBusy) return;
		if (!storage.replace || !this.isExclusive) {
			this.save().catch(() => undefined);
			return;
		}
		// A page that goes says so up to three times.
		if (this.flushed === engine.writeVersion) return;
		this.flushed = engine.writeVersion;
		const from_ms = Date.now();
		const chunks = engine.dataset.snapshot(storage.chunkLimit_bytes);
		const length_bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
		const { manifest, objects, old } = this.plan(chunks, length_bytes);
		this.flushes++;
		this.manifest = manifest;
		this.flushing = storage.replace(manifest, objects, old).finally(() => {
			this.flushed = -1;
		});
		this.flushing.then(
			() => {
				this.end(true);
				this.events.onSave({ length_bytes, took_ms: Date.now() - from_ms });
			},
			(cause) => {
				const error = asStorageError(cause);
				this.end(false, error);
				this.events.onLost(error);
			},
		);
	}

	/** Saves when the page is hidden, frozen or left, if anything has changed. Returns the end of it. */
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

	/** Ends saving; storage is closed. */
	async close(): Promise<void> {
		clearTimeout(this.timer);
		await this.settled().catch(() => undefined);
		this.engine = undefined;
		await this.storage.close();
	}
}

function asStorageError(cause: unknown): RedstartError {
	if (cause instanceof RedstartError) return cause;
	return new RedstartError("storage", `the save failed: ${cause}`, cause);
}

function chunkNames(base: Base): string[] {
	return Array.from({ length: base.chunks }, (_, i) => `${base.name}.${i}`);
}

/** The bytes are at fault, not the way to them. */
function isCorrupt(error: unknown): boolean {
	return error instanceof ReplyError || (error instanceof RedstartError && error.kind === "corrupt");
}
