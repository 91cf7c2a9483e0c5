/**
 * The dataset of an engine as files: snapshots out and in (RDB), and the append-only file. The engine makes and reads the
 * bytes; where they are kept is the caller's business.
 */

import { RedstartError } from "./errors.ts";
import type { EngineExports } from "./wasm.ts";

/** What the engine lends. */
export interface EngineAccess {
	/** Runs `use` on the exports with the clock set; a trap in it ends the engine. */
	enter<T>(use: (exports: EngineExports) => T): T;
	/** What a returned number says: a value, or a ReplyError thrown. */
	result(returned: number): unknown;
	/** The `length` bytes that the last call showed, until the next one. */
	shown(length: number): Uint8Array;
	/** Puts bytes where the engine reads its requests; at most {@link PIECE_BYTES}. */
	place(bytes: Uint8Array): void;
	/** Looks at what the call left to do. */
	after(): void;
}

/** So many bytes go in at once. */
export const PIECE_BYTES = 65536;

/**
 * A snapshot for a file of its own, the base of an append-only file whose next segment begins at that moment, or a copy
 * for somebody, of which nothing is stored: commands do not see it, and a snapshot for another purpose puts an end to it.
 */
export type Purpose = "save" | "rewrite" | "copy";

const PURPOSES: readonly Purpose[] = ["save", "rewrite", "copy"];

/** How a snapshot is loaded. */
export interface LoadOptions {
	/** What becomes of the data of modules: the file is refused (the default), or such data is left out and counted. */
	modules?: "refuse" | "skip";
}

/** What a load did with the keys of the file. */
export interface LoadReport {
	/** In the dataset now. */
	keys: number;
	/** Left out, because their time was up. */
	expired: number;
	/** Left out, because they hold data of modules. */
	skipped: number;
}

/** What a host can keep. */
export type Keeps = "nothing" | "snapshots" | "aof";

const KEEPS: readonly Keeps[] = ["nothing", "snapshots", "aof"];

export class Dataset {
	/** Why the last snapshot was not stored. */
	lossCause: RedstartError | undefined;
	private readonly access: EngineAccess;
	/** Counts the snapshots begun: who makes one in pieces sees that another has taken its place. */
	private snapshots = 0;
	/** The same for loads. */
	private loads = 0;
	/** A snapshot is being stored. */
	isSaving = false;
	private waiters: (() => void)[] = [];

	constructor(access: EngineAccess) {
		this.access = access;
	}

	/** Tells the engine what is kept of the dataset. */
	setKeeps(keeps: Keeps): void {
		this.access.enter((exports) => exports.rs_storage(KEEPS.indexOf(keeps)));
	}

	// ---- snapshots ----

	/**
	 * Begins a snapshot of the dataset as it is now. Before a rewrite call {@link takeAof}: those bytes belong to the
	 * segment that ends here. Then {@link nextPiece} until there is none, and {@link endSnapshot}.
	 */
	beginSnapshot(purpose: Purpose): void {
		const { access } = this;
		access.enter((exports) => access.result(exports.rs_snapshot_begin(PURPOSES.indexOf(purpose))));
		this.snapshots++;
		if (purpose !== "copy") this.isSaving = true;
	}

	/**
	 * The next bytes of the snapshot, valid until the next call into the engine; none at its end. They may be no bytes
	 * when a step found nothing to write. A step takes about a millisecond.
	 */
	nextPiece(): Uint8Array | undefined {
		const { access } = this;
		const length = access.enter((exports) => exports.rs_snapshot_next());
		return length === 0 ? undefined : access.shown(Math.max(length, 0));
	}

	/** Whether the snapshot was stored, and why not; the engine's LASTSAVE and MISCONF depend on it. */
	endSnapshot(isStored: boolean, cause?: RedstartError): void {
		this.lossCause = cause;
		this.access.enter((exports) => exports.rs_snapshot_end(isStored ? 1 : 0));
		this.isSaving = false;
		// The engine keeps nothing of a copy that was begun meanwhile.
		this.snapshots++;
		for (const wake of this.waiters.splice(0)) wake();
		this.access.after();
	}

	/** Resolves when no snapshot is being stored. */
	async whenSaved(): Promise<void> {
		while (this.isSaving) await new Promise<void>((resolve) => this.waiters.push(resolve));
	}

	/**
	 * A copy of the dataset as it is now, piece by piece; none when a snapshot that is to be stored took its place. The
	 * caller lets others work between the pieces, and says by `return` that it needs no more.
	 */
	*copy(): Generator<Uint8Array, boolean> {
		this.beginSnapshot("copy");
		const mine = this.snapshots;
		try {
			while (this.snapshots === mine) {
				const piece = this.nextPiece();
				if (!piece) return true;
				yield piece;
			}
			return false;
		} finally {
			if (this.snapshots === mine) this.access.enter((exports) => exports.rs_snapshot_end(2));
		}
	}

	/** The whole snapshot at once, in chunks of at most `limit_bytes`. Tell {@link endSnapshot} what became of it. */
	snapshot(limit_bytes: number, purpose: Purpose = "save"): Uint8Array[] {
		this.beginSnapshot(purpose);
		const chunks = new Chunks(limit_bytes);
		for (let piece = this.nextPiece(); piece; piece = this.nextPiece()) chunks.add(piece);
		return chunks.end();
	}

	/** Says that the dataset is stored where there is no storage, so that nobody waits for it. */
	skipSnapshot(): void {
		this.beginSnapshot("save");
		this.endSnapshot(true);
	}

	/** Replaces the dataset by a snapshot's. Throws a ReplyError, and changes nothing, when it is corrupt. */
	load(chunks: Iterable<Uint8Array>, options: LoadOptions = {}): LoadReport {
		const load = this.beginLoad(options);
		for (const chunk of chunks) for (const piece of piecesOf(chunk)) load.add(piece);
		return load.end(false);
	}

	/** Begins a load in pieces, aside of the dataset: commands may run in between. Another load takes its place. */
	beginLoad(options: LoadOptions = {}): Load {
		const { access } = this;
		const flags = options.modules === "skip" ? 1 : 0;
		access.enter((exports) => access.result(exports.rs_load_begin(flags)));
		this.loads++;
		const mine = this.loads;
		return new Load(access, () => this.loads === mine);
	}

	// ---- the append-only file ----

	/** Records every write from now on, or none any more. What was not taken is dropped. */
	setAof(isOn: boolean): void {
		this.access.enter((exports) => exports.rs_aof(isOn ? 1 : 0));
	}

	/** The writes recorded since the last time, as bytes to append; valid until the next call into the engine. */
	takeAof(): Uint8Array {
		const { access } = this;
		return access.shown(access.enter((exports) => exports.rs_aof_take()));
	}

	/** The database that is selected behind what was taken last; -1 for none. */
	aofDb(): number {
		return this.access.enter((exports) => exports.rs_aof_db());
	}

	/** Of the bytes taken since the file was turned on, so many are written, and so many survive a power cut. */
	aofStored(written_bytes: number, durable_bytes: number): void {
		this.access.enter((exports) => exports.rs_aof_stored(written_bytes, durable_bytes));
		this.access.after();
	}

	/** What was taken could not be written; writes are refused until {@link aofStored} says that it was after all. */
	aofFailed(why: string): void {
		const { access } = this;
		const text = new TextEncoder().encode(why).subarray(0, PIECE_BYTES);
		access.place(text);
		access.enter((exports) => exports.rs_aof_failed(text.length));
		access.after();
	}

	/**
	 * Runs a file of an append-only file on the dataset: its base (RDB, which is not for {@link load}: that would leave out
	 * keys whose lives the next files prolong), then each that follows it, in their order. Nothing expires, and wire clients
	 * are told LOADING, until the last one is over. Returns how many of its bytes were good: fewer than there are when it
	 * ends inside of a command or a transaction, of which nothing was done. Throws a ReplyError, in Redis' words, when there
	 * is something else in it; all is over then, and what came before stays done.
	 */
	replay(chunks: Iterable<Uint8Array>, file: ReplayedFile = {}): number {
		const replay = this.beginReplay(file);
		for (const chunk of chunks) replay.add(chunk);
		return replay.end();
	}

	/** The same, piece by piece. */
	beginReplay(file: ReplayedFile = {}): Replay {
		const { access } = this;
		const name = new TextEncoder().encode(file.name ?? "").subarray(0, PIECE_BYTES);
		access.place(name);
		access.enter((exports) => access.result(exports.rs_replay_begin(name.length, file.total_bytes ?? 0)));
		return new Replay(access, file.isLast ?? true);
	}
}

/** What {@link Dataset.replay} wants to know of a file. */
export interface ReplayedFile {
	/** What messages call it. */
	name?: string;
	/** How long it is, for INFO. */
	total_bytes?: number;
	/** No other one follows it, which is so unless this says otherwise. */
	isLast?: boolean;
}

/** A file on its way into the engine: see {@link Dataset.replay}. */
export class Replay {
	private readonly access: EngineAccess;
	private readonly isLast: boolean;

	constructor(access: EngineAccess, isLast: boolean) {
		this.access = access;
		this.isLast = isLast;
	}

	/** Runs the next bytes. */
	add(chunk: Uint8Array): void {
		const { access } = this;
		for (const piece of piecesOf(chunk)) {
			access.place(piece);
			access.enter((exports) => access.result(exports.rs_replay_chunk(piece.length)));
		}
	}

	/** How many bytes were good. */
	end(): number {
		const { access } = this;
		const good_bytes = access.enter((exports) => access.result(exports.rs_replay_end(this.isLast ? 1 : 0)));
		access.after();
		return Number(good_bytes);
	}
}

/** A snapshot on its way into the engine. */
export class Load {
	private readonly access: EngineAccess;
	private readonly isCurrent: () => boolean;

	/** `isCurrent` tells whether no other load has begun. */
	constructor(access: EngineAccess, isCurrent: () => boolean) {
		this.access = access;
		this.isCurrent = isCurrent;
	}

	/** The next bytes, at most {@link PIECE_BYTES}. Throws a ReplyError when they are corrupt: the load is over then. */
	add(piece: Uint8Array): void {
		this.check();
		const { access } = this;
		access.place(piece);
		access.enter((exports) => access.result(exports.rs_load_chunk(piece.length)));
	}

	/**
	 * Puts what was loaded in the dataset's place, if it is whole; else throws a ReplyError, and the dataset is as it was.
	 * An import counts as a change that is not stored.
	 */
	end(isImport: boolean): LoadReport {
		this.check();
		const { access } = this;
		const report = access.enter((exports) => access.result(exports.rs_load_end(isImport ? 1 : 0)));
		const [keys, expired, skipped] = report as [number, number, number];
		access.after();
		return { keys, expired, skipped };
	}

	/** Gives it up, and the memory it took. */
	drop(): void {
		if (!this.isCurrent()) return;
		const { access } = this;
		access.enter((exports) => {
			exports.rs_load_begin(0);
			// Nothing came, so nothing is loaded.
			exports.rs_load_end(0);
		});
	}

	private check(): void {
		if (!this.isCurrent()) throw new RedstartError("storage", "another file was loaded meanwhile");
	}
}

export function* piecesOf(chunk: Uint8Array): Generator<Uint8Array> {
	for (let from = 0; from < chunk.length; from += PIECE_BYTES) yield chunk.subarray(from, from + PIECE_BYTES);
}

/** Makes chunks of one length, except for the last, out of pieces that are as long as they happen to be. */
export class Chunks {
	private readonly limit_bytes: number;
	private readonly full: Uint8Array[] = [];
	private chunk = new Uint8Array(0);
	private used = 0;

	constructor(limit_bytes: number) {
		this.limit_bytes = limit_bytes;
	}

	/** Copies a piece. */
	add(piece: Uint8Array): void {
		let from = 0;
		while (from < piece.length) {
			if (this.used === this.chunk.length) {
				this.chunk = new Uint8Array(this.limit_bytes);
				this.full.push(this.chunk);
				this.used = 0;
			}
			const part = piece.subarray(from, from + this.limit_bytes - this.used);
			this.chunk.set(part, this.used);
			this.used += part.length;
			from += part.length;
		}
	}

	/** The chunks that are full; the caller's from now on. */
	takeFull(): Uint8Array[] {
		const count = this.used < this.limit_bytes ? this.full.length - 1 : this.full.length;
		return this.full.splice(0, Math.max(count, 0));
	}

	/** What is left. */
	end(): Uint8Array[] {
		const last = this.full.pop();
		if (last) this.full.push(last.length === this.used ? last : last.slice(0, this.used));
		return this.full;
	}
}
