/** The module as text. The build puts the base64 of its file in place of the import. */
import text from "redstart-wasm-as-base64";

/** The module's bytes. */
export default function wasm(): Uint8Array {
	return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
