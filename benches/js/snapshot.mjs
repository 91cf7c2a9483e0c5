// A snapshot of a million keys while they go on changing: how long its slices are, what commands cost meanwhile, and what
// a write to a large value pays that the snapshot has not passed yet. And one of a few large values.

import { report } from "./measure.mjs";

const KEYS = 1_000_000;
const WRITES_A_SLICE = 50;
/** Other work on the machine only ever adds. */
const ROUNDS = 5;
/** No slice may be longer. */
const MOST_MS = 8;
const LARGE_ELEMENTS = 1_000_000;
const BATCH = 10_000;

const ms = (value) => `${value.toFixed(2)} ms`;
const now = () => performance.now();

function timed(action) {
	const start = now();
	action();
	return now() - start;
}

const keyOf = (number) => `key:${number}`;

/** A number below `limit`, always the same ones in turn. */
function numbers(limit) {
	let state = 12345;
	return () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state % limit;
	};
}

/** The lengths of the slices of a snapshot, with `between` after every one; of some snapshots that with the shortest longest slice. */
function slices(dataset, between) {
	const runs = Array.from({ length: ROUNDS }, () => slicesOnce(dataset, between));
	return runs.sort((one, other) => one.at(-1) - other.at(-1))[0];
}

function slicesOnce(dataset, between) {
	const lengths = [];
	dataset.beginSnapshot("save");
	for (;;) {
		let isEnd = false;
		lengths.push(
			timed(() => {
				isEnd = !dataset.nextPiece();
			}),
		);
		if (isEnd) break;
		between();
	}
	dataset.endSnapshot(true);
	return lengths.sort((one, other) => one - other);
}

function reportSlices(what, lengths) {
	const longest = lengths.at(-1);
	const total = lengths.reduce((sum, length) => sum + length, 0);
	const median = lengths[lengths.length >> 1];
	report(`${what}: ${lengths.length} slices, together`, ms(total));
	report(`${what}: a slice, the median`, ms(median));
	report(`${what}: the longest slice`, ms(longest), `<= ${MOST_MS} ms`, longest <= MOST_MS);
}

/** Nanoseconds a call, the least of some rounds. */
function cost(action, count = 20_000) {
	let least = Number.POSITIVE_INFINITY;
	for (let round = 0; round < 5; round++) {
		least = Math.min(
			least,
			timed(() => {
				for (let i = 0; i < count; i++) action();
			}),
		);
	}
	return (least * 1e6) / count;
}

async function manyKeys(open) {
	const db = await open();
	const { dataset } = db.engine;
	const fill = timed(() => {
		for (let i = 0; i < KEYS; i++) db.set(keyOf(i), `value:${i}`);
	});
	report(`${KEYS} keys set`, ms(fill));
	for (let i = 0; i < 1000; i++) db.call("HSET", `hash:${i}`, "field", "value");
	const next = numbers(KEYS);
	const commands = {
		SET: () => db.set(keyOf(next()), "another value"),
		GET: () => db.get(keyOf(next())),
		INCR: () => db.call("INCR", `counter:${next() % 1000}`),
		HSET: () => db.call("HSET", `hash:${next() % 1000}`, "field", next()),
	};
	for (const [name, action] of Object.entries(commands)) {
		cost(action);
		const idle = cost(action);
		// Every key is met before the walk is: the dearest moment. Each round finds other keys unsaved.
		dataset.beginSnapshot("copy");
		const busy = cost(action);
		[...dataset.copy()];
		report(
			`${name}: without a snapshot, and at its beginning`,
			`${idle.toFixed(0)} and ${busy.toFixed(0)} ns`,
		);
	}
	reportSlices(
		"nothing going on",
		slices(dataset, () => {}),
	);
	reportSlices(
		`${WRITES_A_SLICE} writes a slice`,
		slices(dataset, () => {
			for (let i = 0; i < WRITES_A_SLICE; i++) commands.SET();
		}),
	);
	const whole = timed(() => dataset.snapshot(1 << 20));
	dataset.endSnapshot(true);
	report("all at once", ms(whole));
	await db.close();
}

/** Commands that make one large value each, and one that changes it. */
const LARGE = {
	list: { add: (i) => ["RPUSH", "large", ...i.map((n) => `element:${n}`)], change: ["LPUSH", "large", "x"] },
	set: { add: (i) => ["SADD", "large", ...i.map((n) => `element:${n}`)], change: ["SADD", "large", "x"] },
	hash: {
		add: (i) => ["HSET", "large", ...i.flatMap((n) => [`field:${n}`, `value:${n}`])],
		change: ["HSET", "large", "x", "y"],
	},
	"sorted set": {
		add: (i) => ["ZADD", "large", ...i.flatMap((n) => [n, `element:${n}`])],
		change: ["ZADD", "large", 1, "x"],
	},
};

async function largeValues(open) {
	for (const [name, { add, change }] of Object.entries(LARGE)) {
		const db = await open();
		const { dataset } = db.engine;
		for (let from = 0; from < LARGE_ELEMENTS; from += BATCH) {
			db.call(...add(Array.from({ length: BATCH }, (_, at) => from + at)));
		}
		largeValue(db, dataset, `a ${name} of ${LARGE_ELEMENTS}`, change);
		await db.close();
	}
	const db = await open();
	db.set("large", Buffer.alloc(10_000_000, "some text "));
	largeValue(db, db.engine.dataset, "a string of 10 MB", ["SETRANGE", "large", 5, "x"]);
	await db.close();
}

function largeValue(db, dataset, what, change) {
	reportSlices(
		what,
		slices(dataset, () => {}),
	);
	dataset.beginSnapshot("copy");
	const first = timed(() => db.call(...change));
	const later = timed(() => db.call(...change));
	report(`${what}: the first write to it at a cut, the next`, `${ms(first)}, ${ms(later)}`);
	[...dataset.copy()];
}

/** Figures of snapshots in slices. */
export async function snapshot(open) {
	await manyKeys(open);
	await largeValues(open);
}
