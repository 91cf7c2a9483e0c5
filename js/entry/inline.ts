/** One file that needs no other: the module is text within it. */
import makeGlue from "redstart-glue";
import { registerScheme } from "../place.ts";
import { setWasmSource } from "../redstart.ts";
import { idb, opfs } from "../schemes.ts";
import { setGlue } from "../wasm.ts";
import wasm from "./wasm-text.ts";

setGlue(makeGlue);
setWasmSource(wasm);
registerScheme("idb", idb);
registerScheme("opfs", opfs);

export * from "../index.ts";
