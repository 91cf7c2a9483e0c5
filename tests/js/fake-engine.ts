/**
 * An engine made of JavaScript that answers what a test tells it to, through the same memory and words as the real one:
 * for replies that no command gives, memory that grows at a bad moment, and traps.
 */

import type { EngineExports } from "../../js/wasm.ts";

/** A reply as the test writes it. */
export type Tree =
	| { int: number }
	| { nil: true }
	| { bulk: string | Uint8Array }
	| { status: string }
	| { int64: bigint }
	| { double: number }
	| { bool: boolean }
	| { error: string }
	| { array: Tree[] }
	| { map: [Tree, Tree][] }
	| { set: Tree[] }
	| { push: Tree[] }
	| { verbatim: string }
	| { bignum: string }
	| { nilArray: true }
	| { attribute: [Tree, Tree][]; of: Tree }
	| "blocked"
	| "nothing";

export type Handler = (argv: Uint8Array[], session: number) => Tree;

const CTRL = 1024;
const REQ = 65536;
const PAGE = 65536;
const utf8 = new TextEncoder();
const bytesOf = (value: string | Uint8Array) => (typeof value === "string" ? utf8.encode(value) : value);

export class FakeEngine implements EngineExports {
	readonly memory = new WebAssembly.Memory({ initial: 3 });
	/** Grow the memory in the next call. */
	growNext = false;
	readonly messages: { session: number; reply: Tree; isReply?: boolean }[] = [];
	readonly requests: Tree[] = [];
	private readonly names: string[] = [];
	private sessions = 0;
	private readonly handler: Handler;

	constructor(handler: Handler) {
		this.handler = handler;
		this.setWord(0, 0x52545352);
		this.setWord(1, REQ);
		this.setWord(2, PAGE);
		this.view.setFloat64(CTRL + 14 * 4, Number.POSITIVE_INFINITY, true);
	}

	private get view(): DataView {
		return new DataView(this.memory.buffer);
	}

	private setWord(index: number, value: number): void {
		this.view.setUint32(CTRL + index * 4, value, true);
	}

	private read(at: number, length: number): Uint8Array {
		return new Uint8Array(this.memory.buffer).slice(at, at + length);
	}

	/** Puts `bytes` where replies live, beyond the request buffer; grows as needed. */
	private place(bytes: Uint8Array, cells: number[]): void {
		const at = REQ + this.view.getUint32(CTRL + 8, true);
		const need = at + bytes.length + cells.length * 4 + 16;
		const have = this.memory.buffer.byteLength;
		if (need > have) this.memory.grow(Math.ceil((need - have) / PAGE));
		else if (this.growNext) this.memory.grow(1);
		this.growNext = false;
		new Uint8Array(this.memory.buffer).set(bytes, at);
		const cellsAt = (at + bytes.length + 7) & ~7;
		for (const [i, word] of cells.entries()) this.view.setUint32(cellsAt + i * 4, word, true);
		this.setWord(3, at);
		this.setWord(4, bytes.length);
		this.setWord(5, cellsAt);
		this.setWord(6, cells.length);
		this.setWord(7, bytes.every((byte) => byte < 128) ? 1 : 0);
		this.setWord(8, this.messages.length > 0 ? 1 : 0);
		this.setWord(9, this.requests.length);
	}

	private answer(tree: Tree): number {
		if (tree === "blocked" || tree === "nothing") {
			this.place(new Uint8Array(0), []);
			return 7 | ((tree === "blocked" ? 0 : 1) << 3);
		}
		if ("int" in tree) {
			this.place(new Uint8Array(0), []);
			return tree.int << 3;
		}
		if ("nil" in tree) return this.scalar(1, "");
		if ("bulk" in tree) return this.scalar(2, tree.bulk, true);
		if ("status" in tree) {
			const known = ["OK", "QUEUED", "PONG"].indexOf(tree.status);
			return known < 0 ? this.scalar(3 | (3 << 3), tree.status) : this.scalar(3 | (known << 3), "");
		}
		if ("error" in tree) return this.scalar(6, tree.error, true);
		if ("bool" in tree) return this.scalar(4 | ((tree.bool ? 3 : 2) << 3), "");
		if ("double" in tree || "int64" in tree) {
			this.scalar(0, "");
			if ("double" in tree) this.view.setFloat64(CTRL + 40, tree.double, true);
			else this.view.setBigInt64(CTRL + 40, tree.int64, true);
			return 4 | (("double" in tree ? 1 : 0) << 3);
		}
		return this.aggregate([tree]);
	}

	private scalar(tag: number, text: string | Uint8Array, hasLength = false): number {
		const bytes = bytesOf(text);
		this.place(bytes, []);
		return hasLength ? tag | (bytes.length << 3) : tag;
	}

	private aggregate(trees: Tree[]): number {
		const cells: number[] = [];
		const parts: Uint8Array[] = [];
		for (const tree of trees) this.cell(tree, cells, parts);
		const text = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
		let at = 0;
		for (const part of parts) {
			text.set(part, at);
			at += part.length;
		}
		this.place(text, cells);
		return 5;
	}

	private cell(tree: Tree, cells: number[], parts: Uint8Array[]): void {
		if (tree === "blocked" || tree === "nothing") throw new Error("not within a reply");
		const text = (kind: number, value: string | Uint8Array) => {
			const bytes = bytesOf(value);
			cells.push(kind, bytes.length);
			parts.push(bytes);
		};
		const list = (kind: number, items: Tree[], count = items.length) => {
			cells.push(kind, count);
			for (const item of items) this.cell(item, cells, parts);
		};
		const raw = (kind: number, fill: (view: DataView) => void) => {
			const view = new DataView(new ArrayBuffer(8));
			fill(view);
			cells.push(kind, 0, view.getUint32(0, true), view.getUint32(4, true));
		};
		if ("int" in tree) cells.push(0, tree.int >>> 0);
		else if ("nil" in tree) cells.push(1, 0);
		else if ("bulk" in tree) text(2, tree.bulk);
		else if ("status" in tree) text(3, tree.status);
		else if ("int64" in tree) raw(4, (view) => view.setBigInt64(0, tree.int64, true));
		else if ("double" in tree) raw(5, (view) => view.setFloat64(0, tree.double, true));
		else if ("bool" in tree) cells.push(6, tree.bool ? 1 : 0);
		else if ("error" in tree) text(7, tree.error);
		else if ("array" in tree) list(8, tree.array);
		else if ("map" in tree) list(9, tree.map.flat(), tree.map.length);
		else if ("set" in tree) list(10, tree.set);
		else if ("push" in tree) list(11, tree.push);
		else if ("verbatim" in tree) text(12, tree.verbatim);
		else if ("bignum" in tree) text(13, tree.bignum);
		else if ("nilArray" in tree) cells.push(14, 0);
		else {
			list(15, tree.attribute.flat(), tree.attribute.length);
			this.cell(tree.of, cells, parts);
		}
	}

	// ---- exports ----

	rs_init(): void {}

	rs_ctrl(): number {
		return CTRL;
	}

	rs_reserve(length: number): number {
		const have = this.memory.buffer.byteLength;
		if (REQ + length > have) this.memory.grow(Math.ceil((REQ + length - have) / PAGE));
		this.setWord(2, Math.max(length, this.view.getUint32(CTRL + 8, true)));
		return REQ;
	}

	rs_connect(): number {
		return ++this.sessions;
	}

	rs_disconnect(): void {}

	rs_addresses(): void {}

	rs_bridge(): void {}

	rs_op(length: number): number {
		const name = new TextDecoder().decode(this.read(REQ, length)).toUpperCase();
		if (name.startsWith("NO-SUCH")) return 0xffff;
		const known = this.names.indexOf(name);
		return known >= 0 ? known : this.names.push(name) - 1;
	}

	private argv(op: number, args: Uint8Array[]): Uint8Array[] {
		return op === 0xffff ? args : [utf8.encode(this.names[op]), ...args];
	}

	private fast(session: number, op: number, ...lengths: number[]): number {
		let at = REQ;
		const args = lengths.map((length) => {
			at += length;
			return this.read(at - length, length);
		});
		return this.answer(this.handler(this.argv(op, args), session));
	}

	rs_f0(session: number, op: number): number {
		return this.fast(session, op);
	}

	rs_f1(session: number, op: number, length1: number): number {
		return this.fast(session, op, length1);
	}

	rs_f2(session: number, op: number, length1: number, length2: number): number {
		return this.fast(session, op, length1, length2);
	}

	rs_f3(session: number, op: number, length1: number, length2: number, length3: number): number {
		return this.fast(session, op, length1, length2, length3);
	}

	private unpack(from: number, count: number): { args: Uint8Array[]; end: number } {
		let at = from;
		const args: Uint8Array[] = [];
		for (let i = 0; i < count; i++) {
			const length = this.view.getUint32(at, true);
			args.push(this.read(at + 4, length));
			at += 4 + length;
		}
		return { args, end: at };
	}

	rs_exec(session: number, op: number, count: number, length: number): number {
		const { args, end } = this.unpack(REQ, count);
		if (end !== REQ + length) throw new Error(`the request has ${end - REQ} bytes, not ${length}`);
		return this.answer(this.handler(this.argv(op, args), session));
	}

	rs_batch(session: number, count: number, length: number): number {
		let at = REQ;
		const trees: Tree[] = [];
		for (let i = 0; i < count; i++) {
			const op = this.view.getUint32(at, true);
			const { args, end } = this.unpack(at + 8, this.view.getUint32(at + 4, true));
			at = end;
			trees.push(this.handler(this.argv(op, args), session));
		}
		if (at !== REQ + length) throw new Error(`the batch has ${at - REQ} bytes, not ${length}`);
		return this.aggregate(trees);
	}

	/** Lets the engine see that `messages` or `requests` has something. */
	ring(): void {
		this.setWord(8, this.messages.length > 0 ? 1 : 0);
		this.setWord(9, this.requests.length);
	}

	rs_ready(): number {
		const session = this.messages[0]?.session ?? -1;
		this.setWord(8, 0);
		return session;
	}

	rs_message(session: number): number {
		const index = this.messages.findIndex((message) => message.session === session);
		if (index < 0) return 7 | (2 << 3);
		const [message] = this.messages.splice(index, 1);
		const result = this.answer(message?.reply ?? "nothing");
		if (message?.isReply) this.setWord(7, this.view.getUint32(CTRL + 28, true) | 2);
		return result;
	}

	rs_request(): number {
		const request = this.requests.shift();
		const result = this.answer(request ?? "nothing");
		this.ring();
		return result;
	}

	rs_configure(): number {
		return 0;
	}

	rs_process_id(): void {}
	rs_shutdown_failed() {}

	rs_feed(): number {
		return 0;
	}

	rs_drain(): number {
		return 0;
	}

	rs_closing(): number {
		return 0;
	}

	rs_tick(): number {
		return 0;
	}

	rs_remote_publish(): number {
		return 0;
	}

	rs_storage(): void {}

	rs_trust(): void {}

	rs_acl_load(): number {
		return 3;
	}

	rs_acl_done(): void {}

	rs_aof(): void {}

	rs_aof_take(): number {
		return 0;
	}

	rs_aof_db(): number {
		return -1;
	}

	rs_aof_stored(): void {}

	rs_aof_failed(): void {}

	rs_replay_begin(): number {
		return 3;
	}

	rs_replay_chunk(): number {
		return 3;
	}

	rs_replay_end(): number {
		return 0;
	}

	rs_snapshot_begin(): number {
		return 0;
	}

	rs_snapshot_next(): number {
		return 0;
	}

	rs_snapshot_end(): void {}

	rs_load_begin(): number {
		return 0;
	}

	rs_load_chunk(): number {
		return 0;
	}

	rs_load_end(): number {
		return this.aggregate([{ array: [{ int: 0 }, { int: 0 }, { int: 0 }] }]);
	}
}
