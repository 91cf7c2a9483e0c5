/** What a storage driver is. Only the files beside this one know how their storage works. */

import { RedstartError } from "../errors.ts";

/** A point-in-time state of the dataset: `chunks` objects called `name.0`, `name.1`, ... */
export interface Base {
	readonly name: string;
	readonly chunks: number;
	/** Counts the bases of this storage; a name is never used twice. */
	readonly seq: number;
	/** CRC-32C of all chunks, one after another. */
	readonly crc: number;
	readonly length_bytes: number;
}

/**
 * A segment of the append-only file. Once it is sealed, `length_bytes` says how much of it counts: nothing is ever
 * appended to a segment that may end in a torn write, a new one is begun instead.
 */
export interface Segment {
	readonly id: number;
	readonly length_bytes?: number;
}

/** What the stored bytes mean. Committing it is what makes them count. */
export interface Manifest {
	readonly version: 1;
	readonly replid: string;
	readonly base: Base | null;
	readonly incr: readonly Segment[];
	readonly offset: number;
	/** No base and no segment had a higher number so far: what was removed may come back by a power cut. */
	readonly highest?: number;
	/** The base before this one, where readers may still see the manifest that names it. */
	readonly previous?: Base;
	/** Bases that could not be read, kept for whoever can, and the segments that belong to them. */
	readonly kept?: readonly Base[];
	readonly keptIncr?: readonly Segment[];
}

/** A place where a dataset survives. One engine owns it at a time; the epoch is the fence against former owners. */
export interface Storage {
	/** An object may be this long. */
	readonly chunkLimit_bytes: number;
	/** Whether segments can be appended to; else it keeps snapshots only. */
	readonly hasAof: boolean;
	/** The base before the last stays until the next commit, because reads may be old. */
	readonly keepsPrevious?: boolean;
	/**
	 * What is stored. Takes ownership (epoch + 1) unless `isReader`: then `commit` and `append` are refused.
	 */
	load(isReader?: boolean): Promise<{ epoch: number; manifest: Manifest | null }>;
	/**
	 * Adds to a segment that this owner has begun: its number is above all that the manifest and `list` had when it became
	 * the owner. Calls need not be awaited. They and commits take effect in their order; after a crash a prefix of them remains, each
	 * whole or not at all. Resolved: it survives the death of this program. `isDurable`: it and all before survive a power
	 * cut, also when there are no `bytes`. `bytes` must not change until then.
	 *
	 * Rejected: nothing of it counts, whatever comes later, and what was called behind it before it failed is rejected,
	 * too. With {@link missing} when the stored data was cleared away: only a new base makes it whole again.
	 */
	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void>;
	/**
	 * Appends, with every append that has not resolved yet, in one durable step that is handed over before it returns, for a
	 * page about to go: nothing of the page may be needed to finish it. Without the fence, so only while a lock keeps others
	 * out. A commit that has not resolved may take effect after it. Rejected, with no effect, when an append to the segment
	 * was: whoever calls may not have heard of it yet.
	 */
	appendNow?(segment: number, bytes: Uint8Array): Promise<void>;
	/** Stores an object, invisible until a commit names it. `bytes` must not change until it resolves. */
	put(name: string, bytes: Uint8Array): Promise<void>;
	/**
	 * Makes `manifest` the truth, durably, after everything in `needs`. Refused when somebody else took ownership, and with
	 * {@link missing} when one of `needs` is not there: then all of them must be put again; and where nothing is stored,
	 * because it was cleared away, unless `needs` is all that the manifest names.
	 */
	commit(manifest: Manifest, needs: readonly string[]): Promise<void>;
	/**
	 * Puts, commits and removes in one step that is handed over before it returns, for a page about to go: nothing of the
	 * page may be needed to finish it. Without the fence, so only while a lock keeps others out.
	 */
	replace?(
		manifest: Manifest,
		objects: ReadonlyMap<string, Uint8Array>,
		old: readonly string[],
	): Promise<void>;
	/** An object by name, or the whole appends of a segment by number, one after another; null when there is none. */
	read(name: string | number): Promise<Uint8Array | null>;
	/** Names of objects and numbers of segments, in no order. */
	list(): Promise<(string | number)[]>;
	/** Removes what is named; what is not there is no error. */
	remove(names: readonly (string | number)[]): Promise<void>;
	/** Waits for what was called before. */
	close(): Promise<void>;
}

/** Somebody else owns the storage now. */
export function fenced(): RedstartError {
	return new RedstartError("storage", FENCED);
}

const FENCED = "another owner has taken over this database; changes here are no longer stored";

/** Whether it is {@link fenced}: nothing will be stored here any more. */
export function isFenced(error: unknown): boolean {
	return error instanceof RedstartError && error.message === FENCED;
}

/** A driver that was opened for reading, or not opened at all, cannot write. */
export function readOnly(): RedstartError {
	return new RedstartError("storage", "this database was opened for reading only");
}

/** Segments of former owners may end in a torn write, so nobody appends to them. */
export function formerSegment(id: number): RedstartError {
	return new RedstartError("storage", `segment ${id} was begun by a former owner`);
}

/** What was put is gone: site data was cleared. */
export function missing(name: string): RedstartError {
	return new RedstartError("corrupt", `${name} is missing`);
}
