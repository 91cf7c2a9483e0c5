/**
 * Text in and out of wasm memory. Short text is moved by plain loops, because calling out costs more than the bytes;
 * the limits are where the two roads cross, measured on V8.
 */

/** What Node's Buffer can do beyond a Uint8Array; absent from its public types. */
interface FastBuffer extends Uint8Array {
	utf8Write(text: string, at: number, limit_bytes: number): number;
	utf8Slice(from: number, to: number): string;
	latin1Slice(from: number, to: number): string;
}

interface FastBufferConstructor {
	from(memory: ArrayBuffer): FastBuffer;
	prototype: Partial<FastBuffer>;
}

const host = globalThis as unknown as { Buffer?: FastBufferConstructor; navigator?: { userAgent?: string } };

/** Workers with a Node layer have a Buffer made of JavaScript, which is slower than TextDecoder. */
const NodeBuffer =
	typeof host.Buffer?.prototype?.latin1Slice === "function" &&
	typeof host.Buffer.prototype.utf8Write === "function" &&
	!host.navigator?.userAgent?.startsWith("Cloudflare")
		? host.Buffer
		: undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const char = String.fromCharCode;

/** Up to so many UTF-16 units the loop wins over the platform's encoder. */
const LOOP_UNITS = NodeBuffer ? 24 : 160;
/** Up to so many bytes the loop wins over the platform's decoder. */
const LOOP_BYTES = NodeBuffer ? 16 : 128;
/** Text longer than this is measured before memory is reserved for it. */
const MEASURE_UNITS = 65536;

/** The text of `bytes`; what is not UTF-8 becomes U+FFFD. */
export function toText(bytes: Uint8Array): string {
	return decoder.decode(bytes);
}

/** The UTF-8 of `text`; a lone surrogate becomes EF BF BD. */
export function toBytes(text: string): Uint8Array {
	return encoder.encode(text);
}

/** One character per byte: a key for maps that tells any two byte strings apart. */
export function toBinary(bytes: Uint8Array): string {
	let text = "";
	for (let i = 0; i < bytes.length; i += 8192) {
		text += char(...bytes.subarray(i, i + 8192));
	}
	return text;
}

/** An upper bound of the UTF-8 length of `text`, in bytes; exact for long text. */
export function boundBytes(text: string): number {
	const units = text.length;
	if (units <= MEASURE_UNITS) return units * 3;
	let bytes = units;
	for (let i = 0; i < units; i++) {
		const unit = text.charCodeAt(i);
		if (unit > 0x7f) bytes += unit > 0x7ff ? 2 : 1;
		// A pair is two units and four bytes: the second adds nothing to the first's three.
		if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(i + 1))) i++;
	}
	return bytes;
}

function isLow(unit: number): boolean {
	return unit >= 0xdc00 && unit < 0xe000;
}

/** Reads and writes text in one view of a memory; made anew when the memory grows. */
export class Text {
	readonly bytes: Uint8Array;
	private readonly buffer: FastBuffer | undefined;

	constructor(memory: ArrayBuffer) {
		this.bytes = new Uint8Array(memory);
		this.buffer = NodeBuffer?.from(memory);
	}

	/** Writes `text` as UTF-8 at `at`, where there must be room for {@link boundBytes}; the length in bytes. */
	write(text: string, at: number): number {
		const units = text.length;
		if (units > LOOP_UNITS) return this.writeLong(text, at);
		const bytes = this.bytes;
		for (let i = 0; i < units; i++) {
			const unit = text.charCodeAt(i);
			if (unit > 127) return this.writeLong(text, at);
			bytes[at + i] = unit;
		}
		return units;
	}

	private writeLong(text: string, at: number): number {
		if (this.buffer) return this.buffer.utf8Write(text, at, this.bytes.length - at);
		return encoder.encodeInto(text, this.bytes.subarray(at)).written;
	}

	/** The text of `length` bytes at `at`. */
	read(at: number, length: number, isAscii: boolean): string {
		if (!isAscii) {
			if (this.buffer) return this.buffer.utf8Slice(at, at + length);
			return decoder.decode(this.bytes.subarray(at, at + length));
		}
		if (length <= LOOP_BYTES) return readShort(this.bytes, at, length);
		if (this.buffer) return this.buffer.latin1Slice(at, at + length);
		return decoder.decode(this.bytes.subarray(at, at + length));
	}
}

/**
 * ASCII by calls of `fromCharCode` with a fixed number of arguments, the only form V8 compiles well. Reading more than
 * there is and cutting costs less than putting pieces together.
 */
function readShort(u: Uint8Array, p: number, length: number): string {
	if (length <= 8) return length === 1 ? char(u[p] as number) : read8(u, p).substring(0, length);
	if (length <= 16) return read16(u, p).substring(0, length);
	if (length <= 32) return read32(u, p).substring(0, length);
	if (length <= 64) return read64(u, p).substring(0, length);
	let text = read64(u, p);
	let left = length - 64;
	for (let at = p + 64; left > 0; left -= 64, at += 64) text += readShort(u, at, left < 64 ? left : 64);
	return text;
}

function read8(u: Uint8Array, p: number): string {
	// biome-ignore format: eight in a row.
	return char(
		u[p] as number, u[p + 1] as number, u[p + 2] as number, u[p + 3] as number, u[p + 4] as number, u[p + 5] as number, u[p + 6] as number, u[p + 7] as number,
	);
}

function read16(u: Uint8Array, p: number): string {
	// biome-ignore format: eight in a row.
	return char(
		u[p] as number, u[p + 1] as number, u[p + 2] as number, u[p + 3] as number, u[p + 4] as number, u[p + 5] as number, u[p + 6] as number, u[p + 7] as number,
		u[p + 8] as number, u[p + 9] as number, u[p + 10] as number, u[p + 11] as number, u[p + 12] as number, u[p + 13] as number, u[p + 14] as number, u[p + 15] as number,
	);
}

function read32(u: Uint8Array, p: number): string {
	// biome-ignore format: eight in a row.
	return char(
		u[p] as number, u[p + 1] as number, u[p + 2] as number, u[p + 3] as number, u[p + 4] as number, u[p + 5] as number, u[p + 6] as number, u[p + 7] as number,
		u[p + 8] as number, u[p + 9] as number, u[p + 10] as number, u[p + 11] as number, u[p + 12] as number, u[p + 13] as number, u[p + 14] as number, u[p + 15] as number,
		u[p + 16] as number, u[p + 17] as number, u[p + 18] as number, u[p + 19] as number, u[p + 20] as number, u[p + 21] as number, u[p + 22] as number, u[p + 23] as number,
		u[p + 24] as number, u[p + 25] as number, u[p + 26] as number, u[p + 27] as number, u[p + 28] as number, u[p + 29] as number, u[p + 30] as number, u[p + 31] as number,
	);
}

function read64(u: Uint8Array, p: number): string {
	// biome-ignore format: eight in a row.
	return char(
		u[p] as number, u[p + 1] as number, u[p + 2] as number, u[p + 3] as number, u[p + 4] as number, u[p + 5] as number, u[p + 6] as number, u[p + 7] as number,
		u[p + 8] as number, u[p + 9] as number, u[p + 10] as number, u[p + 11] as number, u[p + 12] as number, u[p + 13] as number, u[p + 14] as number, u[p + 15] as number,
		u[p + 16] as number, u[p + 17] as number, u[p + 18] as number, u[p + 19] as number, u[p + 20] as number, u[p + 21] as number, u[p + 22] as number, u[p + 23] as number,
		u[p + 24] as number, u[p + 25] as number, u[p + 26] as number, u[p + 27] as number, u[p + 28] as number, u[p + 29] as number, u[p + 30] as number, u[p + 31] as number,
		u[p + 32] as number, u[p + 33] as number, u[p + 34] as number, u[p + 35] as number, u[p + 36] as number, u[p + 37] as number, u[p + 38] as number, u[p + 39] as number,
		u[p + 40] as number, u[p + 41] as number, u[p + 42] as number, u[p + 43] as number, u[p + 44] as number, u[p + 45] as number, u[p + 46] as number, u[p + 47] as number,
		u[p + 48] as number, u[p + 49] as number, u[p + 50] as number, u[p + 51] as number, u[p + 52] as number, u[p + 53] as number, u[p + 54] as number, u[p + 55] as number,
		u[p + 56] as number, u[p + 57] as number, u[p + 58] as number, u[p + 59] as number, u[p + 60] as number, u[p + 61] as number, u[p + 62] as number, u[p + 63] as number,
	);
}
