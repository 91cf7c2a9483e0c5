#!/usr/bin/env node
/** `npx redstart`. */
import { readFileSync } from "node:fs";
import makeGlue from "redstart-glue";
import { main } from "../serve/program.ts";
import { instantiate, setGlue } from "../wasm.ts";

setGlue(makeGlue);
const wasm = readFileSync(new URL("./redstart_docs_bg.wasm", import.meta.url));
await main(() => instantiate(new WebAssembly.Module(wasm)).exports, process.argv.slice(2));
