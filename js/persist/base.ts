/**
 * A snapshot on its way from the engine to storage, in slices: a little of it is written, then others work, then a little
 * more. The chunks are put as they fill; nothing counts until the manifest that names them is committed.
 */

import { Chunks } from "../dataset.ts";
import { crc32c } from "../storage/crc32c.ts";
import type { Base } from "../storage/storage.ts";
import type { Host, Persisted } from "./host.ts";
import { chunkNames, type Ledger } from "./ledger.ts";

/** So long the page, or the server, does nothing else. A step of the engine and a chunk's checksum come on top. */
const SLICE_MS = 2;
/** Chunks under way to storage; more would only take memory. */
const PUTS_AT_ONCE = 4;

/** The random part keeps owners apart where storage has no fence. */
function baseName(seq: number, host: Host): string {
	return `base-${seq}-${host.word()}`;
}

/** The snapshot that the engine has just begun, at once. */
export function wholeBase(
	engine: Pick<Persisted, "dataset">,
	ledger: Ledger,
	host: Host,
): { base: Base; objects: Map<string, Uint8Array> } {
	const all = new Chunks(ledger.storage.chunkLimit_bytes);
	for (let piece = engine.dataset.nextPiece(); piece; piece = engine.dataset.nextPiece()) all.add(piece);
	const chunks = all.end();
	const seq = ledger.nextBase();
	let crc = 0;
	let length_bytes = 0;
	for (const chunk of chunks) {
		crc = crc32c(chunk, crc);
		length_bytes += chunk.length;
	}
	const base: Base = { name: baseName(seq, host), chunks: chunks.length, seq, crc, length_bytes };
	return { base, objects: new Map(chunks.map((chunk, i) => [`${base.name}.${i}`, chunk])) };
}

/**
 * Puts the snapshot that the engine has just begun. Undefined when `isCurrent` says that it is of no use any more: what
 * was put is removed then, as it is when this rejects.
 */
export async function putBase(
	engine: Pick<Persisted, "dataset">,
	ledger: Ledger,
	host: Host,
	isCurrent: () => boolean,
): Promise<Base | undefined> {
	const { storage } = ledger;
	const seq = ledger.nextBase();
	const name = baseName(seq, host);
	ledger.putting.add(name);
	const chunks = new Chunks(storage.chunkLimit_bytes);
	const puts = new Puts();
	let crc = 0;
	let length_bytes = 0;
	let count = 0;
	const base = (): Base => ({ name, chunks: count, seq, crc, length_bytes });
	try {
		for (let isMore = true; isMore; ) {
			const until_ms = host.now_ms() + SLICE_MS;
			do {
				const piece = engine.dataset.nextPiece();
				isMore = piece !== undefined;
				if (piece) chunks.add(piece);
				for (const chunk of isMore ? chunks.takeFull() : chunks.end()) {
					crc = crc32c(chunk, crc);
					length_bytes += chunk.length;
					puts.add(storage.put(`${name}.${count++}`, chunk));
				}
			} while (isMore && host.now_ms() < until_ms);
			if (isMore) await host.turn();
			await puts.room(isMore ? PUTS_AT_ONCE : 1);
			if (!isCurrent()) {
				await puts.rest();
				await ledger.drop(chunkNames(base()));
				return undefined;
			}
		}
		return base();
	} catch (error) {
		await puts.rest();
		await ledger.drop(chunkNames(base()));
		throw error;
	}
}

/** What is under way to storage. */
class Puts {
	private readonly all = new Set<Promise<void>>();
	private error: { cause: unknown } | undefined;

	add(put: Promise<void>): void {
		const one = put
			.catch((cause) => {
				this.error ??= { cause };
			})
			.finally(() => this.all.delete(one));
		this.all.add(one);
	}

	/** Resolves when fewer than `count` are under way; rejects when one has failed. */
	async room(count: number): Promise<void> {
		while (this.all.size >= count) await Promise.race(this.all);
		if (this.error) throw this.error.cause;
	}

	/** Resolves when none is. */
	async rest(): Promise<void> {
		await Promise.all(this.all);
	}
}
