// The engine in wasm with the calls of oracle.mjs' Connection, for what asks both the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/shell.mjs";
import { Decoder, encodeCommand } from "../spec/format.mjs";
import { WasmHost } from "../spec/wasm-host.mjs";

/** The engine as a connection: the same calls as oracle.mjs' Connection, answered at once. */
class EngineConnection {
	constructor(host) {
		this.host = host;
	}
	reset() {
		this.host.reset();
		this.host.connect(1);
	}
	pipeline(commands) {
		this.host.setTime(Date.now());
		this.host.send(1, commands.map(encodeCommand).join(""));
		const decoder = new Decoder();
		decoder.push(this.host.settle().get(1)?.bytes ?? "");
		return decoder.all();
	}
}

export async function engineInWasm() {
	const { initSync } = await import("../../pkg/redstart.js");
	const module = new WebAssembly.Module(readFileSync(join(root, "pkg", "redstart_docs_bg.wasm")));
	return new EngineConnection(new WasmHost(initSync({ module })));
}
