/** The schemes that need Node. */

import { RedstartError } from "./errors.ts";
import type { Place } from "./place.ts";
import { FileStorage } from "./storage/fs.ts";

/**
 * As for a browser: every write is in the file within the turn of the loop that brought it, and a power cut takes a second at
 * most. Everything else is Redis' default.
 */
const FOLDER_CONFIG = { appendonly: "yes", appendfsync: "everysec", save: "" } as const;

/** `file:///path/to/folder`: the files of a multi-part append-only file in there, which redis-server opens, too. */
export function file(name: string): Place {
	if (!name.startsWith("/")) {
		throw new RedstartError("unsupported", `file:// wants a whole path: file:///path/to/${name}`);
	}
	return { storage: new FileStorage(new URL(`file://${name}`)), config: FOLDER_CONFIG };
}
