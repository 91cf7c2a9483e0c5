/** What an engine and those around it say to each other. */

import type { Reply } from "./reply.ts";

/** What a command takes. Numbers and bigints go as decimal text. */
export type Arg = string | number | bigint | Uint8Array;

/** What the engine asks of its host: a name and arguments. */
export interface HostRequest {
	readonly name: string;
	readonly args: readonly Uint8Array[];
}

/** A message of a native session. */
export interface Message {
	readonly reply: Reply;
	/** It is the reply of the call that blocked. */
	readonly isReply: boolean;
	/** Its text is all ASCII. */
	readonly isAscii: boolean;
}

/** One command of a batch. */
export interface Request {
	/** Its number, or `NO_OP` with the name as first argument. */
	op: number;
	args: readonly Arg[];
}

/** How long scripts run, in steps: calls and turns of loops; a command of Redis counts as some forty. */
export interface ScriptLimits {
	/**
	 * After so many a script pauses, if its caller can wait (promises, RESP), and the page or the server goes on with other
	 * work. 0 for never. Default 200,000, some ten milliseconds; 0 without timers.
	 */
	slice?: number;
	/** A script that cannot pause is ended after so many. Default 500 million, half a minute of ordinary code. */
	most?: number;
}

export interface EngineOptions {
	/** 128 bits for hashing and random replies; random unless given. */
	seed?: readonly [number, number, number, number];
	/** The clock, in ms since 1970. */
	now?: () => number;
	/**
	 * Whether the engine may set a timer for its deadlines. Without one the host calls `Engine.tick`, or nobody
	 * does and keys expire when they are looked at. Default true.
	 */
	timers?: boolean;
	scripts?: ScriptLimits;
}

/** How a session hears that there is something for it. */
export interface SessionEvents {
	/** There are messages or output. */
	onReady(): void;
	/** The engine wants the connection closed. */
	onDisconnect?(): void;
}
