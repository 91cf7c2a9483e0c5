/** Cells to JavaScript values: the replies that are more than one scalar. */

import { ReplyError } from "./errors.ts";
import type { Text } from "./text.ts";

/** What a command answers, in text mode. */
export type Reply =
	| string
	| number
	| bigint
	| boolean
	| null
	| Uint8Array
	| ReplyError
	| Reply[]
	| Map<Reply, Reply>
	| Set<Reply>
	| { [field: string]: Reply };

/** How replies become JavaScript values. */
export interface ReplyOptions {
	/** Bulk strings as `Uint8Array` instead of text. Status replies stay text. Default false. */
	bytes?: boolean;
	/** Integers beyond 2^53 as `bigint` instead of decimal text. Default false. */
	bigint?: boolean;
	/**
	 * Maps as objects without a prototype, whose keys are text even with `bytes` (`object`, the default), or as `Map`
	 * (`map`).
	 */
	maps?: "object" | "map";
	/** Sets as arrays in the engine's order (`array`, the default: `JSON.stringify` keeps them) or as `Set` (`set`). */
	sets?: "array" | "set";
}

/** {@link ReplyOptions} with nothing left open. */
export interface ReplyMode {
	readonly bytes: boolean;
	readonly bigint: boolean;
	readonly isMap: boolean;
	readonly isSet: boolean;
}

/** `options` over `base`, made once so that all callers share one shape. */
export function replyMode(options: ReplyOptions = {}, base?: ReplyMode): ReplyMode {
	return {
		bytes: options.bytes ?? base?.bytes ?? false,
		bigint: options.bigint ?? base?.bigint ?? false,
		isMap: options.maps ? options.maps === "map" : (base?.isMap ?? false),
		isSet: options.sets ? options.sets === "set" : (base?.isSet ?? false),
	};
}

export const TEXT_MODE = replyMode();
export const BYTES_MODE = replyMode({ bytes: true });

/** Kinds of cells, as the engine writes them. */
const Kind = {
	int: 0,
	nil: 1,
	bulk: 2,
	status: 3,
	int64: 4,
	double: 5,
	bool: 6,
	error: 7,
	array: 8,
	map: 9,
	set: 10,
	push: 11,
	verbatim: 12,
	bignum: 13,
	nilArray: 14,
	attribute: 15,
} as const;

/**
 * Text is decoded in blocks and cut by `substring`, which is cheaper than one decoding per value. A cut keeps its whole
 * block alive, so blocks are small.
 */
const BLOCK_BYTES = 65536;
/** A value of this size gets a decoding of its own: cutting it would save nothing. */
const OWN_BYTES = 4096;

/** An integer of two words: a number where that is exact. */
export function wideInteger(low: number, high: number, isBigint: boolean): number | bigint | string {
	const near = high * 4294967296 + low;
	if (Number.isSafeInteger(near)) return near;
	const exact = (BigInt(high) << 32n) | BigInt(low);
	return isBigint ? exact : exact.toString();
}

/** Reads replies out of cells and their text. One per engine; {@link open} before each use. */
export class CellReader {
	private words: Uint32Array = new Uint32Array(0);
	private floats: DataView = new DataView(new ArrayBuffer(0));
	private text!: Text;
	private mode: ReplyMode = TEXT_MODE;
	/** Index of the next cell in `words`. */
	private next = 0;
	/** Address of the text not yet consumed, and the end of all text. */
	private at = 0;
	private end = 0;
	private isAscii = false;
	private block = "";
	private blockFrom = 0;
	private blockTo = 0;

	/** Points at a reply: cells at address `cells`, `length` bytes of text at `at`. */
	open(text: Text, cells: number, at: number, length: number, isAscii: boolean, mode: ReplyMode): void {
		if (this.words.buffer !== text.bytes.buffer) {
			this.words = new Uint32Array(text.bytes.buffer);
			this.floats = new DataView(text.bytes.buffer);
		}
		this.text = text;
		this.mode = mode;
		this.next = cells >> 2;
		this.at = at;
		this.end = at + length;
		this.isAscii = isAscii;
		this.blockFrom = this.blockTo = 0;
		this.block = "";
	}

	/** The next reply, errors within as values. */
	read(): Reply {
		const kind = (this.words[this.next] as number) & 0xff;
		const value = this.words[this.next + 1] as number;
		this.next += 2;
		switch (kind) {
			case Kind.int:
				return value | 0;
			case Kind.nil:
			case Kind.nilArray:
				return null;
			case Kind.bulk:
				return this.mode.bytes ? this.takeBytes(value) : this.take(value);
			case Kind.status:
				return this.take(value);
			case Kind.bool:
				return value !== 0;
			case Kind.error:
				return new ReplyError(this.take(value));
			case Kind.array:
			case Kind.push:
				return this.list(value);
			case Kind.set:
				return this.mode.isSet ? new Set(this.list(value)) : this.list(value);
			case Kind.map:
				return this.map(value);
			default:
				return this.rare(kind, value);
		}
	}

	private rare(kind: number, value: number): Reply {
		switch (kind) {
			case Kind.int64: {
				const low = this.words[this.next] as number;
				const high = (this.words[this.next + 1] as number) | 0;
				this.next += 2;
				return wideInteger(low, high, this.mode.bigint);
			}
			case Kind.double: {
				const double = this.floats.getFloat64(this.next << 2, true);
				this.next += 2;
				return double;
			}
			case Kind.verbatim:
				return this.verbatim(value);
			case Kind.bignum:
				return BigInt(this.take(value));
			case Kind.attribute:
				// Attributes describe the reply that follows; there is no place for them in a plain value.
				this.list(value * 2);
				return this.read();
			default:
				throw new RangeError(`unknown cell ${kind}`);
		}
	}

	/** Verbatim text without its three letters of type. */
	private verbatim(length: number): Reply {
		this.at += 4;
		return this.mode.bytes ? this.takeBytes(length - 4) : this.take(length - 4);
	}

	private list(count: number): Reply[] {
		const list: Reply[] = [];
		for (let i = 0; i < count; i++) list.push(this.read());
		return list;
	}

	private map(count: number): Reply {
		if (this.mode.isMap) {
			const map = new Map<Reply, Reply>();
			for (let i = 0; i < count; i++) map.set(this.read(), this.read());
			return map;
		}
		const object: { [field: string]: Reply } = Object.create(null);
		for (let i = 0; i < count; i++) {
			const field = this.field();
			object[field] = this.read();
		}
		return object;
	}

	/** A map's key as text, whatever the mode. */
	private field(): string {
		const kind = (this.words[this.next] as number) & 0xff;
		if (kind === Kind.bulk || kind === Kind.status) {
			const length = this.words[this.next + 1] as number;
			this.next += 2;
			return this.take(length);
		}
		return String(this.read());
	}

	private takeBytes(length: number): Uint8Array {
		const from = this.at;
		this.at = from + length;
		return this.text.bytes.slice(from, this.at);
	}

	private take(length: number): string {
		const from = this.at;
		this.at = from + length;
		if (!this.isAscii || length >= OWN_BYTES) return this.text.read(from, length, this.isAscii);
		if (this.at > this.blockTo) {
			this.blockFrom = from;
			this.blockTo = Math.min(this.end, from + BLOCK_BYTES);
			this.block = this.text.read(from, this.blockTo - from, true);
		}
		return this.block.substring(from - this.blockFrom, this.at - this.blockFrom);
	}
}
