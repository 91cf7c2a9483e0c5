/** One file that needs no other: the module is text within it. */
import makeGlue from "redstart-glue";
import { setWasmSource } from "../redstart.ts";
import { setGlue } from "../wasm.ts";
import wasm from "./wasm-text.ts";

setGlue(makeGlue);
setWasmSource(wasm);

export * from "../index.ts";
