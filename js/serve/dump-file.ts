/** `dump.rdb`: the dataset as a file that redis-server reads, and the other way round. */

import {
	closeSync,
	existsSync,
	fsyncSync,
	openSync,
	readSync,
	renameSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Engine } from "../engine.ts";

const CHUNK_BYTES = 1 << 20;

/** The pieces of a file, one after another. */
function* pieces(path: string): Generator<Uint8Array> {
	const file = openSync(path, "r");
	try {
		const buffer = new Uint8Array(CHUNK_BYTES);
		for (;;) {
			const length = readSync(file, buffer);
			if (length === 0) return;
			yield buffer.subarray(0, length);
		}
	} finally {
		closeSync(file);
	}
}

/** Fills an engine from a file; false when there is none. Throws when it cannot be read; the file stays as it is. */
export function loadDump(engine: Engine, path: string): boolean {
	if (!existsSync(path)) return false;
	engine.dataset.load(pieces(path));
	return true;
}

/**
 * Writes the dataset to a file beside the old one, makes it durable and puts it in the old one's place. The engine is
 * told how that went. Throws what went wrong.
 */
export function saveDump(engine: Engine, path: string): void {
	const folder = dirname(path);
	const fresh = join(folder, `temp-${process.pid}.rdb`);
	let isSaved = false;
	try {
		const file = openSync(fresh, "w", 0o644);
		try {
			for (const chunk of engine.dataset.snapshot(CHUNK_BYTES)) writeSync(file, chunk);
			fsyncSync(file);
		} finally {
			closeSync(file);
		}
		renameSync(fresh, path);
		syncFolder(folder);
		isSaved = true;
	} finally {
		if (!isSaved && existsSync(fresh)) unlinkSync(fresh);
		engine.dataset.endSnapshot(isSaved);
	}
}

/** A rename is durable once its folder is. Not every system lets a folder be opened. */
function syncFolder(folder: string): void {
	try {
		const handle = openSync(folder, "r");
		fsyncSync(handle);
		closeSync(handle);
	} catch {}
}
