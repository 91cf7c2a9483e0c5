// The engine in wasm as a host for transcripts, through its raw exports: wire sessions, a virtual clock, a fixed seed.
// Runs wherever WebAssembly does. `exports` is what the wasm-bindgen module's initSync() returns.

import { parse } from "./format.mjs";
import { runFile } from "./runner.mjs";

/** Words of the control block; see src/wasm. */
const REQ_PTR = 1;
const RSP_PTR = 3;
const NOW_MS = 12;
const WIRE = 2;
const START_MS = 1_700_000_000_000;
const CHUNK = 8192;

export class WasmHost {
	#clients = new Map();
	#now_ms = START_MS;

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
		this.#now_ms = START_MS;
		this.exports.rs_init(1, 2, 3, 4);
		this.#setNow();
		// Scripts pause early, and go on as time passes.
		this.exports.rs_script_limits?.(1, 5000);
		this.#configure(["", "", "--enable-debug-command", "yes"]);
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
			this.exports.rs_tick();
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
