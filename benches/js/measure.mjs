// Timing: many short rounds over all candidates in turn, so that a machine that slows down slows them all; each figure
// is the least over the rounds, because other work on the machine only ever adds. mitata takes the samples.

import { measure } from "mitata";

const ROUNDS = 8;
const SAMPLE = { min_cpu_time: 20e6, batch_samples: 1024, warmup_samples: 4 };

const least = (values) => Math.min(...values);

/** Nanoseconds a call of each function, by name: the least of the rounds' medians. A function may count for `calls` calls. */
export async function time(candidates, calls = 1) {
	const samples = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
	for (let round = 0; round < ROUNDS; round++) {
		for (const [name, fn] of Object.entries(candidates)) {
			// The first runs are slow code still.
			if (round === 0) for (let i = 0; i < 3000; i++) await fn();
			const { p50 } = await measure(fn, SAMPLE);
			samples[name].push(p50 / calls);
		}
	}
	return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, least(list)]));
}

/** Milliseconds each asynchronous function takes, the least of `rounds` runs taken in turn. */
export async function timeWhole(candidates, rounds = 5) {
	const samples = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
	for (let round = 0; round < rounds; round++) {
		for (const [name, fn] of Object.entries(candidates)) {
			const start = performance.now();
			await fn();
			samples[name].push(performance.now() - start);
		}
	}
	return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, least(list)]));
}

const rows = [];

/** Prints a line of the report and keeps it for the summary. */
export function report(what, figure, target = "", isMet = undefined) {
	rows.push({ what, figure, target, isMet });
	const verdict = isMet === undefined ? "" : isMet ? "met" : "MISSED";
	console.log(`${what.padEnd(58)} ${figure.padStart(26)}  ${target.padEnd(14)} ${verdict}`);
}

/** A ratio against a target it is to reach (or, with `atMost`, to stay below). */
export function ratio(what, value, target, { atMost = false, detail = "" } = {}) {
	const isMet = target === undefined ? undefined : atMost ? value <= target : value >= target;
	const aim = target === undefined ? "" : `${atMost ? "<=" : ">="} ${target}x`;
	report(what, `${detail}${detail && "  "}${value.toFixed(2)}x`, aim, isMet);
}

/** Everything reported so far. */
export const reported = () => rows;

/** Text of so many bytes. */
export const text = (bytes) => "x".repeat(bytes);

/** `count` keys of ten bytes. */
export const keysOf = (count) => Array.from({ length: count }, (_, i) => `key:${String(i).padStart(6, "0")}`);

/** A fixed sequence of indexes below `count`, the same in every run: steps of a large prime. */
export function walk(keys) {
	let at = 0;
	const { length } = keys;
	return () => {
		at = (at + 7919) % length;
		return keys[at];
	};
}
