/** The end of the program, and what errors are called in the log. */

import { RedstartError, ReplyError } from "../errors.ts";
import { systemText } from "../storage/node-files.ts";

/** Ends the program with this exit code once the log has said why. */
export class Exit extends Error {
	readonly code: number;

	constructor(code: number) {
		super(`exit ${code}`);
		this.code = code;
	}
}

/** An error as the log is to have it. */
export function messageOf(error: unknown): string {
	if (error instanceof ReplyError || error instanceof RedstartError)
		return error.message.replace(/^ERR /, "");
	return systemText(error);
}
