/** Browsers and their bundlers. The module is a file beside this one; where nobody put it there, a copy in text serves. */
import makeGlue from "redstart-glue";
import { registerScheme } from "../place.ts";
import { setWasmSource } from "../redstart.ts";
import { idb, opfs } from "../schemes.ts";
import { compile, setGlue } from "../wasm.ts";

// Bundlers look for exactly this form and bring the file along; in a classic script there is no import.meta.url.
const beside = async () => compile(new URL("./redstart_bg.wasm", import.meta.url));
const inText = async () => (await import("./wasm-text.ts")).default();

setGlue(makeGlue);
setWasmSource(() => beside().catch(inText));
registerScheme("idb", idb);
registerScheme("opfs", opfs);

export * from "../index.ts";
