/** One file that needs no other: the module is text within it. */
import { setWasmSource } from "../redstart.ts";
import wasm from "./wasm-text.ts";

setWasmSource(wasm);

export * from "../index.ts";
