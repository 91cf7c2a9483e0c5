import { describe, expect, it } from "vitest";
import { BLOCKED, Engine, NO_OP, NOTHING } from "../../js/engine.ts";
import { ReplyError } from "../../js/errors.ts";
import { BYTES_MODE, type Reply, replyMode, TEXT_MODE } from "../../js/reply.ts";
import { FakeEngine, type Tree } from "./fake-engine.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const events = { onReady() {} };

/** An engine that answers everything with `tree`. */
function answering(tree: Tree) {
	const fake = new FakeEngine(() => tree);
	const engine = new Engine(fake);
	const session = engine.connect(3, events);
	return {
		fake,
		engine,
		session,
		ask: (mode = TEXT_MODE) => engine.call0(session, engine.op("ANY"), true, mode),
	};
}

/** An engine that answers with the arguments it got. */
function echoing() {
	const fake = new FakeEngine((argv) => ({ array: argv.map((bulk) => ({ bulk })) }));
	const engine = new Engine(fake);
	return { fake, engine, session: engine.connect(3, events) };
}

describe("replies", () => {
	it.each<[string, Tree, unknown]>([
		["int", { int: 42 }, 42],
		["negative int", { int: -7 }, -7],
		["nil", { nil: true }, null],
		["empty bulk", { bulk: "" }, ""],
		["bulk", { bulk: "hello" }, "hello"],
		["wide bulk", { bulk: "h\u00e9llo \u{1f600}" }, "h\u00e9llo \u{1f600}"],
		["OK", { status: "OK" }, "OK"],
		["QUEUED", { status: "QUEUED" }, "QUEUED"],
		["PONG", { status: "PONG" }, "PONG"],
		["another status", { status: "Background saving started" }, "Background saving started"],
		["int64", { int64: 5_000_000_000n }, 5_000_000_000],
		["the last exact integer", { int64: 9007199254740991n }, 9007199254740991],
		["beyond exact", { int64: 9007199254740993n }, "9007199254740993"],
		["the least integer", { int64: -9223372036854775808n }, "-9223372036854775808"],
		["double", { double: 1.5 }, 1.5],
		["infinity", { double: Number.NEGATIVE_INFINITY }, Number.NEGATIVE_INFINITY],
		["true", { bool: true }, true],
		["false", { bool: false }, false],
		["nil array", { nilArray: true }, null],
		["empty array", { array: [] }, []],
		["set", { set: [{ int: 1 }, { bulk: "a" }] }, [1, "a"]],
		["verbatim", { array: [{ verbatim: "txt:some text" }] }, ["some text"]],
		["bignum", { array: [{ bignum: "123456789012345678901234567890" }] }, [123456789012345678901234567890n]],
		["attribute", { array: [{ attribute: [[{ bulk: "ttl" }, { int: 1 }]], of: { bulk: "x" } }] }, ["x"]],
		["int64 within", { array: [{ int64: -9007199254740993n }, { int: -1 }] }, ["-9007199254740993", -1]],
		["double within", { array: [{ double: 0.1 }, { bool: true }, { nil: true }] }, [0.1, true, null]],
	])("%s", (_, tree, value) => {
		expect(answering(tree).ask()).toEqual(value);
	});

	it("gives maps as objects that have no prototype to collide with", () => {
		const tree: Tree = {
			map: [
				[{ bulk: "__proto__" }, { int: 1 }],
				[{ int: 5 }, { bulk: "five" }],
				[{ status: "constructor" }, { map: [[{ bulk: "in" }, { nil: true }]] }],
			],
		};
		const map = answering(tree).ask() as Record<string, Reply>;
		expect(Object.getPrototypeOf(map)).toBe(null);
		expect(Object.keys(map)).toEqual(["5", "__proto__", "constructor"]);
		expect({ ...map.constructor }).toEqual({ in: null });
	});

	it("gives Map, Set and bigint on request", () => {
		const tree: Tree = {
			array: [
				{ map: [[{ int: 1 }, { bulk: "a" }]] },
				{ set: [{ int: 1 }] },
				{ int64: 9007199254740993n },
				{ int: 3 },
			],
		};
		const mode = replyMode({ maps: "map", sets: "set", bigint: true });
		expect(answering(tree).ask(mode)).toEqual([new Map([[1, "a"]]), new Set([1]), 9007199254740993n, 3]);
	});

	it("gives bytes on request, which stay when the memory is used again", () => {
		const raw = Uint8Array.from({ length: 256 }, (_, i) => i);
		const { ask, engine, session } = answering({ array: [{ bulk: raw }, { status: "OK" }] });
		const reply = ask(BYTES_MODE);
		engine.call1(session, 0, true, "z".repeat(5000), TEXT_MODE);
		expect(reply).toEqual([raw, "OK"]);
		expect(answering({ bulk: raw }).ask(BYTES_MODE)).toEqual(raw);
	});

	it("throws an error reply with its code and command, and keeps errors within as values", () => {
		const message = "WRONGTYPE Operation against a key holding the wrong kind of value";
		const error = (() => {
			try {
				return answering({ error: message }).ask();
			} catch (thrown) {
				return thrown;
			}
		})();
		expect(error).toBeInstanceOf(ReplyError);
		expect(error).toMatchObject({ message, code: "WRONGTYPE", command: "ANY" });
		const [within] = answering({ array: [{ error: "ERR x" }] }).ask() as Reply[];
		expect(within).toBeInstanceOf(ReplyError);
	});

	it("tells a blocked call from one without a reply", () => {
		expect(answering("blocked").ask()).toBe(BLOCKED);
		expect(answering("nothing").ask()).toBe(NOTHING);
	});

	it("cuts long ASCII text in blocks, and mixed text value by value", () => {
		const values = Array.from({ length: 5000 }, (_, i) => `value ${i} `.padEnd(i % 97, "x"));
		values.push("y".repeat(4096), "z".repeat(70000), "tail");
		expect(answering({ array: values.map((bulk) => ({ bulk })) }).ask()).toEqual(values);
		const mixed = [...values, "\u00e9nd"];
		expect(answering({ array: mixed.map((bulk) => ({ bulk })) }).ask()).toEqual(mixed);
	});

	it("survives memory that grows during a call", () => {
		const { ask, fake } = answering({ array: [{ bulk: "a" }, { int64: 5_000_000_000n }] });
		for (let i = 0; i < 3; i++) {
			fake.growNext = true;
			expect(ask()).toEqual(["a", 5_000_000_000]);
			expect(ask()).toEqual(["a", 5_000_000_000]);
		}
	});

	it("survives memory that grows at the end of a load", () => {
		const { engine, fake, session } = answering({ array: [{ int: 3 }, { int: 2 }, { int: 1 }] });
		const op = engine.op("ANY");
		fake.rs_load_end = () => {
			fake.growNext = true;
			return fake.rs_f0(session, op);
		};
		expect(engine.dataset.beginLoad().end(false)).toEqual({ keys: 3, expired: 2, skipped: 1 });
	});
});

describe("requests", () => {
	const raw = Uint8Array.from([0, 255, 13, 10]);

	it("sends text, numbers and bytes by every road", () => {
		const { engine, session } = echoing();
		const op = engine.op("ECHO");
		expect(engine.call0(session, op, true, TEXT_MODE)).toEqual(["ECHO"]);
		expect(engine.call1(session, op, true, 12, TEXT_MODE)).toEqual(["ECHO", "12"]);
		expect(engine.call2(session, op, true, "a", "", TEXT_MODE)).toEqual(["ECHO", "a", ""]);
		expect(engine.call3(session, op, true, "\u00e9", 1.5, -0, TEXT_MODE)).toEqual([
			"ECHO",
			"\u00e9",
			"1.5",
			"0",
		]);
		expect(engine.call2(session, op, true, 10n ** 30n, "b", TEXT_MODE)).toEqual([
			"ECHO",
			"1".padEnd(31, "0"),
			"b",
		]);
		expect(engine.call1(session, op, true, raw, BYTES_MODE)).toEqual([utf8("ECHO"), raw]);
		expect(engine.call(session, op, ["1", "2", "3", "4"], TEXT_MODE)).toEqual(["ECHO", "1", "2", "3", "4"]);
	});

	it("sends a command the engine does not know by its name", () => {
		const { engine, session } = echoing();
		expect(engine.op("no-such")).toBe(NO_OP);
		expect(engine.call(session, NO_OP, ["no-such", "x"], TEXT_MODE)).toEqual(["no-such", "x"]);
	});

	it("finds room for what is longer than the buffer", () => {
		const { engine, session } = echoing();
		const op = engine.op("ECHO");
		for (const length of [19_999, 20_001, 65_537, 400_000]) {
			for (const unit of ["x", "\u00e9", "\u20ac"]) {
				const long = unit.repeat(length);
				expect(engine.call1(session, op, true, long, TEXT_MODE)).toEqual(["ECHO", long]);
				expect(engine.call3(session, op, true, "k", long, "z", TEXT_MODE)).toEqual(["ECHO", "k", long, "z"]);
			}
		}
		// The memory must grow before the request is written.
		const huge = new Uint8Array(9_000_000).fill(9);
		const [, back] = engine.call1(session, op, true, huge, BYTES_MODE) as Uint8Array[];
		expect(Buffer.compare(back as Uint8Array, huge)).toBe(0);
		const big = new Uint8Array(300_000).fill(7);
		expect(engine.call1(session, op, true, big, BYTES_MODE)).toEqual([utf8("ECHO"), big]);
	});

	it("sends a batch and gives its replies in order, errors as values", () => {
		const fake = new FakeEngine(([, a]) =>
			a?.length ? { bulk: a } : { error: "ERR wrong number of arguments for 'x' command" },
		);
		const engine = new Engine(fake);
		const session = engine.connect(3, events);
		const op = engine.op("X");
		const requests = Array.from({ length: 3000 }, (_, i) => ({ op, args: i % 7 ? [`value ${i}`] : [] }));
		const replies = engine.batch(session, requests, TEXT_MODE);
		expect(replies).toHaveLength(3000);
		for (const [i, reply] of replies.entries()) {
			if (i % 7) expect(reply).toBe(`value ${i}`);
			else expect(reply).toBeInstanceOf(ReplyError);
		}
	});
});

describe("clock", () => {
	it("is read before every call of a timed command, and now and then before others", () => {
		let now_ms = 1000;
		const fake = new FakeEngine(() => ({ nil: true }));
		const engine = new Engine(fake, { now: () => now_ms });
		const session = engine.connect(3, events);
		const op = engine.op("GET");
		const told = () => new DataView(fake.memory.buffer).getFloat64(1024 + 48, true);
		now_ms = 2000;
		engine.call1(session, op, false, "k", TEXT_MODE);
		expect(told()).toBe(1000);
		engine.call1(session, op, true, "k", TEXT_MODE);
		expect(told()).toBe(2000);
		now_ms = 3000;
		for (let i = 0; i < 40; i++) engine.call1(session, op, false, "k", TEXT_MODE);
		expect(told()).toBe(3000);
		now_ms = 4000;
		new DataView(fake.memory.buffer).setUint32(1024 + 64, 1, true);
		engine.call1(session, op, false, "k", TEXT_MODE);
		expect(told()).toBe(4000);
	});
});

describe("a trap", () => {
	it("ends the instance and says so to whoever calls", () => {
		const fake = new FakeEngine(() => {
			throw new WebAssembly.RuntimeError("unreachable");
		});
		const engine = new Engine(fake);
		const session = engine.connect(3, events);
		const traps: unknown[] = [];
		engine.onTrap = (error) => traps.push(error);
		const call = () => engine.call1(session, engine.op("GET"), true, "k", TEXT_MODE);
		expect(call).toThrow(/the engine stopped \(unreachable\)/);
		expect(traps).toHaveLength(1);
		expect(() => engine.tick()).toThrow(/the engine stopped/);
		expect(traps).toHaveLength(1);
	});
});
