/** Cloudflare Workers: the module comes as an import, compiled by the platform. */
import makeGlue from "redstart-glue";
import { setWasmSource } from "../redstart.ts";
import { setGlue } from "../wasm.ts";
import module from "./redstart_bg.wasm";

setGlue(makeGlue);
setWasmSource(() => module);

export * from "../index.ts";
