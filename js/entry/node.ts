/** Node, Bun and Deno: the module is read from beside this file. */
import { readFileSync } from "node:fs";
import makeGlue from "redstart-glue";
import { registerScheme } from "../place.ts";
import { setWasmSource } from "../redstart.ts";
import { idb } from "../schemes.ts";
import { file } from "../schemes-node.ts";
import { setGlue } from "../wasm.ts";

setGlue(makeGlue);
setWasmSource(() => readFileSync(new URL("./redstart_bg.wasm", import.meta.url)));
registerScheme("idb", idb);
registerScheme("file", file);

export * from "../index.ts";
