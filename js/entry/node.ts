/** Node, Bun and Deno: the module is read from beside this file. */
import { readFileSync } from "node:fs";
import { setWasmSource } from "../redstart.ts";

setWasmSource(() => readFileSync(new URL("./redstart_bg.wasm", import.meta.url)));

export * from "../index.ts";
