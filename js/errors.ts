/**
 * The two kinds of errors a caller meets: what Redis says ({@link ReplyError}) and what this library says
 * ({@link RedstartError}).
 */

/** An error reply, in Redis' words. */
export class ReplyError extends Error {
	override readonly name = "ReplyError";
	/** The first word of the message: `ERR`, `WRONGTYPE`, `NOAUTH`, ... */
	readonly code: string;
	/** The command that failed, in upper case; empty when it is not known. */
	readonly command: string;
	/** All replies of the pipeline or transaction that this error came from. */
	declare results?: unknown[];

	constructor(message: string, command = "") {
		super(message);
		const end = message.indexOf(" ");
		this.code = end < 0 ? message : message.slice(0, end);
		this.command = command.toUpperCase();
	}
}

/** What went wrong on our side. */
export type RedstartErrorKind =
	/** The database or the session was closed. */
	| "closed"
	/** The session waits in a blocking command and can take no other. */
	| "busy"
	/** The engine stopped in the middle of a command; it is rebuilt from storage. */
	| "trap"
	/** What storage holds cannot be read. */
	| "corrupt"
	/** Storage failed, is full, is absent, or belongs to somebody else now. */
	| "storage"
	/** The wasm module cannot be fetched, compiled or started. */
	| "wasm"
	/** Not possible here. */
	| "unsupported";

/** An error of the library itself, never of a command. */
export class RedstartError extends Error {
	override readonly name = "RedstartError";
	readonly kind: RedstartErrorKind;

	/** Each entry of the package brings this class along: an error of another copy is one, too. */
	static override [Symbol.hasInstance](value: unknown): boolean {
		return value instanceof Error && value.name === "RedstartError";
	}

	constructor(kind: RedstartErrorKind, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.kind = kind;
	}
}
