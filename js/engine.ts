/**
 * One engine: an instance of the wasm module with its memory, clock and timer. It knows sessions, requests and replies
 * by number; what a command is called and what a caller sees is the client's business.
 */

import type { Arg, EngineOptions, HostRequest, Message, Request, SessionEvents } from "./boundary.ts";
import { Dataset, PIECE_BYTES } from "./dataset.ts";
import { RedstartError, ReplyError } from "./errors.ts";
import { BYTES_MODE, CellReader, type Reply, type ReplyMode, TEXT_MODE, wideInteger } from "./reply.ts";
import { soon } from "./soon.ts";
import { boundBytes, Text, toText } from "./text.ts";
import type { EngineExports } from "./wasm.ts";

export type * from "./boundary.ts";

/** Words of the control block. */
const MAGIC = 0;
const REQ_PTR = 1;
const REQ_CAP = 2;
const RSP_PTR = 3;
const RSP_LEN = 4;
const CELLS_PTR = 5;
const RSP_FLAGS = 7;
const READY_COUNT = 8;
const REQUESTS_COUNT = 9;
const NUM = 10;
const NOW_MS = 12;
const DEADLINE_MS = 14;
const VOLATILE_KEYS = 16;
const WRITE_VERSION = 17;
const DIRTY = 18;
const SCRIPT = 19;
const AOF = 20;

const MAGIC_WORD = 0x52545352;
/** Bits of RSP_FLAGS. */
const ASCII = 1;
const OF_BLOCKED = 2;

/** Tags of a returned i32. */
const Tag = { int: 0, nil: 1, bulk: 2, status: 3, wide: 4, aggregate: 5, error: 6, none: 7 } as const;

/** The number of a command that is given by name. */
export const NO_OP = 0xffff;
/** Text up to this many UTF-16 units, all arguments together, takes the short road; the buffer always has the room. */
const SHORT_UNITS = 20000;
const LEAST_REQUEST_BYTES = PIECE_BYTES;
/** So many calls may pass on an old clock while no key has a deadline. */
const STALE_CALLS = 32;
const LONGEST_TIMER_MS = 0x7fffffff;
/** The engine counts steps of scripts by so many. */
const STEPS_A_UNIT = 100_000;
const SLICE_STEPS = 200_000;
const MOST_STEPS = 500_000_000;
/** A tick that was asked for and does not come within this time is asked for again. */
const TICK_PATIENCE_MS = 1000;

/** Instead of a reply: the reply comes later, as a message. */
export const BLOCKED = Symbol("blocked");
/** Instead of a reply: there is none. */
export const NOTHING = Symbol("nothing");

/** A reply, or that there is none yet. */
export type Outcome = Reply | typeof BLOCKED | typeof NOTHING;

type Timer = ReturnType<typeof setTimeout> & { unref?(): void; ref?(): void };

/** Every call of a dead instance ends here. */
function dead(error: RedstartError): EngineExports {
	const fail = () => {
		throw error;
	};
	return new Proxy({} as EngineExports, { get: () => fail });
}

export class Engine {
	/** Host requests go here, in order; before it is set they wait. */
	onRequest: ((request: HostRequest) => void) | undefined;
	/** The instance died of `error`. */
	onTrap: ((error: RedstartError) => void) | undefined;
	/** A listener of a session threw. */
	onListenerError: ((error: unknown) => void) | undefined;

	/** There are bytes for the append-only file; told once they are all there that this turn of the loop brings. */
	onAof: (() => void) | undefined;
	/**
	 * What to wait for before a client gets its reply, so that everything done by now is in storage; undefined when it is.
	 * Whoever answers at once need not ask.
	 */
	whenStored: (() => Promise<void> | undefined) | undefined;

	/** The dataset as files. */
	readonly dataset: Dataset;

	protected exports: EngineExports;
	private readonly memory: { readonly buffer: ArrayBuffer };
	protected text!: Text;
	private bytes!: Uint8Array;
	private words!: Uint32Array;
	private floats!: Float64Array;
	/** Index of the control block in `words` and in `floats`. */
	private readonly ctrl: number;
	private readonly ctrlFloats: number;
	private readonly reader = new CellReader();
	private readonly now: () => number;
	private readonly hasTimers: boolean;
	private readonly ops = new Map<string, number>();
	private readonly names: string[] = [];
	private readonly sessions = new Map<number, SessionEvents>();
	private staleCalls = 0;
	private lastOp = NO_OP;
	private lastName = "";
	private isPumpDue = false;
	private isAofTold = false;
	/** When a tick was asked for that has not come. */
	private tickAsked_ms = Number.NEGATIVE_INFINITY;
	/** Who waits for scripts. */
	private scriptWaiters: { isThere: () => boolean; resolve: () => void }[] = [];
	private timer: Timer | undefined;
	/** When the timer fires; -Infinity keeps it from being set. */
	private timerAt_ms = Number.POSITIVE_INFINITY;
	private waiting = 0;
	private isDead = false;

	/** Starts an engine on a fresh instance. */
	constructor(exports: EngineExports, options: EngineOptions = {}) {
		this.exports = exports;
		this.memory = exports.memory;
		this.now = options.now ?? Date.now;
		this.hasTimers = options.timers ?? true;
		if (!this.hasTimers) this.timerAt_ms = Number.NEGATIVE_INFINITY;
		const ctrl = exports.rs_ctrl();
		this.ctrl = ctrl >> 2;
		this.ctrlFloats = ctrl >> 3;
		this.view();
		// An engine begins with the right time.
		this.floats[this.ctrlFloats + NOW_MS / 2] = this.now();
		const seed = options.seed ?? crypto.getRandomValues(new Uint32Array(4));
		exports.rs_init(seed[0] as number, seed[1] as number, seed[2] as number, seed[3] as number);
		this.view();
		if (this.words[this.ctrl + MAGIC] !== MAGIC_WORD || ctrl & 7) {
			throw new RedstartError("wasm", "this wasm module is not a Redstart engine of this version");
		}
		exports.rs_reserve(LEAST_REQUEST_BYTES);
		const { slice = this.hasTimers ? SLICE_STEPS : 0, most = MOST_STEPS } = options.scripts ?? {};
		exports.rs_script_limits?.(Math.ceil(slice / STEPS_A_UNIT), Math.ceil(most / STEPS_A_UNIT));
		this.view();
		this.readClock();
		this.dataset = new Dataset({
			enter: (use) =>
				this.guard(() => {
					this.readClock();
					const result = use(this.exports);
					if (this.bytes.length === 0) this.view();
					return result;
				}),
			result: (returned) => {
				// What came in takes memory, and the answer is in it.
				if (this.bytes.length === 0) this.view();
				return this.reply(returned, TEXT_MODE);
			},
			shown: (length) => {
				const from = this.words[this.ctrl + RSP_PTR] as number;
				return this.bytes.subarray(from, from + length);
			},
			place: (bytes) => this.bytes.set(bytes, this.words[this.ctrl + REQ_PTR]),
			after: () => this.after(),
		});
	}

	/** Takes fresh views of a memory that has grown. */
	private view(): void {
		const memory = this.memory.buffer;
		this.text = new Text(memory);
		this.bytes = this.text.bytes;
		this.words = new Uint32Array(memory);
		this.floats = new Float64Array(memory);
	}

	// ---- state ----

	/** Bytes of wasm memory. */
	get memory_bytes(): number {
		return this.memory.buffer.byteLength;
	}

	/** Changes since the last save. */
	get dirty(): number {
		return this.words[this.ctrl + DIRTY] as number;
	}

	/** Differs from what it was when the dataset has changed since. */
	get writeVersion(): number {
		return this.words[this.ctrl + WRITE_VERSION] as number;
	}

	/** When the engine wants {@link tick} called, in ms since 1970; Infinity for never. */
	get deadline_ms(): number {
		return this.floats[this.ctrlFloats + DEADLINE_MS / 2] as number;
	}

	/** The instance is gone: closed, or stopped by a trap. */
	get isClosed(): boolean {
		return this.isDead;
	}

	/** A script is paused: commands are refused with BUSY, and there can be no snapshot. */
	get isBusy(): boolean {
		return this.words[this.ctrl + SCRIPT] !== 0;
	}

	/** A script is paused, and not for so long yet that those who can wait should be told. */
	get isHolding(): boolean {
		return this.words[this.ctrl + SCRIPT] === 1;
	}

	/** Resolves when no script is paused. */
	whenIdle(): Promise<void> {
		return this.whenScripts(() => !this.isBusy);
	}

	/** Resolves when commands are answered, be it with BUSY. */
	whenHeard(): Promise<void> {
		return this.whenScripts(() => !this.isHolding);
	}

	private async whenScripts(isThere: () => boolean): Promise<void> {
		// Whoever is first may start another one.
		while (!isThere()) {
			await new Promise<void>((resolve) => this.scriptWaiters.push({ isThere, resolve }));
		}
	}

	/** Whether the session can wait for a script that it calls; its reply comes as a message then. */
	setMayPause(session: number, mayPause: boolean): void {
		this.guard(() => this.exports.rs_may_pause?.(session, mayPause ? 1 : 0));
	}

	/** The number of a command, or {@link NO_OP} for a name the engine does not know. Any case. */
	op(name: string): number {
		let op = this.ops.get(name);
		if (op !== undefined) return op;
		if (name.length > SHORT_UNITS) return NO_OP;
		op = this.exports.rs_op(this.text.write(name, this.words[this.ctrl + REQ_PTR] as number));
		if (op === NO_OP) return op;
		// Few commands have so many spellings; the bound keeps odd input from growing the map.
		if (this.ops.size < 4096) this.ops.set(name, op);
		this.names[op] ??= name;
		return op;
	}

	// ---- sessions ----

	/** Opens a session whose replies are values. */
	connect(protocol: 2 | 3, events: SessionEvents): number {
		return this.open(protocol === 3 ? 1 : 0, events);
	}

	/** Opens a session that speaks RESP as bytes: {@link feed} and {@link drain}. */
	connectWire(events: SessionEvents): number {
		return this.open(2, events);
	}

	private open(kind: number, events: SessionEvents): number {
		const session = this.guard(() => {
			this.readClock();
			return this.exports.rs_connect(kind);
		});
		this.sessions.set(session, events);
		this.after();
		return session;
	}

	disconnect(session: number): void {
		if (!this.sessions.delete(session)) return;
		this.guard(() => {
			this.readClock();
			this.exports.rs_disconnect(session);
		});
		this.after();
	}

	/** What CLIENT LIST shows as the session's ends (`127.0.0.1:6379`). */
	setAddresses(session: number, peer: string, local: string): void {
		const at = this.reserve(boundBytes(peer) + boundBytes(local));
		const peerLength = this.text.write(peer, at);
		const localLength = this.text.write(local, at + peerLength);
		this.guard(() => this.exports.rs_addresses(session, peerLength, localLength));
	}

	// ---- wire ----

	/** Gives bytes from the wire to a session; what it answers is in {@link drain}. */
	feed(session: number, input: Uint8Array): void {
		this.guard(() => {
			for (let from = 0; from < input.length; from += LEAST_REQUEST_BYTES) {
				const part = input.subarray(from, from + LEAST_REQUEST_BYTES);
				this.bytes.set(part, this.words[this.ctrl + REQ_PTR]);
				this.readClock();
				this.exports.rs_feed(session, part.length);
				if (this.bytes.length === 0) this.view();
			}
		});
		this.after();
	}

	/** The bytes to send, copied; undefined when there are none. */
	drain(session: number): Uint8Array | undefined {
		return this.guard(() => {
			const length = this.exports.rs_drain(session);
			if (this.bytes.length === 0) this.view();
			if (length <= 0) return undefined;
			const from = this.words[this.ctrl + RSP_PTR] as number;
			return this.bytes.slice(from, from + length);
		});
	}

	/** The session's connection is to be closed once its output is sent. */
	isClosing(session: number): boolean {
		return this.guard(() => this.exports.rs_closing(session)) !== 0;
	}

	// ---- calls ----

	/** A call without arguments. `isTimed` as in {@link call2}. */
	call0(session: number, op: number, isTimed: boolean, mode: ReplyMode): Outcome {
		this.clock(isTimed);
		this.lastOp = op;
		let result: number;
		try {
			result = this.exports.rs_f0(session, op);
		} catch (error) {
			throw this.trapped(error);
		}
		return this.finish(result, mode);
	}

	/** A call with one argument. */
	call1(session: number, op: number, isTimed: boolean, a: Arg, mode: ReplyMode): Outcome {
		if (typeof a === "number") a = String(a);
		if (typeof a !== "string" || a.length > SHORT_UNITS) return this.call(session, op, [a], mode);
		this.clock(isTimed);
		this.lastOp = op;
		const length = this.text.write(a, this.words[this.ctrl + REQ_PTR] as number);
		let result: number;
		try {
			result = this.exports.rs_f1(session, op, length);
		} catch (error) {
			throw this.trapped(error);
		}
		return this.finish(result, mode);
	}

	/** A call with two arguments; `isTimed` when what it does depends on the clock even if no key has a deadline. */
	call2(session: number, op: number, isTimed: boolean, a: Arg, b: Arg, mode: ReplyMode): Outcome {
		if (typeof a === "number") a = String(a);
		if (typeof b === "number") b = String(b);
		if (typeof a !== "string" || typeof b !== "string" || a.length + b.length > SHORT_UNITS) {
			return this.call(session, op, [a, b], mode);
		}
		this.clock(isTimed);
		this.lastOp = op;
		const at = this.words[this.ctrl + REQ_PTR] as number;
		const length1 = this.text.write(a, at);
		const length2 = this.text.write(b, at + length1);
		let result: number;
		try {
			result = this.exports.rs_f2(session, op, length1, length2);
		} catch (error) {
			throw this.trapped(error);
		}
		return this.finish(result, mode);
	}

	/** A call with three arguments. */
	call3(session: number, op: number, isTimed: boolean, a: Arg, b: Arg, c: Arg, mode: ReplyMode): Outcome {
		if (typeof a === "number") a = String(a);
		if (typeof b === "number") b = String(b);
		if (typeof c === "number") c = String(c);
		if (typeof a !== "string" || typeof b !== "string" || typeof c !== "string") {
			return this.call(session, op, [a, b, c], mode);
		}
		if (a.length + b.length + c.length > SHORT_UNITS) return this.call(session, op, [a, b, c], mode);
		this.clock(isTimed);
		this.lastOp = op;
		const at = this.words[this.ctrl + REQ_PTR] as number;
		const length1 = this.text.write(a, at);
		const length2 = this.text.write(b, at + length1);
		const length3 = this.text.write(c, at + length1 + length2);
		let result: number;
		try {
			result = this.exports.rs_f3(session, op, length1, length2, length3);
		} catch (error) {
			throw this.trapped(error);
		}
		return this.finish(result, mode);
	}

	/** A call with any arguments; with {@link NO_OP} the first is the name. */
	call(session: number, op: number, args: readonly Arg[], mode: ReplyMode): Outcome {
		const at = this.reserve(argsBound(args));
		const end = this.writeArgs(args, at);
		this.readClock();
		this.lastOp = op;
		if (op === NO_OP) this.lastName = String(args[0]);
		let result: number;
		try {
			result = this.exports.rs_exec(session, op, args.length, end - at);
		} catch (error) {
			throw this.trapped(error);
		}
		return this.finish(result, mode);
	}

	/** Many calls at once; errors are values among the replies. */
	batch(session: number, requests: readonly Request[], mode: ReplyMode): Reply[] {
		let bound = 0;
		for (const request of requests) bound += 8 + argsBound(request.args);
		const from = this.reserve(bound);
		let at = from;
		for (const { op, args } of requests) {
			this.writeWord(op, at);
			this.writeWord(args.length, at + 4);
			at = this.writeArgs(args, at + 8);
		}
		return this.guard(() => {
			this.readClock();
			const result = this.exports.rs_batch(session, requests.length, at - from);
			if (this.bytes.length === 0) this.view();
			if ((result & 7) !== Tag.aggregate) {
				this.reply(result, mode);
				return [];
			}
			this.openReader(mode);
			const replies: Reply[] = [];
			for (let i = 0; i < requests.length; i++) replies.push(this.reader.read());
			this.after();
			return replies;
		});
	}

	/** Whether PUBLISH is also told to the host, as requests `publish` and `spublish`. */
	setBridged(isBridged: boolean): void {
		this.guard(() => this.exports.rs_bridge(isBridged ? 1 : 0));
	}

	/** A message from another engine of the same name, for subscribers here. */
	remotePublish(isSharded: boolean, channel: Uint8Array, payload: Uint8Array): void {
		if (!this.isDead) this.tell(() => this.publishHere(isSharded, channel, payload));
	}

	private publishHere(isSharded: boolean, channel: Uint8Array, payload: Uint8Array): void {
		const at = this.reserve(channel.length + payload.length);
		this.bytes.set(channel, at);
		this.bytes.set(payload, at + channel.length);
		this.guard(() => {
			this.readClock();
			this.exports.rs_remote_publish(isSharded ? 1 : 0, channel.length, payload.length);
		});
		this.after();
	}

	// ---- time and messages ----

	/** Does what is due by now: expiry, timeouts, the save schedule. Returns the next deadline in ms since 1970. */
	tick(): number {
		this.guard(() => {
			this.readClock();
			this.exports.rs_tick();
		});
		this.after();
		if (this.scriptWaiters.length > 0) this.wakeScriptWaiters();
		return this.deadline_ms;
	}

	private wakeScriptWaiters(): void {
		const all = this.scriptWaiters;
		this.scriptWaiters = all.filter(({ isThere }) => !isThere());
		for (const { isThere, resolve } of all) if (isThere()) resolve();
	}

	/** The next message of a native session. */
	message(session: number, mode: ReplyMode): Message | undefined {
		return this.guard(() => {
			const result = this.exports.rs_message(session);
			if (this.bytes.length === 0) this.view();
			if ((result & 7) === Tag.none) return undefined;
			const flags = this.words[this.ctrl + RSP_FLAGS] as number;
			let reply: Reply;
			try {
				reply = this.reply(result, mode) as Reply;
			} catch (error) {
				if (!(error instanceof ReplyError)) throw error;
				reply = error;
			}
			return { reply, isReply: (flags & OF_BLOCKED) !== 0, isAscii: (flags & ASCII) !== 0 };
		});
	}

	/** Tells every session that has something, and the host what the engine asks of it. */
	pump(): void {
		this.isPumpDue = false;
		const ctrl = this.ctrl;
		while (this.words[ctrl + READY_COUNT] !== 0) {
			const session = this.guard(() => this.exports.rs_ready());
			if (session < 0) break;
			this.tell(() => this.sessions.get(session)?.onReady());
		}
		while (this.onRequest && this.words[ctrl + REQUESTS_COUNT] !== 0) {
			const reply = this.guard(() => {
				const result = this.exports.rs_request();
				if (this.bytes.length === 0) this.view();
				return this.reply(result, BYTES_MODE);
			});
			if (!Array.isArray(reply)) break;
			this.tell(() => this.handle(reply));
		}
		this.after();
	}

	private handle([head, ...args]: Reply[]): void {
		const name = toText(head as Uint8Array);
		if (name === "disconnect") this.sessions.get(Number(toText(args[0] as Uint8Array)))?.onDisconnect?.();
		else this.onRequest?.({ name, args: args as Uint8Array[] });
	}

	private tell(listener: () => void): void {
		try {
			listener();
		} catch (error) {
			// A trap is told by `onTrap`; there is no caller here to tell.
			if (this.isDead && error instanceof RedstartError) return;
			if (!this.onListenerError) throw error;
			this.onListenerError(error);
		}
	}

	/** Somebody waits for a blocked call (or does so no longer): the timer keeps the process alive meanwhile. */
	wait(change: 1 | -1): void {
		this.waiting += change;
		if (this.waiting > 0) this.timer?.ref?.();
		else this.timer?.unref?.();
	}

	/** Frees the instance. Every later call throws. */
	close(error = new RedstartError("closed", "the database is closed")): void {
		clearTimeout(this.timer);
		this.isDead = true;
		this.timerAt_ms = Number.NEGATIVE_INFINITY;
		this.exports = dead(error);
		this.sessions.clear();
		this.onRequest = undefined;
	}

	// ---- within ----

	private readClock(): void {
		this.staleCalls = STALE_CALLS;
		const now_ms = this.now();
		this.floats[this.ctrlFloats + NOW_MS / 2] = now_ms;
		if (!this.hasTimers && now_ms >= this.deadline_ms) {
			this.exports.rs_tick();
			if (this.bytes.length === 0) this.view();
		}
	}

	/** Asking the time costs a third of a GET: while no key has a deadline, an old clock does. */
	private clock(isTimed: boolean): void {
		if (isTimed || this.words[this.ctrl + VOLATILE_KEYS] !== 0 || --this.staleCalls < 0) this.readClock();
	}

	/** Room for `length` bytes of request; its address. */
	protected reserve(length: number): number {
		if (length > (this.words[this.ctrl + REQ_CAP] as number)) {
			this.guard(() => this.exports.rs_reserve(length));
			if (this.bytes.length === 0) this.view();
		}
		return this.words[this.ctrl + REQ_PTR] as number;
	}

	private writeWord(word: number, at: number): void {
		const bytes = this.bytes;
		bytes[at] = word;
		bytes[at + 1] = word >> 8;
		bytes[at + 2] = word >> 16;
		bytes[at + 3] = word >> 24;
	}

	protected writeArgs(args: readonly Arg[], from: number): number {
		let at = from;
		for (const arg of args) {
			let length: number;
			if (typeof arg === "string") length = this.text.write(arg, at + 4);
			else if (arg instanceof Uint8Array) {
				this.bytes.set(arg, at + 4);
				length = arg.length;
			} else length = this.text.write(String(arg), at + 4);
			this.writeWord(length, at);
			at += 4 + length;
		}
		return at;
	}

	private finish(result: number, mode: ReplyMode): Outcome {
		if (this.bytes.length === 0) this.view();
		this.after();
		switch (result & 7) {
			case Tag.int:
				return result >> 3;
			case Tag.nil:
				return null;
			case Tag.bulk:
				if (!mode.bytes) {
					const ctrl = this.ctrl;
					const words = this.words;
					return this.text.read(
						words[ctrl + RSP_PTR] as number,
						result >>> 3,
						((words[ctrl + RSP_FLAGS] as number) & ASCII) !== 0,
					);
				}
		}
		return this.reply(result, mode);
	}

	protected reply(result: number, mode: ReplyMode): Outcome {
		const words = this.words;
		const ctrl = this.ctrl;
		const payload = result >> 3;
		switch (result & 7) {
			case Tag.int:
				return payload;
			case Tag.nil:
				return null;
			case Tag.bulk: {
				const from = words[ctrl + RSP_PTR] as number;
				const length = result >>> 3;
				if (mode.bytes) return this.bytes.slice(from, from + length);
				return this.text.read(from, length, ((words[ctrl + RSP_FLAGS] as number) & ASCII) !== 0);
			}
			case Tag.status:
				return payload < 3 ? (["OK", "QUEUED", "PONG"][payload] as string) : this.responseText();
			case Tag.wide:
				if (payload > 1) return payload === 3;
				if (payload === 1) return this.floats[this.ctrlFloats + NUM / 2] as number;
				return wideInteger(words[ctrl + NUM] as number, (words[ctrl + NUM + 1] as number) | 0, mode.bigint);
			case Tag.aggregate:
				this.openReader(mode);
				return this.reader.read();
			case Tag.error: {
				const text = this.responseText();
				throw new ReplyError(text, this.lastOp === NO_OP ? this.lastName : this.names[this.lastOp]);
			}
			default:
				return payload === 0 ? BLOCKED : NOTHING;
		}
	}

	private responseText(): string {
		const words = this.words;
		return this.text.read(words[this.ctrl + RSP_PTR] as number, words[this.ctrl + RSP_LEN] as number, false);
	}

	private openReader(mode: ReplyMode): void {
		const words = this.words;
		const ctrl = this.ctrl;
		this.reader.open(
			this.text,
			words[ctrl + CELLS_PTR] as number,
			words[ctrl + RSP_PTR] as number,
			words[ctrl + RSP_LEN] as number,
			((words[ctrl + RSP_FLAGS] as number) & ASCII) !== 0,
			mode,
		);
	}

	/** After each call: has anybody something to hear, and is the timer early enough? */
	protected after(): void {
		if (this.bytes.length === 0) this.view();
		const words = this.words;
		const ctrl = this.ctrl;
		if (((words[ctrl + READY_COUNT] as number) | (words[ctrl + REQUESTS_COUNT] as number)) !== 0) {
			this.schedulePump();
		}
		if (words[ctrl + AOF] !== 0 && !this.isAofTold) this.tellAof();
		if ((this.floats[this.ctrlFloats + DEADLINE_MS / 2] as number) < this.timerAt_ms) this.setTimer();
	}

	/** Goes on with the script that is paused. */
	private tickSoon(): void {
		// In Workers a request may end, and its tasks with it.
		const now_ms = this.now();
		if (now_ms - this.tickAsked_ms < TICK_PATIENCE_MS) return;
		this.tickAsked_ms = now_ms;
		soon(() => {
			this.tickAsked_ms = Number.NEGATIVE_INFINITY;
			if (!this.isDead) this.tell(() => this.tick());
		});
	}

	/** Something waits to be appended. */
	get hasAof(): boolean {
		return this.words[this.ctrl + AOF] !== 0;
	}

	/** A measure of how much that is. */
	get aofPending(): number {
		return this.words[this.ctrl + AOF] as number;
	}

	private tellAof(): void {
		this.isAofTold = true;
		queueMicrotask(() => {
			this.isAofTold = false;
			if (this.hasAof && !this.isDead) this.tell(() => this.onAof?.());
		});
	}

	private schedulePump(): void {
		if (this.isPumpDue) return;
		this.isPumpDue = true;
		queueMicrotask(() => {
			// A dead instance has nothing more to say.
			if (this.isPumpDue && !this.isDead) this.tell(() => this.pump());
		});
	}

	private setTimer(): void {
		if (this.isBusy) {
			this.tickSoon();
			return;
		}
		clearTimeout(this.timer);
		const deadline_ms = this.deadline_ms;
		const delay_ms = Math.min(Math.max(Math.ceil(deadline_ms - this.now()), 0), LONGEST_TIMER_MS);
		try {
			this.timer = setTimeout(() => {
				this.timerAt_ms = Number.POSITIVE_INFINITY;
				this.tell(() => this.tick());
			}, delay_ms);
			this.timerAt_ms = deadline_ms;
			if (this.waiting === 0) this.timer.unref?.();
		} catch {
			// Workers have no timers outside a request. The next call tries again.
		}
	}

	/** Runs `body`; a trap in it is the end of the instance. */
	protected guard<T>(body: () => T): T {
		try {
			return body();
		} catch (error) {
			throw this.trapped(error);
		}
	}

	/** What to throw for `error`. A trap leaves the instance's memory in no known state: it is never used again. */
	private trapped(error: unknown): unknown {
		if (error instanceof RedstartError || error instanceof ReplyError) return error;
		if (!(error instanceof WebAssembly.RuntimeError)) return error;
		const trap = new RedstartError(
			"trap",
			`the engine stopped (${error.message}); changes since the last save are lost`,
			error,
		);
		this.close(trap);
		this.onTrap?.(trap);
		return trap;
	}
}

/** Bytes that arguments take in the request, at the most. */
export function argsBound(args: readonly Arg[]): number {
	let bound = 0;
	for (const arg of args) {
		if (typeof arg === "string") bound += 4 + boundBytes(arg);
		else if (arg instanceof Uint8Array) bound += 4 + arg.length;
		else bound += 4 + String(arg).length;
	}
	return bound;
}
