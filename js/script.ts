/** Lua scripts as values: written once, sent to an engine once, and then run by their digest. */

import type { Result } from "./commands.gen.ts";
import type { Connection } from "./connection.ts";
import { type Arg, NO_OP } from "./engine.ts";
import { ReplyError } from "./errors.ts";
import { type Reply, type ReplyMode, TEXT_MODE } from "./reply.ts";

/** The name of a key. */
type Key = string | number | Uint8Array;

export interface ScriptOptions {
	/** How many keys it takes; a call with another number of keys throws a TypeError. Any number unless given. */
	keys?: number;
	/** It only reads: an attempt to write is an error. */
	readOnly?: boolean;
}

/** A script whose reply is T. Any database and any client can run it. */
export class Script<T = Reply> {
	/** What the reply is, for the compiler only. */
	declare readonly reply: T;
	readonly source: string;
	readonly keys: number | undefined;
	/** What the names of the commands that run it end in. @internal */
	readonly suffix: "" | "_RO";
	/** Its SHA1, known once an engine has compiled it. */
	private digest: string | undefined;

	constructor(source: string, options: ScriptOptions = {}) {
		this.source = source;
		this.keys = options.keys;
		this.suffix = options.readOnly ? "_RO" : "";
	}

	/** The SHA1 by which EVALSHA finds it; undefined until it ran for the first time. */
	get sha1(): string | undefined {
		return this.digest;
	}

	/** The words behind the name of the command. @internal */
	words(head: string, keys: readonly Key[], args: readonly Arg[]): Arg[] {
		if (this.keys !== undefined && keys.length !== this.keys) {
			throw new TypeError(`the script takes ${this.keys} keys, not ${keys.length}`);
		}
		return [head, keys.length, ...keys, ...args];
	}

	/** Brings it to the engine. @internal */
	load(connection: Connection): string {
		this.digest = connection.run("SCRIPT", ["LOAD", this.source], TEXT_MODE) as string;
		return this.digest;
	}

	/** Runs it. @internal */
	run(
		connection: Connection,
		keys: readonly Key[],
		args: readonly Arg[],
		mode: ReplyMode,
	): Reply | Promise<Reply> {
		if (connection.isMulti) {
			// What is queued now runs later: nobody could see to it then that it is loaded.
			return connection.run(`EVAL${this.suffix}`, this.words(this.source, keys, args), mode);
		}
		const name = `EVALSHA${this.suffix}`;
		const words = this.words(this.digest ?? "", keys, args);
		words[0] ||= this.load(connection);
		try {
			return connection.run(name, words, mode);
		} catch (error) {
			if (!isMissing(error)) throw error;
			this.load(connection);
			return connection.run(name, words, mode);
		}
	}
}

/** The engine does not know the digest: it is a new one, or SCRIPT FLUSH came in between. */
function isMissing(error: unknown): boolean {
	return error instanceof ReplyError && error.message === "NOSCRIPT No matching script. Please use EVAL.";
}

/** A script among the commands of a pipeline. */
export interface ScriptRun {
	readonly script: Script<unknown>;
	/** Lacks the command's number and its first word. */
	readonly request: { op: number; args: Arg[] };
}

/** Completes requests right before they run: in the middle of a batch nobody could load what SCRIPT FLUSH removed. */
export function prepare(connection: Connection, runs: readonly ScriptRun[]): void {
	const loaded = new Map<Script<unknown>, string | undefined>();
	for (const { script, request } of runs) {
		if (!loaded.has(script)) loaded.set(script, loadIfGood(connection, script));
		const digest = loaded.get(script);
		const name = (digest ? "EVALSHA" : "EVAL") + script.suffix;
		request.op = connection.engine.op(name);
		request.args[0] = digest ?? script.source;
		if (request.op === NO_OP) request.args.unshift(name);
	}
}

/** The digest, unless the script is no Lua (its error belongs to its place in the batch) or is only queued now. */
function loadIfGood(connection: Connection, script: Script<unknown>): string | undefined {
	if (connection.isMulti) return undefined;
	try {
		return script.load(connection);
	} catch (error) {
		if (error instanceof ReplyError) return undefined;
		throw error;
	}
}

/**
 * A script to run with `db.run(script, keys, args)`, on any client, session, pipeline or transaction:
 *
 *     const take = defineScript<number>("return redis.call('DECRBY', KEYS[1], ARGV[1])", { keys: 1 });
 *     db.run(take, ["stock"], [2]);
 */
export function defineScript<T = Reply>(source: string, options: ScriptOptions = {}): Script<T> {
	return new Script<T>(source, options);
}

/** A script that belongs to a client: call it. */
export interface BoundScript<M extends "text" | "bytes" | "async" | "async-bytes", T> {
	(keys?: readonly Key[], args?: readonly Arg[]): Result<M, T>;
	readonly script: Script<T>;
}
