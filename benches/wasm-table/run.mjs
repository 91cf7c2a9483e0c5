// Bytes per key, nanoseconds and pauses of the engine's table in wasm, next to a plain hash map.
//
//   cargo build --release --target wasm32-unknown-unknown --manifest-path benches/wasm-table/Cargo.toml
//   node benches/wasm-table/run.mjs [path to wasm_table_bench.wasm]
//
// Every measurement has a fresh instance. "memory" is what the wasm memory grew by, so allocator overhead counts;
// "held" is the table's own account.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path =
	process.argv[2] ??
	fileURLToPath(new URL("target/wasm32-unknown-unknown/release/wasm_table_bench.wasm", import.meta.url));
const module = new WebAssembly.Module(readFileSync(path));

function open(which) {
	const imports = {};
	// The engine's crate may declare wasm-bindgen imports; nothing measured here calls them.
	for (const { module: from, name } of WebAssembly.Module.imports(module)) {
		imports[from] ??= {};
		imports[from][name] ??= () => {
			throw new Error(`${from}.${name} is not available in this bench`);
		};
	}
	const { exports } = new WebAssembly.Instance(module, imports);
	exports.open(which);
	return exports;
}

function nanoseconds(times, work) {
	let best = Number.POSITIVE_INFINITY;
	for (let round = 0; round < 3; round++) {
		const start = performance.now();
		work();
		best = Math.min(best, ((performance.now() - start) * 1e6) / times);
	}
	return best;
}

function once(times, work) {
	const start = performance.now();
	work();
	return ((performance.now() - start) * 1e6) / times;
}

function bytesPerKey(which, count, volatile) {
	const map = open(which);
	const before = map.memory.buffer.byteLength;
	map.fill(0, count, 16, volatile);
	const held = map.held() / count;
	return {
		memory: (map.memory.buffer.byteLength - before) / count,
		held: held || Number.NaN,
	};
}

// The pauses of the slowest operations: of those at which the wasm memory grew (then the host collects its garbage,
// which no table can help) and of the others. What the structure does happens at the same operation in every run,
// what the machine does does not: of every operation the fastest of three runs counts.
function worstOf(which, keys, prepare, work) {
	let slow;
	for (let round = 0; round < 3; round++) {
		const map = open(which);
		map.fill(0, 20_000, 16, 0);
		map.drain(0, 20_000);
		prepare(map);
		const now = new Map();
		let size = map.memory.buffer.byteLength;
		let last = performance.now();
		for (let i = 0; i < keys; i++) {
			work(map, i);
			const ms = performance.now() - last;
			if (ms > 0.05) {
				const grew = map.memory.buffer.byteLength !== size;
				size = map.memory.buffer.byteLength;
				const before = slow ? slow.get(i) : { ms, grew };
				if (before) now.set(i, { ms: Math.min(ms, before.ms), grew });
			}
			last = performance.now();
		}
		slow = now;
	}
	const worst = (grew) =>
		Math.max(0.05, ...[...slow.values()].filter((op) => op.grew === grew).map((op) => op.ms));
	return { alone: worst(false), growing: worst(true) };
}

const names = ["engine", "plain map"];
const digits = (number, places) => (Number.isNaN(number) ? "-" : number.toFixed(places));
const M = 1_000_000;

function print(title, values, unit) {
	console.log(`${title.padEnd(44)}${values.map((value) => value.padStart(12)).join("")}  ${unit}`);
}

print("", names, "");
for (const [title, count, volatile] of [
	["1 M keys", M, 0],
	["1 M keys with expiry", M, 1],
	["100 k keys", M / 10, 0],
	["700 k keys", 0.7 * M, 0],
	["10 keys", 10, 0],
]) {
	const sizes = [0, 1].map((which) => bytesPerKey(which, count, volatile));
	print(
		`${title}: memory`,
		sizes.map((size) => digits(size.memory, 1)),
		"bytes/key",
	);
	print(
		`${title}: held`,
		sizes.map((size) => digits(size.held, 1)),
		"bytes/key",
	);
}
for (const [label, keys] of [
	["1 k", 1000],
	["100 k", 100_000],
	["1 M", M],
]) {
	const maps = [0, 1].map(open);
	const all = (work) =>
		maps.map((map) =>
			digits(
				nanoseconds(M, () => work(map)),
				0,
			),
		);
	print(
		`${label} keys: SET new`,
		maps.map((map) =>
			digits(
				once(keys, () => map.fill(0, keys, 16, 0)),
				0,
			),
		),
		"ns",
	);
	print(
		`${label} keys: GET random`,
		all((map) => map.get(M, keys)),
		"ns",
	);
	print(
		`${label} keys: SET random, same size`,
		all((map) => map.set(M, keys, 16)),
		"ns",
	);
	print(
		`${label} keys: remove + insert, 8-64 B`,
		all((map) => map.churn(M, keys, 56)),
		"ns",
	);
}
for (const [label, keys] of [
	["1 M", M],
	["5 M", 5 * M],
]) {
	for (const [title, prepare, work] of [
		["insert", () => {}, (map, i) => map.fill(i, i + 1, 16, 0)],
		["removal", (map) => map.fill(0, keys, 16, 0), (map, i) => map.drain(i, i + 1)],
	]) {
		const worst = [0, 1].map((which) => worstOf(which, keys, prepare, work));
		print(
			`${label} keys: worst ${title}`,
			worst.map((ms) => digits(ms.alone, 3)),
			"ms",
		);
		print(
			`${label} keys: worst ${title}, memory grows`,
			worst.map((ms) => digits(ms.growing, 3)),
			"ms",
		);
	}
}
