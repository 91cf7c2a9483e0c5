/** RDB files in and out of an open database, in pieces, so that the page stays alive and other commands run meanwhile. */

import { Chunks, type LoadOptions, type LoadReport, piecesOf } from "./dataset.ts";
import type { Engine } from "./engine.ts";
import { RedstartError } from "./errors.ts";
import { soon } from "./soon.ts";

/** Where the bytes of an RDB file come from. A stream is read to its end, or cancelled when the import fails. */
export type RdbSource =
	| Uint8Array
	| ArrayBuffer
	| Blob
	| Response
	| ReadableStream<Uint8Array>
	| Iterable<Uint8Array>
	| AsyncIterable<Uint8Array>;

export interface TransferProgress {
	/** Bytes of the file read or written so far. */
	readonly done_bytes: number;
	/** Length of the file, where it is known beforehand. */
	readonly total_bytes: number | undefined;
}

export interface TransferOptions {
	/** Called now and then, and at the end. */
	onProgress?(progress: TransferProgress): void;
	/** Gives it up; the promise rejects with the signal's reason. */
	signal?: AbortSignal;
	/** How long others wait at once, in ms. Default 8. */
	turn_ms?: number;
}

export interface ImportOptions extends TransferOptions, LoadOptions {}

export interface ExportOptions extends TransferOptions {
	/** What to make: one array of bytes (the default), or a Blob, which can be longer than memory has room for. */
	as?: "bytes" | "blob";
}

/** What an import did. */
export interface ImportReport extends LoadReport {
	/** Length of the file. */
	length_bytes: number;
	/** Until it was in place, and stored where there is storage. */
	took_ms: number;
}

/** The database that files come to and from. */
export interface Place {
	readonly engine: Engine;
	/** The dataset is another one from this moment on: resolves once it is stored, where there is storage. */
	replaced(): Promise<void>;
}

/** Work goes on this long before others get their turn. */
const TURN_MS = 8;
const CHUNK_BYTES = 1 << 20;

/** Replaces the dataset of `place` by that of a file. */
export async function importRdb(
	place: Place,
	source: RdbSource,
	{ onProgress, signal, turn_ms, ...options }: ImportOptions = {},
): Promise<ImportReport> {
	const from_ms = performance.now();
	const { engine } = place;
	const total_bytes = lengthOf(source);
	const turns = new Turns(signal, turn_ms);
	let done_bytes = 0;
	const load = engine.dataset.beginLoad(options);
	try {
		for await (const chunk of chunksOf(source, signal)) {
			for (const piece of piecesOf(chunk)) {
				load.add(piece);
				done_bytes += piece.length;
				if (!turns.isOver) continue;
				onProgress?.({ done_bytes, total_bytes });
				await turns.next();
			}
		}
		while (isTaken(engine)) await whenFree(engine);
		signal?.throwIfAborted();
	} catch (error) {
		if (!engine.isClosed) load.drop();
		throw error;
	}
	const report = load.end(true);
	const storing = place.replaced();
	// Who waited for a key that is there now is served, and what that changes is no part of the file.
	engine.tick();
	onProgress?.({ done_bytes, total_bytes });
	try {
		await storing;
	} catch (error) {
		throw new RedstartError(
			"storage",
			`the file is loaded, but not stored: ${(error as Error).message}`,
			error,
		);
	}
	return { ...report, length_bytes: done_bytes, took_ms: performance.now() - from_ms };
}

/** The dataset of `place` at one moment as an RDB file. Saves come first: when one begins, this begins anew after it. */
export async function exportRdb(
	{ engine }: Place,
	{ as = "bytes", onProgress, signal, turn_ms }: ExportOptions = {},
): Promise<Uint8Array | Blob> {
	for (;;) {
		signal?.throwIfAborted();
		while (isTaken(engine)) await whenFree(engine);
		const file = as === "blob" ? new BlobFile() : new BytesFile();
		const turns = new Turns(signal, turn_ms);
		const copy = engine.dataset.copy();
		try {
			for (;;) {
				const { done, value } = copy.next();
				if (done && !value) break;
				if (done) {
					onProgress?.({ done_bytes: file.length_bytes, total_bytes: file.length_bytes });
					signal?.throwIfAborted();
					return file.end();
				}
				file.add(value as Uint8Array);
				if (!turns.isOver) continue;
				onProgress?.({ done_bytes: file.length_bytes, total_bytes: undefined });
				await turns.next();
			}
		} finally {
			if (!engine.isClosed) copy.return(false);
		}
	}
}

/** A script is paused, or a snapshot is being stored. */
function isTaken(engine: Engine): boolean {
	return engine.isBusy || engine.dataset.isSaving;
}

/** Resolves when neither is so, or the engine was closed. */
async function whenFree(engine: Engine): Promise<void> {
	await engine.whenIdle();
	await engine.dataset.whenSaved();
}

/** Shares the thread. */
class Turns {
	private readonly signal: AbortSignal | undefined;
	private readonly turn_ms: number;
	private from_ms = performance.now();

	constructor(signal: AbortSignal | undefined, turn_ms = TURN_MS) {
		this.signal = signal;
		this.turn_ms = turn_ms;
	}

	get isOver(): boolean {
		return performance.now() - this.from_ms >= this.turn_ms;
	}

	/** Lets others work. Throws the signal's reason when it came meanwhile. */
	async next(): Promise<void> {
		await new Promise<void>(soon);
		this.signal?.throwIfAborted();
		this.from_ms = performance.now();
	}
}

class BytesFile {
	length_bytes = 0;
	private readonly chunks = new Chunks(CHUNK_BYTES);

	add(piece: Uint8Array): void {
		this.chunks.add(piece);
		this.length_bytes += piece.length;
	}

	end(): Uint8Array {
		const bytes = new Uint8Array(this.length_bytes);
		const chunks = this.chunks.end();
		let at = bytes.length;
		// From the end, so that what is copied can go at once.
		for (let chunk = chunks.pop(); chunk; chunk = chunks.pop()) {
			at -= chunk.length;
			bytes.set(chunk, at);
		}
		return bytes;
	}
}

/** Browsers keep Blobs outside of the page, and long ones on disk. */
class BlobFile {
	length_bytes = 0;
	private readonly chunks = new Chunks(CHUNK_BYTES);
	private readonly parts: Blob[] = [];

	add(piece: Uint8Array): void {
		this.chunks.add(piece);
		this.length_bytes += piece.length;
		this.keep(this.chunks.takeFull());
	}

	end(): Blob {
		this.keep(this.chunks.end());
		return new Blob(this.parts, { type: "application/octet-stream" });
	}

	private keep(chunks: readonly Uint8Array[]): void {
		for (const chunk of chunks) this.parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
	}
}

function lengthOf(source: RdbSource): number | undefined {
	if (typeof source !== "object" || source === null) throw noSource();
	if ("byteLength" in source) return source.byteLength;
	if ("size" in source && typeof source.size === "number") return source.size;
	if (!("headers" in source)) return undefined;
	// What is compressed on the way has another length in the end.
	const length = source.headers.get("content-encoding") ? null : source.headers.get("content-length");
	return length === null ? undefined : Number(length);
}

/** The bytes of any source, chunk by chunk. */
async function* chunksOf(source: RdbSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
	signal?.throwIfAborted();
	if (ArrayBuffer.isView(source)) yield source;
	else if ("byteLength" in source) yield new Uint8Array(source);
	else if ("getReader" in source) yield* streamed(source, signal);
	else if ("headers" in source) {
		if (!source.ok) {
			throw new RedstartError("storage", `the file cannot be fetched: ${source.status} ${source.statusText}`);
		}
		if (source.body) yield* streamed(source.body, signal);
	} else if ("stream" in source) yield* streamed(source.stream(), signal);
	else if (Symbol.iterator in source || Symbol.asyncIterator in source) {
		for await (const chunk of source) {
			if (!ArrayBuffer.isView(chunk)) throw noSource();
			signal?.throwIfAborted();
			yield chunk;
		}
	} else throw noSource();
}

async function* streamed(
	stream: ReadableStream<Uint8Array>,
	signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
	const reader = stream.getReader();
	// A read that waits ends by this.
	const cancel = () => void reader.cancel(signal?.reason).catch(() => undefined);
	signal?.addEventListener("abort", cancel);
	let isOver = false;
	try {
		for (;;) {
			const { done, value } = await reader.read();
			signal?.throwIfAborted();
			isOver = done;
			if (done) return;
			yield value;
		}
	} finally {
		signal?.removeEventListener("abort", cancel);
		if (!isOver) cancel();
		reader.releaseLock();
	}
}

function noSource(): RedstartError {
	return new RedstartError(
		"unsupported",
		"a file comes as bytes, a Blob, a Response, a stream or pieces of bytes",
	);
}
