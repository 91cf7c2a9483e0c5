/** Cloudflare Workers: the module comes as an import, compiled by the platform. */
import makeGlue from "redstart-glue";
import { registerScheme } from "../place.ts";
import { setWasmSource } from "../redstart.ts";
import { idb } from "../schemes.ts";
import { setGlue } from "../wasm.ts";
import module from "./redstart_bg.wasm";

setGlue(makeGlue);
setWasmSource(() => module);
registerScheme("idb", idb);

export * from "../index.ts";
