/** The schemes that need nothing but the host. */

import { RedstartError } from "./errors.ts";
import type { Place } from "./place.ts";
import { IndexedDbStorage } from "./storage/indexeddb.ts";

/**
 * Every write is appended within the turn of the loop that brought it, and survives the tab; a power cut takes a second at
 * most. A log of this length is read in the blink of an eye; then it begins anew.
 */
export const BROWSER_CONFIG = {
	appendonly: "yes",
	appendfsync: "everysec",
	save: "",
	"auto-aof-rewrite-min-size": "4mb",
} as const;

/** `idb://name`: IndexedDB, which every browser has. */
export async function idb(name: string): Promise<Place> {
	if (!IndexedDbStorage.isAvailable) {
		throw new RedstartError("storage", "there is no IndexedDB here; the dataset is kept in memory only");
	}
	const storage = new IndexedDbStorage(name);
	// Some browsers have it and refuse to open it. From here on it is there, and what cannot be read is no empty dataset.
	await storage.reach();
	return { storage, lock: `redstart:${name}`, config: BROWSER_CONFIG };
}

/** `opfs://name`: the origin's private file system. The driver is a file of its own, fetched by whoever wants it. */
export async function opfs(name: string): Promise<Place> {
	const { OpfsStorage } = await import("./entry/opfs.ts");
	OpfsStorage.check();
	return { storage: new OpfsStorage(name), lock: `redstart:opfs:${name}`, config: BROWSER_CONFIG };
}
