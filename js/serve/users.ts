/** The ACL file: read at the start and by ACL LOAD, written by ACL SAVE. */

import { readFileSync } from "node:fs";
import { ReplyError } from "../errors.ts";
import { replaceFile, systemText } from "../storage/node-files.ts";
import type { ServerEngine } from "./engine.ts";
import type { Log } from "./log.ts";

const NOT_SAVED =
	"ERR There was an error trying to save the ACLs. Please check the server logs for more information";

export class AclFile {
	private readonly engine: ServerEngine;
	private readonly log: Log;
	private readonly path: () => string;

	constructor(engine: ServerEngine, log: Log, path: () => string) {
		this.engine = engine;
		this.log = log;
		this.path = path;
	}

	/** Takes the users of the file. Throws what is wrong with it, in words for the log. */
	load(): void {
		const path = this.path();
		let text: Uint8Array;
		try {
			text = readFileSync(path);
		} catch (error) {
			throw new Error(`Error loading ACLs, opening file '${path}': ${systemText(error)}`);
		}
		try {
			this.engine.loadUsers(path, text);
		} catch (error) {
			if (!(error instanceof ReplyError)) throw error;
			throw new Error(error.message.replace(/^ERR /, ""));
		}
	}

	/** ACL LOAD. */
	reload(): void {
		try {
			this.load();
		} catch (error) {
			// What is wrong inside the file has been told.
			this.engine.endAclWait(`ERR ${(error as Error).message}`);
		}
	}

	/** ACL SAVE. */
	save(text: Uint8Array): void {
		const path = this.path();
		try {
			replaceFile(path, `${path}.tmp-${process.pid}`, text);
			this.engine.endAclWait();
		} catch (error) {
			this.log.write("warning", `Renaming ACL file for ACL SAVE: ${systemText(error)}`);
			this.engine.endAclWait(NOT_SAVED);
		}
	}
}
