/** What only a server process asks of its engine. */

import { argsBound, Engine } from "../engine.ts";
import { TEXT_MODE } from "../reply.ts";
import { boundBytes } from "../text.ts";

export class ServerEngine extends Engine {
	/**
	 * Configures the engine as redis-server does at its start, from a configuration file (its name is empty when there is
	 * none) and the words of the command line behind it; before the first session. Throws what redis-server would print.
	 */
	configure(fileName: string, file: Uint8Array, words: readonly string[]): void {
		const args = [fileName, file, ...words];
		const from = this.reserve(argsBound(args));
		const end = this.writeArgs(args, from);
		this.guard(() => this.reply(this.exports.rs_configure(args.length, end - from), TEXT_MODE));
		this.after();
	}

	/** Makes a session the program's own, for which no user's rules are. */
	trust(session: number): void {
		this.guard(() => this.exports.rs_trust(session));
	}

	/** Takes the users of an ACL file; who waits in ACL LOAD is told. Throws what is wrong with it. */
	loadUsers(path: string, text: Uint8Array): void {
		const args = [path, text];
		const from = this.reserve(argsBound(args));
		const end = this.writeArgs(args, from);
		this.guard(() => this.reply(this.exports.rs_acl_load(end - from), TEXT_MODE));
		this.after();
	}

	/** Tells who waits in ACL LOAD or ACL SAVE that it is done, or why it could not be. */
	endAclWait(error = ""): void {
		const at = this.reserve(boundBytes(error));
		const length = this.text.write(error, at);
		this.guard(() => this.exports.rs_acl_done(length));
		this.after();
	}

	/** Who called SHUTDOWN is told that it has failed. */
	failShutdown(): void {
		this.guard(() => this.exports.rs_shutdown_failed());
		this.after();
	}

	/** The process INFO tells of. */
	setProcessId(id: number): void {
		this.guard(() => this.exports.rs_process_id(id));
	}
}
