/** Cloudflare Workers: the module comes as an import, compiled by the platform. */

import { setWasmSource } from "../redstart.ts";
import module from "./redstart_bg.wasm";

setWasmSource(() => module);

export * from "../index.ts";
