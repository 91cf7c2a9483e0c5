// What the rigs write: a stream of numbered writes that follows from a seed alone, so that the host that is killed and the
// judge outside know the same one. Runs in every host: nothing of Node in here.

/** Numbers in [0, 1) from a seed. */
export function random(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** A whole number in [from, to]. */
export const between = (rng, from, to) => from + Math.floor(rng() * (to - from + 1));

/** Bytes that no storage can compress, so many of them. */
export function noise(seed, length) {
	const bytes = new Uint8Array(length);
	const rng = random(seed);
	const words = new Uint32Array(bytes.buffer, 0, length >> 2);
	for (let i = 0; i < words.length; i++) words[i] = rng() * 2 ** 32;
	for (let i = words.length << 2; i < length; i++) bytes[i] = rng() * 256;
	return bytes;
}

/** A value that is made when it is sent or hashed: whoever only counts on need not make it. */
export class Big {
	constructor(seed, length) {
		this.seed = seed;
		this.length = length;
	}

	get bytes() {
		return noise(this.seed, this.length);
	}
}

const SCRIPT = "redis.call('INCR', 'counter') redis.call('SET', 'by script', ARGV[1]) return ARGV[1]";
/** Sizes of big values: within one append, and more than a chunk of any storage. */
const BIG_SIZES = [5_000, 70_000, 300_000, 1_200_000];
const LIST_LIMIT = 300;

/** The kinds of writes, and how often each comes. `i` is the number of the write, which most leave somewhere. */
const KINDS = [
	[20, () => [["INCR", "counter"]]],
	[20, (i, rng) => [["SET", `key:${between(rng, 0, 19)}`, `${i}${"-".repeat(between(rng, 0, 80))}`]]],
	[20, (i) => [["LPUSH", "list", `${i}`]]],
	[
		8,
		(i, rng) => [
			["INCR", "counter"],
			["LPUSH", "list", `${i}`],
			["HSET", "hash", `field:${between(rng, 0, 49)}`, `${i}`],
			["SADD", "set", `${i % 100}`],
		],
	],
	[5, (i, rng) => [["ZADD", "sorted", `${i}`, `member:${between(rng, 0, 49)}`]]],
	[5, (i) => [["HSET", "hash", `field:${i % 50}`, `${i}`, "last", `${i}`]]],
	[4, (i, rng) => [["APPEND", `text:${between(rng, 0, 4)}`, `${i},`]]],
	[2, (_, rng) => [["DEL", `text:${between(rng, 0, 4)}`, `key:${between(rng, 0, 19)}`]]],
	[2, (i) => [["EVAL", SCRIPT, "0", `${i}`]]],
	[1, (_, rng) => [["SREM", "set", `${between(rng, 0, 99)}`]]],
];
const WEIGHTS = KINDS.reduce((sum, [weight]) => sum + weight, 0);

function choose(rng) {
	let left = rng() * WEIGHTS;
	for (const [weight, make] of KINDS) {
		left -= weight;
		if (left < 0) return make;
	}
	return KINDS[0][1];
}

/**
 * The writes of a seed without end, each `{ number, commands }`: several commands are a transaction. `bigShare` of them
 * set a big value.
 */
export function* writes(seed, { bigShare = 0.01 } = {}) {
	const rng = random(seed);
	for (let number = 0; ; number++) {
		if (number % LIST_LIMIT === LIST_LIMIT - 1) {
			yield { number, commands: [["LTRIM", "list", "0", "99"]] };
			continue;
		}
		if (rng() < bigShare) {
			const length = BIG_SIZES[between(rng, 0, BIG_SIZES.length - 1)];
			yield { number, commands: [["SET", `big:${number % 5}`, new Big(seed + number, length)]] };
			continue;
		}
		yield { number, commands: choose(rng)(number, rng) };
	}
}

/** The words of a command as a client takes them. */
export const wordsOf = (command) => command.map((word) => (word instanceof Big ? word.bytes : word));

/** The whole dataset as `{ key: content }`, read by `call(name, ...args)`. Long strings are told by their digest. */
export async function readAll(call) {
	const content = {};
	for (const key of (await call("KEYS", "*")).sort()) {
		const type = await call("TYPE", key);
		content[key] = `${type} ${await (READERS[type] ?? unknown)(call, key)}`;
	}
	return content;
}

/** Strings longer than this are told by their digest. */
export const SHORT = 4000;
const DIGEST = "return redis.sha1hex(redis.call('GET', KEYS[1]))";
const READERS = {
	async string(call, key) {
		const length = Number(await call("STRLEN", key));
		if (length < SHORT) return call("GET", key);
		return `${length} bytes ${await call("EVAL", DIGEST, "1", key)}`;
	},
	list: async (call, key) => (await call("LRANGE", key, "0", "-1")).join(),
	set: async (call, key) => (await call("SMEMBERS", key)).sort().join(),
	hash: async (call, key) => (await call("EVAL", "return redis.call('HGETALL', KEYS[1])", "1", key)).join(),
	zset: async (call, key) =>
		(await call("EVAL", "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')", "1", key)).join(),
};
const unknown = async () => "unknown";

/**
 * Writes without end, as many at once as `depth` at most, from number `from` on. `send(commands)` resolves when a write is
 * acknowledged; `acknowledge(count)` is told how many are, without a gap. Every so often `disturb` is called: a rewrite,
 * a save. Ends with the first error.
 */
export async function work({ seed, options, from, depth, pauses, send, acknowledge, disturb }) {
	const rng = random(seed ^ (from + 1));
	const stream = writes(seed, options);
	for (let i = 0; i < from; i++) stream.next();
	let acknowledged = from;
	for (;;) {
		const burst = [];
		for (let left = between(rng, 1, depth); left > 0; left--) {
			const { commands } = stream.next().value;
			const sent = send(commands.map(wordsOf)).then(() => acknowledge(++acknowledged));
			// Looked at below; until then it is nobody's.
			sent.catch(() => undefined);
			burst.push(sent);
		}
		if (rng() < 0.05) disturb?.(rng() < 0.7 ? "BGREWRITEAOF" : "BGSAVE");
		await Promise.all(burst);
		if (pauses && rng() < 0.1) await new Promise((resolve) => setTimeout(resolve, between(rng, 0, 40)));
	}
}
