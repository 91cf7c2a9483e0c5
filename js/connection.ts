/** A native session with what JavaScript adds to it: the promise of a blocked call, and listeners of messages. */

import { type CommandEntry, ENTRIES } from "./commands.ts";
import { type Arg, BLOCKED, type Engine, NO_OP, NOTHING, type Outcome } from "./engine.ts";
import { RedstartError, ReplyError } from "./errors.ts";
import { BYTES_MODE, type Reply, type ReplyMode, TEXT_MODE } from "./reply.ts";
import { toBinary, toBytes, toText } from "./text.ts";

/** Hears a message: its payload, the channel it was sent to, and the pattern that matched. */
export type Listener<T extends string | Uint8Array = string> = (
	message: T,
	channel: string,
	pattern?: string,
) => void;

/** The kinds of subscriptions, with the words that begin and end them and the push that carries a message. */
export const KINDS = {
	channel: { on: "SUBSCRIBE", off: "UNSUBSCRIBE", push: "message" },
	pattern: { on: "PSUBSCRIBE", off: "PUNSUBSCRIBE", push: "pmessage" },
	shard: { on: "SSUBSCRIBE", off: "SUNSUBSCRIBE", push: "smessage" },
} as const;
export type SubscriptionKind = keyof typeof KINDS;

interface Heard {
	readonly listener: Listener<string> | Listener<Uint8Array>;
	readonly isBytes: boolean;
}

interface Waiter {
	resolve(reply: Reply): void;
	reject(error: unknown): void;
	readonly mode: ReplyMode;
}

/** The table's commands as numbers of one engine; the flags of each number. */
export class OpTable {
	readonly ops: Uint16Array;
	private readonly timed = new Uint8Array(65536 >> 3);
	private readonly blocking = new Uint8Array(65536 >> 3);
	private readonly stateful = new Uint8Array(65536 >> 3);
	private readonly scripts = new Uint8Array(65536 >> 3);

	constructor(engine: Engine) {
		this.ops = Uint16Array.from(ENTRIES, (entry) => {
			const op = engine.op(entry.name);
			if (entry.isTimed || entry.sub) this.mark(this.timed, op);
			if (entry.isBlocking && !entry.sub && op !== NO_OP) this.mark(this.blocking, op);
			if (entry.isScript && op !== NO_OP) this.mark(this.scripts, op);
			return op;
		});
		this.mark(this.timed, NO_OP);
		for (const name of STATEFUL) this.mark(this.stateful, engine.op(name));
	}

	private mark(set: Uint8Array, op: number): void {
		set[op >> 3] = (set[op >> 3] as number) | (1 << (op & 7));
	}

	isTimed(op: number): boolean {
		return ((this.timed[op >> 3] as number) & (1 << (op & 7))) !== 0;
	}

	isStateful(op: number): boolean {
		return ((this.stateful[op >> 3] as number) & (1 << (op & 7))) !== 0;
	}

	isScript(op: number): boolean {
		return ((this.scripts[op >> 3] as number) & (1 << (op & 7))) !== 0;
	}

	isBlocking(op: number): boolean {
		return ((this.blocking[op >> 3] as number) & (1 << (op & 7))) !== 0;
	}
}

/** Commands after which a session is not what it was. */
export const STATEFUL: ReadonlySet<string> = new Set([
	"MULTI",
	"EXEC",
	"DISCARD",
	"SELECT",
	"RESET",
	"SHUTDOWN",
]);

export class Connection {
	engine: Engine;
	table: OpTable;
	/** The engine's number of the session. */
	id = -1;
	/** Whether it takes a command now; {@link check} says why not. */
	isFree = true;
	/** What SELECT chose, for connections that are to look like this one. */
	db = 0;
	isMulti = false;
	/** It asked for the end: that is no error to it. */
	private isEnding = false;
	/** Hears pushes that no listener is there for: tracking, MONITOR, SUBSCRIBE by `call`. */
	onPush: ((push: Reply) => void) | undefined;
	/** The engine closed the session (CLIENT KILL, QUIT). */
	onClosed: (() => void) | undefined;
	private waiter: Waiter | undefined;
	/** Why there is no session any more. */
	private gone: RedstartError | undefined;
	private readonly heard = new Map<string, Set<Heard>>();
	private bytesListeners = 0;

	constructor(engine: Engine, table: OpTable, protocol: 2 | 3 = 3) {
		this.engine = engine;
		this.table = table;
		this.attach(engine, table, protocol);
	}

	/** Opens the session on `engine`, again after it was rebuilt; subscriptions are renewed. */
	attach(engine: Engine, table: OpTable, protocol: 2 | 3 = 3): void {
		this.engine = engine;
		this.table = table;
		this.db = 0;
		this.isMulti = false;
		this.gone = undefined;
		this.isFree = this.waiter === undefined;
		this.id = engine.connect(protocol, {
			onReady: () => this.receive(),
			onDisconnect: () => this.drop(new RedstartError("closed", "the session was closed by the engine")),
		});
		for (const key of this.heard.keys()) {
			const kind = key.slice(0, key.indexOf(":")) as SubscriptionKind;
			this.run(KINDS[kind].on, [fromBinary(key.slice(kind.length + 1))], TEXT_MODE);
		}
	}

	/** Waits for the reply of a blocked call, and until what it did is stored. */
	private async wait(mode: ReplyMode): Promise<Reply> {
		const { engine } = this;
		engine.wait(1);
		try {
			return await new Promise<Reply>((resolve, reject) => {
				this.waiter = { resolve, reject, mode };
				this.isFree = false;
			});
		} finally {
			engine.wait(-1);
			const stored = engine.whenStored?.();
			if (stored) await stored;
		}
	}

	/** Throws unless the session takes a command now. */
	check(): void {
		if (this.gone) throw this.gone;
		if (this.waiter) throw new RedstartError("busy", "the session waits in a blocking command");
	}

	/** What an outcome is to a caller: a value, or the promise of one. */
	give(outcome: Outcome, mode: ReplyMode): Reply | Promise<Reply> {
		if (outcome === BLOCKED) return this.wait(mode);
		return outcome === NOTHING ? null : (outcome as Reply);
	}

	/** Runs a command given by its words. */
	run(name: string, args: readonly Arg[], mode: ReplyMode): Reply | Promise<Reply> {
		const op = this.engine.op(name);
		if (op !== NO_OP) return this.runOp(op, args, mode);
		this.check();
		return this.give(this.engine.call(this.id, op, [name, ...args], mode), mode);
	}

	/** Runs an entry of the table with words already made. */
	runEntry(entry: CommandEntry, args: readonly Arg[], mode: ReplyMode): Reply | Promise<Reply> {
		const op = this.table.ops[entry.index] as number;
		return op === NO_OP ? this.run(entry.name, args, mode) : this.runOp(op, args, mode);
	}

	/** Runs the command of a number. */
	runOp(op: number, args: readonly Arg[], mode: ReplyMode): Reply | Promise<Reply> {
		this.check();
		const { engine, table } = this;
		const isStateful = table.isStateful(op);
		if (isStateful) this.begin(op);
		const isTimed = table.isTimed(op);
		let outcome: Outcome;
		switch (args.length) {
			case 0:
				outcome = engine.call0(this.id, op, isTimed, mode);
				break;
			case 1:
				outcome = engine.call1(this.id, op, isTimed, args[0] as Arg, mode);
				break;
			case 2:
				outcome = engine.call2(this.id, op, isTimed, args[0] as Arg, args[1] as Arg, mode);
				break;
			case 3:
				outcome = engine.call3(this.id, op, isTimed, args[0] as Arg, args[1] as Arg, args[2] as Arg, mode);
				break;
			default:
				outcome = engine.call(this.id, op, args, mode);
		}
		if (isStateful) this.end(op, args);
		return this.give(outcome, mode);
	}

	/** Does `run`, in which a script may pause: its reply is a promise then. */
	patiently<T>(run: () => T): T {
		const { engine, id } = this;
		if (id < 0) return run();
		engine.setMayPause(id, true);
		try {
			return run();
		} finally {
			if (this.id === id) engine.setMayPause(id, false);
		}
	}

	/** Before a command that changes the session: EXEC and DISCARD end MULTI even when they fail. */
	private begin(op: number): void {
		const { engine } = this;
		if (op === engine.op("SHUTDOWN")) this.isEnding = true;
		else if (op === engine.op("EXEC") || op === engine.op("DISCARD")) this.isMulti = false;
	}

	/** After it has succeeded. */
	private end(op: number, args: readonly Arg[]): void {
		const { engine } = this;
		if (op === engine.op("MULTI")) this.isMulti = true;
		else if (op === engine.op("SELECT") && !this.isMulti) this.db = Number(args[0]);
		else if (op === engine.op("RESET")) {
			this.isMulti = false;
			this.db = 0;
		}
	}

	// ---- messages ----

	private receive(): void {
		for (;;) {
			const mode = this.waiter?.mode ?? (this.bytesListeners > 0 ? BYTES_MODE : TEXT_MODE);
			const message = this.engine.message(this.id, mode);
			if (!message) return;
			if (message.isReply) this.settle(message.reply);
			else this.dispatch(message.reply, message.isAscii);
		}
	}

	private settle(reply: Reply): void {
		const waiter = this.waiter;
		this.waiter = undefined;
		this.isFree = this.gone === undefined;
		if (reply instanceof ReplyError) {
			// What SAVE answers says no more than this.
			if (reply.message === "ERR") reply.cause = this.engine.dataset.lossCause;
			waiter?.reject(reply);
		} else waiter?.resolve(reply);
	}

	private dispatch(push: Reply, isAscii: boolean): void {
		if (!Array.isArray(push)) {
			this.onPush?.(push);
			return;
		}
		const head = asText(push[0]);
		const kind: SubscriptionKind | undefined =
			head === "message"
				? "channel"
				: head === "pmessage"
					? "pattern"
					: head === "smessage"
						? "shard"
						: undefined;
		if (!kind) {
			if (!CONFIRMATIONS.has(head) || this.heard.size === 0) this.onPush?.(push);
			return;
		}
		const subject = push[1] as string | Uint8Array;
		const listeners = this.heard.get(`${kind}:${isAscii ? asText(subject) : binaryOf(subject)}`);
		if (!listeners) {
			this.onPush?.(push);
			return;
		}
		const channel = asText(kind === "pattern" ? push[2] : subject);
		const pattern = kind === "pattern" ? asText(subject) : undefined;
		const payload = push[push.length - 1] as string | Uint8Array;
		for (const { listener, isBytes } of [...listeners]) {
			const message = isBytes ? asBytes(payload) : asText(payload);
			try {
				(listener as Listener<string | Uint8Array>)(message, channel, pattern);
			} catch (error) {
				// One bad listener keeps nothing from the others.
				this.engine.onListenerError?.(error);
			}
		}
	}

	/** Hears `subject` from now on. Returns the end of it. */
	listen(
		kind: SubscriptionKind,
		subject: string | Uint8Array,
		listener: Listener<string> | Listener<Uint8Array>,
		isBytes: boolean,
	): () => void {
		const key = `${kind}:${binaryOf(subject)}`;
		let listeners = this.heard.get(key);
		if (!listeners) {
			listeners = new Set();
			this.heard.set(key, listeners);
			try {
				this.run(KINDS[kind].on, [subject], TEXT_MODE);
			} catch (error) {
				this.heard.delete(key);
				throw error;
			}
		}
		const heard: Heard = { listener, isBytes };
		listeners.add(heard);
		if (isBytes) this.bytesListeners++;
		return () => {
			if (!listeners.delete(heard)) return;
			if (isBytes) this.bytesListeners--;
			if (listeners.size > 0 || this.heard.get(key) !== listeners) return;
			this.heard.delete(key);
			if (!this.gone) this.run(KINDS[kind].off, [subject], TEXT_MODE);
		};
	}

	/** Closes the session; who waits in it gets `error`. */
	close(error = new RedstartError("closed", "the session is closed")): void {
		if (this.gone) return;
		const { id } = this;
		this.drop(error);
		this.engine.disconnect(id);
	}

	/** Forgets the session, which is gone already. */
	drop(error: RedstartError): void {
		this.id = -1;
		this.gone = error;
		this.isFree = false;
		if (this.isEnding) this.waiter?.resolve(null);
		else this.waiter?.reject(error);
		this.waiter = undefined;
		this.onClosed?.();
	}
}

const CONFIRMATIONS = new Set([
	"subscribe",
	"unsubscribe",
	"psubscribe",
	"punsubscribe",
	"ssubscribe",
	"sunsubscribe",
]);

function asText(value: Reply | undefined): string {
	return value instanceof Uint8Array ? toText(value) : String(value);
}

function asBytes(value: string | Uint8Array): Uint8Array {
	return typeof value === "string" ? toBytes(value) : value;
}

function binaryOf(value: string | Uint8Array): string {
	return toBinary(asBytes(value));
}

function fromBinary(text: string): Uint8Array {
	return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
