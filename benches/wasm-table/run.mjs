// Bytes per key, nanoseconds and pauses of the engine's table in wasm, next to a plain hash map.
//
//   cargo build --release --target wasm32-unknown-unknown --manifest-path benches/wasm-table/Cargo.toml
//   node benches/wasm-table/run.mjs [path to wasm_table_bench.wasm]
//
// Every measurement has a fresh instance. "memory" is what the wasm memory grew by, so allocator overhead counts;
// "held" is the table's own account. Pauses are the slowest single insert or removal of the whole run.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path =
	process.argv[2] ??
	fileURLToPath(new URL("target/wasm32-unknown-unknown/release/wasm_table_bench.wasm", import.meta.url));
const module = new WebAssembly.Module(readFileSync(path));

function open(which) {
	const imports = { bench: { now_ms: () => performance.now() } };
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
	map.fill(0, count, 16, volatile, 0);
	const held = map.held() / count;
	return {
		memory: (map.memory.buffer.byteLength - before) / count,
		held: held || Number.NaN,
	};
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
				once(keys, () => map.fill(0, keys, 16, 0, 0)),
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
	const pauses = [0, 1].map((which) => {
		let insert = Number.POSITIVE_INFINITY;
		let removal = Number.POSITIVE_INFINITY;
		for (let round = 0; round < 3; round++) {
			const map = open(which);
			map.fill(0, 20_000, 16, 0, 0);
			map.drain(0, 20_000);
			insert = Math.min(insert, map.fill(0, keys, 16, 0, 1));
			removal = Math.min(removal, map.drain(0, keys));
		}
		return [insert, removal];
	});
	print(
		`${label} keys: worst single insert, best of 3 runs`,
		pauses.map((pause) => digits(pause[0], 3)),
		"ms",
	);
	print(
		`${label} keys: worst single removal, best of 3`,
		pauses.map((pause) => digits(pause[1], 3)),
		"ms",
	);
}
