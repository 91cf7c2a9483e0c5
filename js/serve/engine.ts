/** What only a server process asks of its engine. */

import { argsBound, Engine } from "../engine.ts";
import { TEXT_MODE } from "../reply.ts";

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

	/** The process INFO tells of. */
	setProcessId(id: number): void {
		this.guard(() => this.exports.rs_process_id(id));
	}
}
