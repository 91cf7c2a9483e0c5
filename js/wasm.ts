/** What the wasm module exports, and the ways to get one. */

import { RedstartError } from "./errors.ts";

/** The raw exports. All addresses and lengths are in bytes; see the words of the control block in engine.ts. */
export interface EngineExports {
	readonly memory: { readonly buffer: ArrayBuffer };
	rs_ctrl(): number;
	rs_init(seed0: number, seed1: number, seed2: number, seed3: number): void;
	rs_reserve(length: number): number;
	rs_connect(kind: number): number;
	rs_disconnect(session: number): void;
	rs_addresses(session: number, peerLength: number, localLength: number): void;
	rs_op(length: number): number;
	rs_exec(session: number, op: number, count: number, length: number): number;
	rs_f0(session: number, op: number): number;
	rs_f1(session: number, op: number, length1: number): number;
	rs_f2(session: number, op: number, length1: number, length2: number): number;
	rs_f3(session: number, op: number, length1: number, length2: number, length3: number): number;
	rs_batch(session: number, count: number, length: number): number;
	rs_configure(count: number, length: number): number;
	rs_process_id(id: number): void;
	rs_shutdown_failed(): void;
	rs_trust(session: number): void;
	rs_acl_load(length: number): number;
	rs_acl_done(length: number): void;
	rs_feed(session: number, length: number): number;
	rs_drain(session: number): number;
	rs_closing(session: number): number;
	/** Absent, like the next one, in a build without scripting. */
	rs_script_limits?(slice: number, most: number): void;
	rs_may_pause?(session: number, mayPause: number): void;
	rs_tick(): number;
	rs_ready(): number;
	rs_message(session: number): number;
	rs_request(): number;
	rs_bridge(isBridged: number): void;
	rs_remote_publish(isSharded: number, channelLength: number, payloadLength: number): number;
	rs_storage(keeps: number): void;
	rs_snapshot_begin(purpose: number): number;
	rs_snapshot_next(): number;
	rs_snapshot_end(outcome: number): void;
	rs_load_begin(flags: number): number;
	rs_load_chunk(length: number): number;
	rs_load_end(isImport: number): number;
	rs_aof(isOn: number): void;
	rs_aof_take(): number;
	rs_aof_db(): number;
	rs_aof_stored(written: number, durable: number): void;
	rs_aof_failed(length: number): void;
	rs_replay_begin(nameLength: number, totalBytes: number): number;
	rs_replay_chunk(length: number): number;
	rs_replay_end(isLast: number): number;
}

/** Anything a wasm module can be made of. Text is a URL. */
export type WasmInput =
	| WebAssembly.Module
	| ArrayBuffer
	| Uint8Array
	| Response
	| URL
	| string
	| PromiseLike<WebAssembly.Module | ArrayBuffer | Uint8Array | Response>;

/** A module for `input`, fetched and compiled as needed. */
export async function compile(input: WasmInput): Promise<WebAssembly.Module> {
	try {
		let source = await input;
		if (typeof source === "string" || source instanceof URL) source = await fetch(source);
		if (typeof Response !== "undefined" && source instanceof Response) return await compileResponse(source);
		return compileSync(source as WebAssembly.Module | ArrayBuffer | Uint8Array);
	} catch (cause) {
		throw cause instanceof RedstartError
			? cause
			: new RedstartError("wasm", `cannot load the engine: ${cause}`, cause);
	}
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
	if (!response.ok) throw new Error(`${response.url} answers ${response.status}`);
	// Streaming insists on the right type, and many a static server does not know it.
	if (response.headers.get("content-type") === "application/wasm") {
		return WebAssembly.compileStreaming(response);
	}
	return WebAssembly.compile(await response.arrayBuffer());
}

/** A module for what is at hand already. */
export function compileSync(input: WebAssembly.Module | ArrayBuffer | Uint8Array): WebAssembly.Module {
	if (input instanceof WebAssembly.Module) return input;
	return new WebAssembly.Module(input as BufferSource);
}

/** What wasm-bindgen's script does for one instance. */
export interface Glue {
	instantiate(module: WebAssembly.Module): object;
	/** Figures of the engine. */
	stats(): Statistics;
}

/** Figures of an engine; sizes in bytes. */
export interface Statistics {
	keys: number;
	volatileKeys: number;
	usedBytes: number;
	sessions: number;
	commands: number;
	hits: number;
	misses: number;
	expired: number;
	changesSinceSave: number;
	lastSaveS: number;
}

let makeGlue: (() => Glue) | undefined;

/** Gives the script that comes with the module. Called by the entry of each host. */
export function setGlue(make: () => Glue): void {
	makeGlue = make;
}

/** A fresh instance, and its control plane where there is one. Without the script commands work and figures do not. */
export function instantiate(module: WebAssembly.Module): { exports: EngineExports; glue: Glue | undefined } {
	const glue = makeGlue?.();
	if (glue) return { exports: glue.instantiate(module) as EngineExports, glue };
	const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
	for (const wanted of WebAssembly.Module.imports(module)) {
		imports[wanted.module] ??= {};
		(imports[wanted.module] as Record<string, WebAssembly.ImportValue>)[wanted.name] = () => {
			throw new RedstartError("unsupported", `the engine called ${wanted.name}`);
		};
	}
	const { exports } = new WebAssembly.Instance(module, imports);
	return { exports: exports as unknown as EngineExports, glue: undefined };
}
