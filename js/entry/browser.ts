/** Browsers and their bundlers. The module is a file beside this one; where nobody put it there, a copy in text serves. */
import { setWasmSource } from "../redstart.ts";
import { compile } from "../wasm.ts";

// Bundlers look for exactly this form and bring the file along; in a classic script there is no import.meta.url.
const beside = () => new URL("./redstart_bg.wasm", import.meta.url);
const inText = async () => (await import("./wasm-text.ts")).default();

setWasmSource(async () => {
	try {
		return await compile(beside());
	} catch {
		return inText();
	}
});

export * from "../index.ts";
