/** Runs the storage suite in a page. */

import { IndexedDbStorage } from "../../js/storage/indexeddb.ts";
import { CASES } from "../js/storage.conformance.ts";

export { IndexedDbStorage };

export async function run(name: string): Promise<void> {
	const one = CASES.find((other) => other.name === name);
	await one?.run({ open: () => new IndexedDbStorage(name), isFenced: true, hasLog: true });
}
