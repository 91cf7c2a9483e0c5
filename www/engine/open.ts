/** Opens the page's database and measures how long that takes. */

import { Redstart, type RedstartError } from "redstart";
import wasmUrl from "../../pkg/redstart_docs_bg.wasm?url";

export interface Start {
	readonly database: Redstart;
	/** The module as it lies in memory, and as it came over the network; undefined from a cache. */
	readonly wasm_bytes: number;
	readonly transfer_bytes: number | undefined;
	/** Fetching and compiling. */
	readonly load_ms: number;
	/** Instance, stored dataset and a first command. */
	readonly open_ms: number;
	/** In all databases. */
	readonly keys: number;
}

export const DATABASE = "playground";

/** Opens `idb://playground`, filled with what an earlier visit left. `onLost` hears when changes are not stored. */
export async function openDatabase(onLost: (error: RedstartError) => void): Promise<Start> {
	const from_ms = performance.now();
	const response = await fetch(wasmUrl);
	if (!response.ok) throw new Error(`the engine cannot be fetched: ${response.status}`);
	const bytes = await response.arrayBuffer();
	const module = await WebAssembly.compile(bytes);
	const loaded_ms = performance.now();
	const database = await Redstart.open(`idb://${DATABASE}`, { wasm: module, onCorrupt: "keep" });
	database.on("persistence-lost", onLost);
	database.call("PING");
	const opened_ms = performance.now();
	const [entry] = performance.getEntriesByName(response.url) as PerformanceResourceTiming[];
	return {
		database,
		wasm_bytes: bytes.byteLength,
		transfer_bytes: entry?.encodedBodySize || undefined,
		load_ms: loaded_ms - from_ms,
		open_ms: opened_ms - loaded_ms,
		keys: database.stats().keys,
	};
}
