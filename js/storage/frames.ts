/**
 * Frames of an append-only file where a write may tear: u32 length, u32 segment, u32 sequence number, u32 CRC-32C of
 * these three and of what follows, then the bytes. A segment is the frames from number 0 up to the first that is not whole.
 */

import { crc32c } from "./crc32c.ts";

export const HEADER_BYTES = 16;

export function frameOf(segment: number, seq: number, bytes: Uint8Array): Uint8Array {
	const frame = new Uint8Array(HEADER_BYTES + bytes.length);
	const view = new DataView(frame.buffer);
	view.setUint32(0, bytes.length, true);
	view.setUint32(4, segment, true);
	view.setUint32(8, seq, true);
	view.setUint32(12, crc32c(bytes, crc32c(frame.subarray(0, 12))), true);
	frame.set(bytes, HEADER_BYTES);
	return frame;
}

/** How long the frame is that begins with `header`, and which segment it says it is of; null for less than a header. */
export function headerOf(header: Uint8Array): { length_bytes: number; segment: number } | null {
	if (header.length < HEADER_BYTES) return null;
	const view = new DataView(header.buffer, header.byteOffset);
	return { length_bytes: HEADER_BYTES + view.getUint32(0, true), segment: view.getUint32(4, true) };
}

/** What the whole frames of a segment hold. */
export function partsOf(file: Uint8Array, segment: number): Uint8Array[] {
	const view = new DataView(file.buffer, file.byteOffset, file.length);
	const parts: Uint8Array[] = [];
	for (let at = 0; at + HEADER_BYTES <= file.length; ) {
		const from = at + HEADER_BYTES;
		const to = from + view.getUint32(at, true);
		if (view.getUint32(at + 4, true) !== segment || view.getUint32(at + 8, true) !== parts.length) break;
		if (to > file.length) break;
		const bytes = file.subarray(from, to);
		if (crc32c(bytes, crc32c(file.subarray(at, at + 12))) !== view.getUint32(at + 12, true)) break;
		parts.push(bytes);
		at = to;
	}
	return parts;
}
