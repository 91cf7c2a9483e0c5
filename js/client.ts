/** What callers hold: commands as methods, synchronous or as promises, over one connection. */

import type { Chain, Commands, Key, Mode, Result } from "./commands.gen.ts";
import { type CommandEntry, ENTRIES, install, isArg, words } from "./commands.ts";
import { type Connection, type Listener, STATEFUL, type SubscriptionKind } from "./connection.ts";
import { type Arg, NO_OP, type Request } from "./engine.ts";
import { ReplyError } from "./errors.ts";
import { type Reply, type ReplyMode, type ReplyOptions, replyMode } from "./reply.ts";
import { type BoundScript, prepare, Script, type ScriptOptions, type ScriptRun } from "./script.ts";

/** What a client works on. */
export interface Link {
	/** The session of its commands. Throws when it is closed. */
	readonly connection: Connection;
	/** Lends a session like this one to a call that may block, so that this one stays free. */
	blocking<T>(use: (connection: Connection) => T | Promise<T>): Promise<T>;
}

/** Ends a subscription. */
export interface Unsubscribe {
	(): void;
	[Symbol.dispose](): void;
}

export interface SubscribeOptions {
	/** Messages as they are instead of text. */
	bytes?: boolean;
}

export interface ScanOptions {
	/** A glob that keys must match. */
	match?: string | Uint8Array;
	/** How much work one step does. */
	count?: number;
	/** Only keys of this type (SCAN). */
	type?: string;
	/** Fields without values (HSCAN). */
	novalues?: boolean;
}

export interface MessageOptions {
	/** What the names are. Default `channel`. */
	kind?: SubscriptionKind;
}

export interface PubSubMessage {
	channel: string;
	message: string;
	pattern?: string;
}

/** What a bulk string is in a client of mode M. */
type Item<M> = M extends "bytes" | "async-bytes" ? Uint8Array : string;

/** A value now, or later when the command blocked. */
type MaybePromise<T> = T | Promise<T>;

// Polyfilled nowhere: engines without the symbols get methods under names nobody calls.
const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for("Symbol.dispose") as never);
const ASYNC_DISPOSE: typeof Symbol.asyncDispose =
	Symbol.asyncDispose ?? (Symbol.for("Symbol.asyncDispose") as never);

export { ASYNC_DISPOSE, DISPOSE };

/** What all clients have. */
abstract class Base {
	/** @internal */
	readonly link: Link;
	/** @internal */
	readonly mode: ReplyMode;

	constructor(link: Link, mode: ReplyMode) {
		this.link = link;
		this.mode = mode;
	}

	/** Calls `listener` with each message sent to `channels`, until what is returned is called. */
	subscribe(channels: Names, listener: Listener<string>): Unsubscribe;
	subscribe(channels: Names, listener: Listener<Uint8Array>, options: { bytes: true }): Unsubscribe;
	subscribe(
		channels: Names,
		listener: Listener<string> | Listener<Uint8Array>,
		options?: SubscribeOptions,
	): Unsubscribe {
		return listen(this.link.connection, "channel", channels, listener, options);
	}

	/** The same for patterns. */
	psubscribe(patterns: Names, listener: Listener<string>): Unsubscribe;
	psubscribe(patterns: Names, listener: Listener<Uint8Array>, options: { bytes: true }): Unsubscribe;
	psubscribe(
		patterns: Names,
		listener: Listener<string> | Listener<Uint8Array>,
		options?: SubscribeOptions,
	): Unsubscribe {
		return listen(this.link.connection, "pattern", patterns, listener, options);
	}

	/** The same for shard channels. */
	ssubscribe(channels: Names, listener: Listener<string>): Unsubscribe;
	ssubscribe(channels: Names, listener: Listener<Uint8Array>, options: { bytes: true }): Unsubscribe;
	ssubscribe(
		channels: Names,
		listener: Listener<string> | Listener<Uint8Array>,
		options?: SubscribeOptions,
	): Unsubscribe {
		return listen(this.link.connection, "shard", channels, listener, options);
	}

	/** Messages to loop over; leaving the loop ends the subscription. Those not yet taken wait without limit. */
	messages(channels: Names, options: MessageOptions = {}): AsyncIterableIterator<PubSubMessage> {
		return new Messages((listener) =>
			listen(this.link.connection, options.kind ?? "channel", channels, listener, {}),
		);
	}
}

type Names = string | Uint8Array | readonly (string | Uint8Array)[];

function listen(
	connection: Connection,
	kind: SubscriptionKind,
	names: Names,
	listener: Listener<string> | Listener<Uint8Array>,
	options: SubscribeOptions = {},
): Unsubscribe {
	const list: readonly (string | Uint8Array)[] =
		typeof names === "string" || names instanceof Uint8Array ? [names] : names;
	const ends = list.map((name) => connection.listen(kind, name, listener, options.bytes ?? false));
	const end = () => {
		for (const one of ends) one();
	};
	return Object.assign(end, { [DISPOSE]: end });
}

class Messages implements AsyncIterableIterator<PubSubMessage> {
	private readonly queue: PubSubMessage[] = [];
	private wake: (() => void) | undefined;
	private isDone = false;
	private readonly end: () => void;

	constructor(start: (listener: Listener) => () => void) {
		this.end = start((message, channel, pattern) => {
			this.queue.push(pattern === undefined ? { channel, message } : { channel, message, pattern });
			this.wake?.();
		});
	}

	async next(): Promise<IteratorResult<PubSubMessage>> {
		while (this.queue.length === 0 && !this.isDone) {
			await new Promise<void>((resolve) => {
				this.wake = resolve;
			});
		}
		const value = this.queue.shift();
		return value ? { value, done: false } : { value: undefined, done: true };
	}

	async return(): Promise<IteratorResult<PubSubMessage>> {
		this.isDone = true;
		this.queue.length = 0;
		this.end();
		this.wake?.();
		return { value: undefined, done: true };
	}

	[Symbol.asyncIterator](): this {
		return this;
	}
}

type CommandsOf = new <M extends Mode>(link: Link, mode: ReplyMode) => Base & Commands<M>;

/** Commands that answer at once. */
export class Client<M extends "text" | "bytes" = "text"> extends (Base as unknown as CommandsOf)<M> {
	/**
	 * Runs any command: `db.call("SET", "k", "v")`. One that blocks (BLPOP) answers with a promise. The type of the reply
	 * is what the caller says it is.
	 */
	call<T = Reply>(name: string, ...args: Arg[]): T {
		const { connection } = this.link;
		const op = connection.engine.op(name);
		if (op === NO_OP) return connection.run(name, args, this.mode) as T;
		// No closure here: it would cost every call the memory for what it holds.
		if (connection.table.isBlocking(op) && !connection.isMulti) return lend(this, op, args) as T;
		return connection.runOp(op, args, this.mode) as T;
	}

	/** Runs a script: by its digest once the engine has it. */
	run<T>(script: Script<T>, keys: readonly Key[] = [], args: readonly Arg[] = []): Result<M, T> {
		return script.run(this.link.connection, keys, args, this.mode) as Result<M, T>;
	}

	/** A script as a function: `const take = db.script<number>(source, { keys: 1 }); take(["stock"], [2])`. */
	script<T = Reply>(source: string, options: ScriptOptions = {}): BoundScript<M, T> {
		return bind<M, T>(this, source, options);
	}

	/** The same client with other replies: `db.with({ bigint: true })`. */
	with(options: ReplyOptions & { bytes: true }): Client<"bytes">;
	with(options: ReplyOptions & { bytes?: false }): Client<M>;
	with(options: ReplyOptions): Client<M> | Client<"bytes"> {
		return new Client(this.link, replyMode(options, this.mode));
	}

	/** The same client with `Uint8Array` for text. */
	get bytes(): Client<"bytes"> {
		return this.with({ bytes: true });
	}

	/** The same client with promises. */
	get async(): AsyncClient<M extends "bytes" ? "async-bytes" : "async"> {
		return new AsyncClient(this.link, this.mode);
	}

	/**
	 * Collects commands and runs them at once: one crossing into the engine, one array back. Nothing in it waits: a
	 * blocking command that finds nothing answers as at the end of its time.
	 */
	pipeline(): Pipeline {
		return new Pipeline(
			(requests) => runBatch(this.link, requests, this.mode, false) as unknown[],
			this.link,
		);
	}

	/**
	 * Collects commands and runs them as a transaction. `exec()` answers `null` when a key given to `watch` has changed
	 * since.
	 */
	multi(): Pipeline<unknown[] | null> {
		return new Pipeline((requests) => runBatch(this.link, requests, this.mode, true), this.link);
	}

	/** All keys, a few at a time. */
	*scanIterator(options: ScanOptions = {}): IterableIterator<Item<M>> {
		yield* scan(this as Caller, "SCAN", undefined, options) as Generator<Item<M>>;
	}

	/** Members of a set. */
	*sscanIterator(key: string | Uint8Array, options: ScanOptions = {}): IterableIterator<Item<M>> {
		yield* scan(this as Caller, "SSCAN", key, options) as Generator<Item<M>>;
	}

	/** Fields and values of a hash. */
	*hscanIterator(key: string | Uint8Array, options: ScanOptions = {}): IterableIterator<[Item<M>, Item<M>]> {
		yield* pairs(scan(this as Caller, "HSCAN", key, options)) as Generator<[Item<M>, Item<M>]>;
	}

	/** Members and scores of a sorted set. */
	*zscanIterator(key: string | Uint8Array, options: ScanOptions = {}): IterableIterator<[Item<M>, Item<M>]> {
		yield* pairs(scan(this as Caller, "ZSCAN", key, options)) as Generator<[Item<M>, Item<M>]>;
	}
}

/** The commands of {@link Client} as promises, for code that may one day talk to a remote engine. */
export class AsyncClient<
	M extends "async" | "async-bytes" = "async",
> extends (Base as unknown as CommandsOf)<M> {
	async call<T = Reply>(name: string, ...args: Arg[]): Promise<Awaited<T>> {
		const { engine, table } = this.link.connection;
		if (engine.isHolding && !isHeardWhileHeld(name, args[0])) await engine.whenHeard();
		try {
			const op = engine.op(name);
			if (op !== NO_OP && table.isScript(op)) {
				return (await patiently(this.link, (other) => other.runOp(op, args, this.mode))) as Awaited<T>;
			}
			return (await Client.prototype.call.call(this, name, ...args)) as Awaited<T>;
		} finally {
			const stored = engine.whenStored?.();
			if (stored) await stored;
		}
	}

	run<T>(script: Script<T>, keys: readonly Key[] = [], args: readonly Arg[] = []): Result<M, T> {
		return this.runScript(script, keys, args) as Result<M, T>;
	}

	private async runScript(script: Script<unknown>, keys: readonly Key[], args: readonly Arg[]) {
		const { engine } = this.link.connection;
		if (engine.isHolding) await engine.whenHeard();
		try {
			return await patiently(this.link, (other) => script.run(other, keys, args, this.mode));
		} finally {
			const stored = engine.whenStored?.();
			if (stored) await stored;
		}
	}

	script<T = Reply>(source: string, options: ScriptOptions = {}): BoundScript<M, T> {
		return bind<M, T>(this, source, options);
	}

	with(options: ReplyOptions & { bytes: true }): AsyncClient<"async-bytes">;
	with(options: ReplyOptions & { bytes?: false }): AsyncClient<M>;
	with(options: ReplyOptions): AsyncClient<M> | AsyncClient<"async-bytes"> {
		return new AsyncClient(this.link, replyMode(options, this.mode));
	}

	get bytes(): AsyncClient<"async-bytes"> {
		return this.with({ bytes: true });
	}

	pipeline(): Pipeline<Promise<unknown[]>> {
		return new Pipeline(async (requests) => (await this.batch(requests, false)) as unknown[], this.link);
	}

	multi(): Pipeline<Promise<unknown[] | null>> {
		return new Pipeline((requests) => this.batch(requests, true), this.link);
	}

	private async batch(requests: readonly Request[], isMulti: boolean): Promise<unknown[] | null> {
		const { engine } = this.link.connection;
		if (engine.isHolding) await engine.whenHeard();
		try {
			return runBatch(this.link, requests, this.mode, isMulti);
		} finally {
			const stored = engine.whenStored?.();
			if (stored) await stored;
		}
	}

	async *scanIterator(options: ScanOptions = {}): AsyncIterableIterator<Item<M>> {
		yield* this.sync.scanIterator(options) as Iterable<Item<M>>;
	}

	async *sscanIterator(key: string | Uint8Array, options: ScanOptions = {}): AsyncIterableIterator<Item<M>> {
		yield* this.sync.sscanIterator(key, options) as Iterable<Item<M>>;
	}

	async *hscanIterator(
		key: string | Uint8Array,
		options: ScanOptions = {},
	): AsyncIterableIterator<[Item<M>, Item<M>]> {
		yield* this.sync.hscanIterator(key, options) as Iterable<[Item<M>, Item<M>]>;
	}

	async *zscanIterator(
		key: string | Uint8Array,
		options: ScanOptions = {},
	): AsyncIterableIterator<[Item<M>, Item<M>]> {
		yield* this.sync.zscanIterator(key, options) as Iterable<[Item<M>, Item<M>]>;
	}

	private get sync(): Client {
		return new Client(this.link, this.mode);
	}
}

function bind<M extends "text" | "bytes" | "async" | "async-bytes", T>(
	client: { run(script: Script<T>, keys?: readonly Key[], args?: readonly Arg[]): Result<M, T> },
	source: string,
	options: ScriptOptions,
): BoundScript<M, T> {
	const script = new Script<T>(source, options);
	const call = (keys?: readonly Key[], args?: readonly Arg[]) => client.run(script, keys, args);
	return Object.assign(call, { script });
}

interface Caller {
	call(name: string, ...args: Arg[]): unknown;
}

function* scan(
	client: Caller,
	name: string,
	key: string | Uint8Array | undefined,
	options: ScanOptions,
): Generator<unknown> {
	const tail: Arg[] = [];
	if (options.match !== undefined) tail.push("MATCH", options.match);
	if (options.count !== undefined) tail.push("COUNT", options.count);
	if (options.type !== undefined) tail.push("TYPE", options.type);
	if (options.novalues) tail.push("NOVALUES");
	let cursor: string | Uint8Array = "0";
	do {
		const args: Arg[] = key === undefined ? [cursor, ...tail] : [key, cursor, ...tail];
		const [next, found] = client.call(name, ...args) as [string | Uint8Array, unknown[]];
		cursor = next;
		yield* found;
	} while (!isZero(cursor));
}

function isZero(cursor: string | Uint8Array): boolean {
	return typeof cursor === "string" ? cursor === "0" : cursor.length === 1 && cursor[0] === 48;
}

function* pairs(flat: Generator<unknown>): Generator<[unknown, unknown]> {
	for (let first = flat.next(); !first.done; first = flat.next()) yield [first.value, flat.next().value];
}

/** Options of {@link Pipeline.exec}. */
export interface ExecOptions {
	/** Errors as values at their places instead of throwing the first. */
	keepErrors?: boolean;
}

type PipelineBase = new <M extends Mode>() => Commands<M>;
class Empty {}

/** Commands that wait for `exec`. */
export class Pipeline<R = unknown[]> extends (Empty as PipelineBase)<Chain<R>> {
	private readonly requests: Request[] = [];
	/** Runs of scripts among them; how, is decided last. */
	private readonly runs: ScriptRun[] = [];
	private readonly send: (requests: readonly Request[]) => R;
	private readonly link: Link;

	/** @internal */
	constructor(send: (requests: readonly Request[]) => R, link: Link) {
		super();
		this.send = send;
		this.link = link;
	}

	/** How many commands wait. */
	get length(): number {
		return this.requests.length;
	}

	/** Adds any command. */
	call(name: string, ...args: Arg[]): this {
		const op = this.link.connection.engine.op(name);
		return this.add(op, op === NO_OP ? [name, ...args] : args);
	}

	/** Adds the run of a script; a function of `db.script` is one, too. */
	run<T>(
		script: Script<T> | { readonly script: Script<T> },
		keys: readonly Key[] = [],
		args: readonly Arg[] = [],
	): this {
		const one: Script<unknown> = script instanceof Script ? script : script.script;
		const request = { op: NO_OP, args: one.words("", keys, args) };
		this.requests.push(request);
		this.runs.push({ script: one, request });
		return this;
	}

	/** @internal */
	add(op: number, args: readonly Arg[]): this {
		this.requests.push({ op, args });
		return this;
	}

	/**
	 * Runs what waits and answers with the replies, in order. Throws the first error among them, with all replies in its
	 * `results`; with `keepErrors` errors are values at their places.
	 */
	exec(options: ExecOptions = {}): R {
		prepare(this.link.connection, this.runs.splice(0));
		const replies = this.send(this.requests.splice(0));
		if (options.keepErrors) return replies;
		if (replies instanceof Promise) return replies.then(throwFirst) as R;
		return throwFirst(replies as unknown[] | null) as R;
	}
}

function throwFirst(replies: unknown[] | null): unknown[] | null {
	const error = replies?.find((reply) => reply instanceof ReplyError);
	if (error instanceof ReplyError) {
		error.results = replies as unknown[];
		throw error;
	}
	return replies;
}

function runBatch(
	link: Link,
	requests: readonly Request[],
	mode: ReplyMode,
	isMulti: boolean,
): unknown[] | null {
	const { connection } = link;
	connection.check();
	const { engine } = connection;
	if (!isMulti) {
		return requests.length > 0 ? engine.batch(connection.id, requests, mode) : [];
	}
	const all = [{ op: engine.op("MULTI"), args: [] }, ...requests, { op: engine.op("EXEC"), args: [] }];
	const replies = engine.batch(connection.id, all, mode);
	const result = replies[replies.length - 1];
	if (!(result instanceof ReplyError)) return result as unknown[] | null;
	// EXECABORT only says that something was wrong; what, was said when it was queued.
	const cause = replies.find((reply) => reply instanceof ReplyError) as ReplyError;
	cause.results = replies.slice(1, -1);
	throw cause;
}

/** Runs a command that may wait on a session of its own. */
function lend({ link, mode }: Base, op: number, args: readonly Arg[]): Promise<Reply> {
	return link.blocking((other) => other.runOp(op, args, mode));
}

/** Runs a script that may pause on a session of its own; not in a transaction, where it cannot. */
function patiently(link: Link, run: (connection: Connection) => MaybePromise<Reply>): MaybePromise<Reply> {
	if (link.connection.isMulti) return run(link.connection);
	return link.blocking((other) => other.patiently(() => run(other)));
}

/** What ends a script need not wait for it. */
function isHeardWhileHeld(name: string, word: unknown): boolean {
	return /^shutdown$/i.test(name) || (/^(script|function)$/i.test(name) && /^kill$/i.test(String(word)));
}

/** The method of a command for clients that answer at once. Up to three plain arguments take the short road. */
function syncMethod(entry: CommandEntry): (...args: never[]) => unknown {
	const { index, isTimed } = entry;
	if (entry.isBlocking) {
		return function (this: Client, ...args: never[]): MaybePromise<Reply> {
			const list = words(entry, args);
			const { connection } = this.link;
			if (connection.isMulti) return connection.runEntry(entry, list, this.mode);
			return this.link.blocking((other) => other.runEntry(entry, list, this.mode));
		};
	}
	if (entry.sub || entry.isScript || STATEFUL.has(entry.name)) {
		return function (this: Client, ...args: never[]): MaybePromise<Reply> {
			return this.link.connection.runEntry(entry, words(entry, args), this.mode);
		};
	}
	return function (this: Client, a?: unknown, b?: unknown, c?: unknown): MaybePromise<Reply> {
		const { connection } = this.link;
		const { engine } = connection;
		const op = connection.table.ops[index] as number;
		const mode = this.mode;
		if (op !== NO_OP && connection.isFree) {
			// biome-ignore lint/complexity/noArguments: a rest parameter would allocate on the hottest road.
			switch (arguments.length) {
				case 0:
					return connection.give(engine.call0(connection.id, op, isTimed, mode), mode);
				case 1:
					if (isArg(a)) return connection.give(engine.call1(connection.id, op, isTimed, a, mode), mode);
					break;
				case 2:
					if (isArg(a) && isArg(b)) {
						return connection.give(engine.call2(connection.id, op, isTimed, a, b, mode), mode);
					}
					break;
				case 3:
					if (isArg(a) && isArg(b) && isArg(c)) {
						return connection.give(engine.call3(connection.id, op, isTimed, a, b, c, mode), mode);
					}
			}
		}
		// biome-ignore lint/complexity/noArguments: as above.
		return connection.runEntry(entry, words(entry, arguments), mode);
	};
}

install(Client.prototype, syncMethod);
install(AsyncClient.prototype, (entry) => {
	const method = Client.prototype[entry.method as "get"] as unknown as (...args: never[]) => unknown;
	const isHeard = isHeardWhileHeld(entry.name, entry.sub);
	return async function (this: AsyncClient, ...args: never[]) {
		const { engine } = this.link.connection;
		if (engine.isHolding && !isHeard) await engine.whenHeard();
		try {
			if (!entry.isScript) return await method.apply(this, args);
			const list = words(entry, args);
			return await patiently(this.link, (other) => other.runEntry(entry, list, this.mode));
		} finally {
			// What is answered is stored.
			const stored = engine.whenStored?.();
			if (stored) await stored;
		}
	};
});
install(Pipeline.prototype, (entry) => {
	return function (this: Pipeline, ...args: never[]): Pipeline {
		const { connection } = (this as unknown as { link: Link }).link;
		const op = connection.table.ops[entry.index] as number;
		const list = !entry.sub && !entry.isScript && args.every(isArg) ? args : words(entry, args);
		return this.add(op, op === NO_OP ? [entry.name, ...list] : list);
	};
});

export { ENTRIES };
