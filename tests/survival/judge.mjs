// Compares what is left of a dataset with the stream it was written from.

import { createHash } from "node:crypto";
import { Big, SHORT, writes } from "./stream.mjs";

/** What the writes of a stream make of an empty dataset, as `readAll` tells it. */
class Model {
	/** `bigs` has the digests of big values, which one judge needs again and again. */
	constructor(bigs) {
		this.keys = new Map();
		this.bigs = bigs;
	}

	/** Does a write; returns the keys it touches. */
	apply({ commands }) {
		const touched = new Set();
		for (const command of commands) for (const key of this.run(command)) touched.add(key);
		return touched;
	}

	run([name, ...args]) {
		const [key] = args;
		switch (name) {
			case "INCR":
				this.increment();
				return [key];
			case "SET":
				this.keys.set(key, args[1]);
				return [key];
			case "APPEND":
				this.keys.set(key, (this.keys.get(key) ?? "") + args[1]);
				return [key];
			case "DEL":
				for (const gone of args) this.keys.delete(gone);
				return args;
			case "LPUSH":
				this.keys.set(key, [args[1], ...(this.keys.get(key) ?? [])]);
				return [key];
			case "LTRIM":
				this.keys.set(key, (this.keys.get(key) ?? []).slice(0, Number(args[2]) + 1));
				return [key];
			case "HSET": {
				const hash = this.keyed(key, "hash");
				for (let i = 1; i < args.length; i += 2) hash.entries.set(args[i], args[i + 1]);
				return [key];
			}
			case "SADD":
				this.keyed(key, "set").entries.set(args[1], "");
				return [key];
			case "SREM": {
				const { entries } = this.keyed(key, "set");
				entries.delete(args[1]);
				if (entries.size === 0) this.keys.delete(key);
				return [key];
			}
			case "ZADD":
				this.keyed(key, "zset").entries.set(args[2], args[1]);
				return [key];
			case "EVAL":
				this.increment();
				this.keys.set("by script", args[2]);
				return ["counter", "by script"];
		}
		throw new Error(`the model has no ${name}`);
	}

	increment() {
		this.keys.set("counter", `${Number(this.keys.get("counter") ?? 0) + 1}`);
	}

	keyed(key, type) {
		let value = this.keys.get(key);
		if (!value) {
			value = { type, entries: new Map() };
			this.keys.set(key, value);
		}
		return value;
	}

	/** What `readAll` would tell of a key; undefined when there is none. Order within a hash is no matter. */
	content(key) {
		const value = this.keys.get(key);
		if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined;
		if (value instanceof Big) return this.bigs.get(value);
		if (typeof value === "string") return value.length < SHORT ? `string ${value}` : digest(value);
		if (Array.isArray(value)) return `list ${value.join()}`;
		return told(value.type, [...value.entries]);
	}
}

function digest(bytes) {
	return `string ${bytes.length} bytes ${createHash("sha1").update(bytes).digest("hex")}`;
}

/** Digests of big values by their seeds. */
class Digests {
	constructor() {
		this.known = new Map();
	}

	get(big) {
		const name = `${big.seed} ${big.length}`;
		let text = this.known.get(name);
		if (!text) {
			text = digest(big.bytes);
			this.known.set(name, text);
		}
		return text;
	}
}

/** Members in an order of their own. */
function told(type, pairs) {
	if (type === "zset") pairs.sort((a, b) => Number(a[1]) - Number(b[1]));
	else pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1));
	return `${type} ${pairs.map((pair) => (type === "set" ? pair[0] : pair.join())).join()}`;
}

/** A hash comes in whatever order it has. */
function sorted(content) {
	if (!content?.startsWith("hash ")) return content;
	const flat = content.slice(5).split(",");
	const pairs = [];
	for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
	return told("hash", pairs);
}

/**
 * Finds how many writes of a stream are in a dataset: it has to be what the first so many make, no more and no less.
 * One judge serves a chain of deaths on one storage.
 */
export class Judge {
	constructor(seed, options) {
		this.seed = seed;
		this.options = options;
		/** How many writes were there the last time. */
		this.count = 0;
		this.bigs = new Digests();
	}

	/**
	 * `{ count, lost }`, both in writes. `limit` bounds how many can have been sent. Throws when the dataset is not what any
	 * number of writes makes.
	 */
	find(dataset, acknowledged, limit = acknowledged + 5000) {
		const content = new Map(Object.entries(dataset).map(([key, text]) => [key, sorted(text)]));
		const model = new Model(this.bigs);
		const wrong = new Set(content.keys());
		let best = { wrong: wrong.size, count: 0, keys: [...wrong] };
		let count = wrong.size === 0 ? 0 : -1;
		for (const write of writes(this.seed, this.options)) {
			if (write.number >= limit) break;
			for (const key of model.apply(write)) {
				if (model.content(key) === content.get(key)) wrong.delete(key);
				else wrong.add(key);
			}
			if (wrong.size === 0) count = write.number + 1;
			if (wrong.size <= best.wrong) best = { wrong: wrong.size, count: write.number + 1, keys: [...wrong] };
		}
		if (count < 0) {
			const keys = best.keys.slice(0, 5).map((key) => `${key}=${(content.get(key) ?? "none").slice(0, 80)}`);
			throw new NoPrefix(
				`not a prefix of what was written (${acknowledged} acknowledged); nearest are the first ${best.count}, except for ${best.wrong} keys: ${keys.join("; ")}`,
			);
		}
		this.count = count;
		return { count, lost: Math.max(0, acknowledged - count) };
	}
}

export class NoPrefix extends Error {}
