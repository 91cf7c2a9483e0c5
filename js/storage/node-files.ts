/** Files under Node: written whole or not at all, and there after a power cut where that is asked for. */

import {
	closeSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	openSync,
	readSync,
	renameSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { getSystemErrorMap } from "node:util";

const READ_BYTES = 1 << 20;

/** The pieces of a file, one after another, up to `end_bytes`; a piece is valid until the next. */
export function* piecesOf(path: string, end_bytes = Number.POSITIVE_INFINITY): Generator<Uint8Array> {
	const file = openSync(path, "r");
	try {
		const buffer = new Uint8Array(READ_BYTES);
		for (let at = 0; ; ) {
			const length = readSync(file, buffer, 0, Math.min(READ_BYTES, end_bytes - at), null);
			if (length === 0) return;
			at += length;
			yield buffer.subarray(0, length);
		}
	} finally {
		closeSync(file);
	}
}

/**
 * How many zeros a file ends in: after a power cut, its length may be on the disk and its last block not. Reads from the end.
 */
export function zerosAtEnd(path: string): number {
	const file = openSync(path, "r");
	try {
		const buffer = new Uint8Array(4096);
		const { size } = fstatSync(file);
		for (let end = size; end > 0; ) {
			const from = Math.max(0, end - buffer.length);
			const length = readSync(file, buffer, 0, end - from, from);
			for (let i = length - 1; i >= 0; i--) if (buffer[i] !== 0) return size - (from + i + 1);
			end = from;
		}
		return size;
	} finally {
		closeSync(file);
	}
}

/** Writes all of `bytes` to where the file stands, or throws what kept it from that. */
export function writeAll(file: number, bytes: Uint8Array): void {
	for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Not all of an append went in. */
export class ShortWrite extends Error {
	readonly written: number;
	readonly code: string;

	constructor(written: number, code: string) {
		super(textOf(code) ?? code);
		this.written = written;
		this.code = code;
	}
}

/**
 * Appends all of `bytes` to a file that ends at `end_bytes`, or nothing: what went in is cut off again. Throws a
 * {@link ShortWrite}, whose `written` is what could not be cut off, or what the system said.
 */
export function appendAll(file: number, bytes: Uint8Array, end_bytes: number): void {
	let at = 0;
	try {
		while (at < bytes.length) at += writeSync(file, bytes, at);
	} catch (error) {
		if (at === 0) throw error;
		const { code = "EIO" } = error as NodeJS.ErrnoException;
		try {
			ftruncateSync(file, end_bytes);
		} catch {
			throw new ShortWrite(at, code);
		}
		throw new ShortWrite(0, code);
	}
}

/** A rename or a new file is durable once its folder is. Not every system lets a folder be opened. */
export function syncFolder(folder: string): void {
	let handle: number;
	try {
		handle = openSync(folder, "r");
	} catch {
		return;
	}
	try {
		fsyncSync(handle);
	} catch (error) {
		// Some file systems have no such thing for a folder.
		const { code } = error as NodeJS.ErrnoException;
		if (code !== "EINVAL" && code !== "EPERM" && code !== "EISDIR") throw error;
	} finally {
		closeSync(handle);
	}
}

/** Puts a file with this content in the place of `path`, durably: after a crash there is the old one or the new one. */
export function replaceFile(path: string, fresh: string, content: Uint8Array): void {
	const file = openSync(fresh, "w", 0o644);
	try {
		writeAll(file, content);
		fsyncSync(file);
	} finally {
		closeSync(file);
	}
	renameSync(fresh, path);
	syncFolder(dirname(path));
}

/** Removes a file; true when there was one. */
export function removeFile(path: string): boolean {
	try {
		unlinkSync(path);
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "ENOTDIR") return false;
		throw error;
	}
}

/** What the C library says where Node has words of its own. */
const OWN_WORDS: Record<string, string> = {
	EADDRNOTAVAIL: "Cannot assign requested address",
	EIO: "Input/output error",
	EISDIR: "Is a directory",
	EDQUOT: "Disk quota exceeded",
};

function textOf(code: string): string | undefined {
	if (OWN_WORDS[code]) return OWN_WORDS[code];
	for (const [name, text] of getSystemErrorMap().values()) {
		if (name === code) return text.charAt(0).toUpperCase() + text.slice(1);
	}
	return undefined;
}

/** What the system says of a failed call, in its own words. */
export function systemText(error: unknown): string {
	const { code, message } = error as NodeJS.ErrnoException;
	return (code !== undefined && textOf(code)) || message;
}
