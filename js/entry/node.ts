/** Node, Bun and Deno: the module is read from beside this file. */
import { readFileSync } from "node:fs";
import makeGlue from "redstart-glue";
import { setWasmSource } from "../redstart.ts";
import { setGlue } from "../wasm.ts";

setGlue(makeGlue);
setWasmSource(() => readFileSync(new URL("./redstart_bg.wasm", import.meta.url)));

export * from "../index.ts";
