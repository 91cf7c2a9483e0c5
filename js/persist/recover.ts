/**
 * From storage to an engine: the base, then the segments in their order.
 *
 * - A sealed segment counts for exactly its length. If it is shorter, or does not end with a command, data was lost.
 * - Only the last segment may be unsealed, and end in a torn write: what is whole of it counts.
 * - Nothing is written. What cannot be read stays as it is.
 */

import { type Load, piecesOf } from "../dataset.ts";
import { RedstartError, ReplyError } from "../errors.ts";
import { crc32c } from "../storage/crc32c.ts";
import { type Base, type Manifest, missing, type Segment, type Storage } from "../storage/storage.ts";
import type { Persisted } from "./host.ts";
import { checkVersion, chunkNames } from "./ledger.ts";
import type { Tail } from "./log.ts";

type Dataset = Pick<Persisted["dataset"], "beginLoad" | "beginReplay">;

/** A dataset without anything, as a snapshot. */
const NOTHING = Uint8Array.of(82, 69, 68, 73, 83, 48, 48, 49, 49, 255, 0, 0, 0, 0, 0, 0, 0, 0);
/** Chunks asked for before they are needed. */
const READ_AHEAD = 3;

export interface Recovered {
	/** The last segment, with what is good of it. */
	tail: Tail | undefined;
	/** Bytes at its end that are not. */
	torn_bytes: number;
}

/** Empties the dataset. */
export function clear(dataset: Dataset): void {
	const load = dataset.beginLoad();
	load.add(NOTHING);
	load.end(false);
}

/**
 * Fills an engine, whose dataset is empty, with what a manifest names. Throws an error of kind `corrupt` that says what
 * cannot be read and where; the dataset is in between then.
 */
export async function recover(
	storage: Storage,
	manifest: Manifest | null,
	dataset: Dataset,
	allowsTear: boolean,
): Promise<Recovered> {
	checkVersion(manifest);
	const { base, incr } = manifest ?? { base: null, incr: [] };
	if (incr.length === 0) {
		if (base) await readBase(storage, base, new Loading(dataset));
		return { tail: undefined, torn_bytes: 0 };
	}
	try {
		// What follows may prolong the life of what is in the base.
		if (base) await readBase(storage, base, dataset.beginReplay({ name: base.name, isLast: false }));
		return await readSegments(storage, incr, dataset, allowsTear);
	} catch (error) {
		// Whatever was amiss, the replay is over.
		dataset.beginReplay().end();
		throw error;
	}
}

/** A base that nothing follows. */
class Loading implements Reader {
	private readonly load: Load;

	constructor(dataset: Dataset) {
		this.load = dataset.beginLoad();
	}

	add(chunk: Uint8Array): void {
		for (const piece of piecesOf(chunk)) this.load.add(piece);
	}

	end(): void {
		this.load.end(false);
	}
}

interface Reader {
	add(chunk: Uint8Array): void;
	end(): unknown;
}

async function readSegments(
	storage: Storage,
	segments: readonly Segment[],
	dataset: Dataset,
	allowsTear: boolean,
): Promise<Recovered> {
	let tail: Tail | undefined;
	let torn_bytes = 0;
	for (const [i, { id, length_bytes }] of segments.entries()) {
		const isLast = i === segments.length - 1;
		if (length_bytes === undefined && !isLast)
			throw corrupt(`segment ${id} of the append-only file has no end`);
		const all = (await storage.read(id)) ?? new Uint8Array(0);
		const length = length_bytes ?? all.length;
		if (all.length < length) {
			throw corrupt(`segment ${id} of the append-only file ends at byte ${all.length} of ${length}`);
		}
		const end = length_bytes === undefined ? endOf(all) : length;
		const good = replay(dataset, id, all.subarray(0, end), isLast);
		if (good < length) {
			const where = `segment ${id} of the append-only file ends amid a command, at byte ${good} of ${length}`;
			if (length_bytes !== undefined) throw corrupt(where);
			if (!allowsTear) throw corrupt(`${where}, and aof-load-truncated is no`);
			torn_bytes = length - good;
		}
		tail = { id, length_bytes: good };
	}
	return { tail, torn_bytes };
}

/**
 * Where a file ends but for zeros: after a power cut, its length may be on the disk and its last block not. No command ends
 * in one.
 */
function endOf(bytes: Uint8Array): number {
	let end = bytes.length;
	while (end > 0 && bytes[end - 1] === 0) end--;
	return end;
}

function replay(dataset: Dataset, id: number, bytes: Uint8Array, isLast: boolean): number {
	try {
		const replay = dataset.beginReplay({ name: `segment ${id}`, total_bytes: bytes.length, isLast });
		replay.add(bytes);
		return replay.end();
	} catch (error) {
		if (!(error instanceof ReplyError)) throw error;
		throw corrupt(`segment ${id} of the append-only file cannot be read: ${error.message}`, error);
	}
}

async function readBase(storage: Storage, base: Base, reader: Reader): Promise<void> {
	try {
		let crc = 0;
		for await (const chunk of readAll(storage, chunkNames(base))) {
			crc = crc32c(chunk, crc);
			reader.add(chunk);
		}
		if (crc !== base.crc) throw corrupt("its checksum is wrong");
		reader.end();
	} catch (error) {
		if (!isCorrupt(error)) throw error;
		throw corrupt(`the stored snapshot cannot be read: ${(error as Error).message}`, error);
	}
}

/** Objects one after another, the next ones on their way meanwhile. */
async function* readAll(storage: Storage, names: readonly string[]): AsyncGenerator<Uint8Array> {
	const ahead: Promise<Uint8Array | null>[] = [];
	for (const [i, name] of names.entries()) {
		while (ahead.length < READ_AHEAD && i + ahead.length < names.length) {
			const reading = storage.read(names[i + ahead.length] as string);
			reading.catch(() => undefined);
			ahead.push(reading);
		}
		const chunk = await ahead.shift();
		if (!chunk) throw missing(name);
		yield chunk;
	}
}

function corrupt(text: string, cause?: unknown): RedstartError {
	return new RedstartError("corrupt", text, cause);
}

/** The bytes are at fault, not the way to them. */
export function isCorrupt(error: unknown): boolean {
	return error instanceof ReplyError || (error instanceof RedstartError && error.kind === "corrupt");
}
