/** What an RDB file says of itself, for the log: the fields at its beginning. */

import { closeSync, openSync, readSync } from "node:fs";

const AUX = 0xfa;
const LOOK_BYTES = 4096;

/** Whether it is an RDB file, and its fields by name. */
export interface RdbFacts {
	isRdb: boolean;
	fields: Map<string, string>;
}

export function readRdbFacts(path: string): RdbFacts {
	const bytes = new Uint8Array(LOOK_BYTES);
	const file = openSync(path, "r");
	let length: number;
	try {
		length = readSync(file, bytes);
	} finally {
		closeSync(file);
	}
	const head = Buffer.from(bytes.buffer, 0, length);
	const facts: RdbFacts = { isRdb: /^REDIS\d{4}/.test(head.toString("latin1", 0, 9)), fields: new Map() };
	if (!facts.isRdb) return facts;
	let at = 9;
	const text = (): string | undefined => {
		const [first, second] = [head[at], head[at + 1]];
		if (first === undefined || second === undefined) return undefined;
		at++;
		if (first >> 6 === 0) return slice(first);
		if (first >> 6 === 1) {
			at++;
			return slice(((first & 63) << 8) | second);
		}
		const bits = [8, 16, 32][first & 63];
		if (first >> 6 !== 3 || bits === undefined || at + bits / 8 > length) return undefined;
		const number = head.readIntLE(at, bits / 8);
		at += bits / 8;
		return String(number);
	};
	const slice = (bytes: number): string | undefined => {
		at += bytes;
		return at <= length ? head.toString("latin1", at - bytes, at) : undefined;
	};
	while (head[at] === AUX) {
		at++;
		const [name, value] = [text(), text()];
		if (name === undefined || value === undefined) break;
		facts.fields.set(name, value);
	}
	return facts;
}

/** The lines redis-server logs when it begins to load such a file. */
export function* linesOf({ fields }: RdbFacts): Generator<string> {
	const version = fields.get("redis-ver");
	if (version !== undefined) yield `Loading RDB produced by version ${version}`;
	const created_s = fields.get("ctime");
	if (created_s !== undefined) {
		yield `RDB age ${Math.max(Math.floor(Date.now() / 1000) - Number(created_s), 0)} seconds`;
	}
	const used_bytes = fields.get("used-mem");
	if (used_bytes !== undefined) {
		yield `RDB memory usage when created ${(Number(used_bytes) / (1 << 20)).toFixed(2)} Mb`;
	}
	if (fields.get("aof-base") === "1") yield "RDB is base AOF";
}
