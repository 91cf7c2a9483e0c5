// The engine in wasm as a host for transcripts, through its raw exports: wire sessions, a virtual clock, a fixed seed.
// Storage takes everything at once. Runs wherever WebAssembly does. `exports` is what the wasm-bindgen module's initSync() returns.

import { parse } from "./format.mjs";
import { runFile } from "./runner.mjs";

/** Words of the control block; see src/wasm. */
const REQ_PTR = 1;
const RSP_PTR = 3;
const CELLS_PTR = 5;
const CELLS_WORDS = 6;
const NOW_MS = 12;
const WIRE = 2;
const START_MS = 1_700_000_000_000;
const CHUNK = 8192;
const KEEPS_AOF = 2;
/** What snapshots are for. */
const SAVE = 0;
const REWRITE = 1;
/** Of what comes back, the kind and what goes with it; and the kind of an aggregate. */
const TAG_BITS = 3;
const AGGREGATE = 5;

export class WasmHost {
	#clients = new Map();
	#now_ms = START_MS;
	/** Bytes of the append-only file. */
	#taken_bytes = 0;
	/** Snapshots that are stored when time passes, as in the background: their purposes. */
	#later = [];

	constructor(exports) {
		this.exports = exports;
	}

	get #memory() {
		return this.exports.memory.buffer;
	}

	#word(index) {
		return new Uint32Array(this.#memory)[(this.exports.rs_ctrl() >>> 2) + index];
	}

	#setNow() {
		new DataView(this.#memory).setFloat64(this.exports.rs_ctrl() + NOW_MS * 4, this.#now_ms, true);
	}

	reset() {
		this.#clients.clear();
		this.#taken_bytes = 0;
		this.#later = [];
		this.#now_ms = START_MS;
		this.exports.rs_init(1, 2, 3, 4);
		this.#setNow();
		// Scripts pause early, and go on as time passes.
		this.exports.rs_script_limits?.(1, 5000);
		this.#configure(["", "", "--enable-debug-command", "yes"]);
		this.exports.rs_storage(KEEPS_AOF);
	}

	/** Configured as the oracle is: a file's name and text, and the words of a command line. */
	#configure(words) {
		const request = Uint8Array.from(
			words.flatMap((word) => [word.length, 0, 0, 0, ...new TextEncoder().encode(word)]),
		);
		this.exports.rs_reserve(request.length);
		new Uint8Array(this.#memory, this.#word(REQ_PTR), request.length).set(request);
		this.exports.rs_configure(words.length, request.length);
	}

	/** Sets the clock to a time of the caller's. */
	setTime(now_ms) {
		this.#now_ms = now_ms;
		this.#setNow();
	}

	connect(client) {
		this.#clients.set(client, this.exports.rs_connect(WIRE));
	}

	send(client, bytes) {
		this.exports.rs_reserve(bytes.length);
		const target = new Uint8Array(this.#memory, this.#word(REQ_PTR), bytes.length);
		for (let i = 0; i < bytes.length; i++) target[i] = bytes.charCodeAt(i);
		this.exports.rs_feed(this.#clients.get(client), bytes.length);
		this.#serve();
	}

	/** Does what the engine asks for. */
	#serve() {
		for (let words = this.#request(); words; words = this.#request()) {
			const [name, word] = words;
			if (name === "save" && word === "sync") this.#store(SAVE);
			else if (name === "save") this.#later.push(SAVE);
			else if (name === "rewrite") this.#later.push(REWRITE);
			else if (name === "appendonly" && word === "yes") {
				this.exports.rs_aof(1);
				this.#taken_bytes = 0;
				this.#later.push(REWRITE);
			} else if (name === "appendonly") {
				this.#later = this.#later.filter((purpose) => purpose !== REWRITE);
				this.exports.rs_aof(0);
			}
		}
		this.#append();
	}

	/** The words of the next request. */
	#request() {
		const returned = this.exports.rs_request();
		if ((returned & ((1 << TAG_BITS) - 1)) !== AGGREGATE) return undefined;
		const cells = new Uint32Array(this.#memory, this.#word(CELLS_PTR), this.#word(CELLS_WORDS));
		const words = [];
		// An array of bulk strings: a pair for the array, then one for each, its length second.
		let at = this.#word(RSP_PTR);
		for (let cell = 2; cell < cells.length; cell += 2) {
			const length = cells[cell + 1];
			words.push(String.fromCharCode.apply(null, new Uint8Array(this.#memory, at, Math.min(length, CHUNK))));
			at += length;
		}
		return words;
	}

	#store(purpose) {
		this.#append();
		this.exports.rs_snapshot_begin(purpose);
		while (this.exports.rs_snapshot_next() !== 0);
		this.exports.rs_snapshot_end(1);
	}

	#append() {
		const length = this.exports.rs_aof_take();
		if (length === 0) return;
		this.#taken_bytes += length;
		this.exports.rs_aof_stored(this.#taken_bytes, this.#taken_bytes);
	}

	settle() {
		const found = new Map();
		for (const [client, session] of this.#clients) {
			const bytes = this.#drain(session);
			const closed = this.exports.rs_closing(session) !== 0;
			if (bytes !== "" || closed) found.set(client, { bytes, closed });
			if (closed) this.close(client);
		}
		return found;
	}

	#drain(session) {
		let text = "";
		for (let length = this.exports.rs_drain(session); length > 0; length = this.exports.rs_drain(session)) {
			const bytes = new Uint8Array(this.#memory, this.#word(RSP_PTR), length);
			for (let at = 0; at < length; at += CHUNK) {
				text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
			}
		}
		return text;
	}

	wait(ms) {
		const end_ms = this.#now_ms + ms;
		while (this.#now_ms < end_ms) {
			this.#now_ms = Math.min(this.#now_ms + 10, end_ms);
			this.#setNow();
			for (const purpose of this.#later.splice(0)) this.#store(purpose);
			this.exports.rs_tick();
			this.#serve();
		}
	}

	close(client) {
		this.exports.rs_disconnect(this.#clients.get(client));
		this.#clients.delete(client);
	}
}

/** Runs transcripts, given as { name, source }, and returns the counts and the failures' texts. */
export async function runTranscripts(exports, files) {
	const host = new WasmHost(exports);
	const result = { passed: 0, failed: 0, failures: [] };
	for (const { name, source } of files) {
		const counts = await runFile(host, parse(source), name, (text) => result.failures.push(text));
		result.passed += counts.passed;
		result.failed += counts.failed;
	}
	return result;
}
