/** Node, Bun and Deno: the module is read from beside this file. */
import { readFileSync } from "node:fs";
import makeGlue from "redstart-glue";
import { registerScheme } from "../place.ts";
import { setWasmSource } from "../redstart.ts";
import { idb } from "../schemes.ts";
import { setGlue } from "../wasm.ts";

setGlue(makeGlue);
setWasmSource(() => readFileSync(new URL("./redstart_bg.wasm", import.meta.url)));
registerScheme("idb", idb);

export * from "../index.ts";
