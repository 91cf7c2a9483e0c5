import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { ENTRIES } from "../../js/commands.ts";
import { ReplyError } from "../../js/errors.ts";
import { Redstart } from "../../js/redstart.ts";
import { engineModule, open } from "./open.ts";

const raw = Uint8Array.from({ length: 256 }, (_, i) => i);
const utf8 = (text: string) => new TextEncoder().encode(text);

/** What `work` throws. */
function thrown(work: () => unknown): unknown {
	try {
		work();
	} catch (error) {
		return error;
	}
	throw new Error("nothing was thrown");
}

describe("typed commands", () => {
	it("answer at once, with the types of their replies", async () => {
		const db = await open();
		expect(db.set("k", "v")).toBe("OK");
		const value = db.get("k");
		expectTypeOf(value).toEqualTypeOf<string | null>();
		expect(value).toBe("v");
		expect(db.get("none")).toBe(null);
		expect(db.incr("n")).toBe(1);
		expect(db.append("k", "w")).toBe(2);
		expect(db.mget("k", "none")).toEqual(["vw", null]);
		expect(db.mget(["k", "none"])).toEqual(["vw", null]);
		expect(db.del("k", "n")).toBe(2);
		expect(db.ping()).toBe("PONG");
	});

	it("take options as objects, in any case and order", async () => {
		const db = await open();
		expect(db.set("k", "1", { ex: 100, nx: true })).toBe("OK");
		expect(db.set("k", "2", { nx: true })).toBe(null);
		expect(db.ttl("k")).toBeGreaterThan(90);
		expect(db.set("k", "3", { get: true, keepttl: true })).toBe("1");
		expect(db.ttl("k")).toBeGreaterThan(90);
		expect(db.set("k", "4", { EX: 5 } as object)).toBe("OK");
		expect(db.set("k", "5", { exat: new Date(Date.now() + 50_000) })).toBe("OK");
		expect(db.ttl("k")).toBeGreaterThan(40);
		expect(db.set("k", "6", { pxat: new Date(Date.now() + 50_000), ex: undefined })).toBe("OK");
		expect(db.expire("k", 10, { gt: true })).toBe(0);
		expect(db.getex("k", { persist: true })).toBe("6");
		expect(db.ttl("k")).toBe(-1);
	});

	it("take records, maps and pairs where Redis takes fields and values", async () => {
		const db = await open();
		expect(db.mset({ a: 1, b: "two" })).toBe("OK");
		expect(db.mset(new Map([["c", "three"]]))).toBe("OK");
		expect(db.mset([["d", 4]])).toBe("OK");
		expect(db.mset("e", 5, "f", 6)).toBe("OK");
		expect(db.mget("a", "b", "c", "d", "e", "f")).toEqual(["1", "two", "three", "4", "5", "6"]);
		expect(db.configSet({ "maxmemory-samples": 7 })).toBe("OK");
		expect(db.configGet("maxmemory-samples")).toEqual({ "maxmemory-samples": "7" });
	});

	it("refuse what is no argument before anything runs", async () => {
		const db = await open();
		const set = db.set as (...args: unknown[]) => unknown;
		expect(() => set.call(db, "k", null)).toThrow(TypeError);
		expect(() => set.call(db, "k", true)).toThrow(/boolean is no argument/);
		expect(() => set.call(db, "k", "v", { exx: 1 })).toThrow(/there is no option "exx"/);
		expect(() => set.call(db, "k", "v", { ex: true })).toThrow(/"ex" wants a value/);
		expect(db.get("k")).toBe(null);
	});

	it("leave arity to the engine", async () => {
		const db = await open();
		const get = db.get as (...args: unknown[]) => unknown;
		const error = thrown(() => get.call(db));
		expect(error).toMatchObject({
			message: "ERR wrong number of arguments for 'get' command",
			command: "GET",
		});
	});
});

describe("the generated table", () => {
	it("has exactly the commands of the engine, but for those that clients have methods of their own for", async () => {
		const db = await open();
		const ofEngine = db.call<string[]>("COMMAND", "LIST").map((name) => name.toLowerCase());
		const ofTable = ENTRIES.map(({ name, sub }) => (sub ? `${name}|${sub}` : name).toLowerCase());
		const unknown = ofTable.filter((name) => !ofEngine.includes(name));
		expect(unknown).toEqual([]);
		const containers = new Set(
			ofEngine.filter((name) => name.includes("|")).map((name) => name.split("|")[0]),
		);
		const without = ofEngine.filter((name) => !ofTable.includes(name) && !containers.has(name));
		const own =
			/^(?:multi|exec|discard|s?p?(?:un)?subscribe|monitor|quit|psync|sync|replconf|asking|.*\|help)$/;
		expect(without.filter((name) => !own.test(name))).toEqual([]);
	});

	it("gives every client a method for each", async () => {
		const db = await open();
		for (const client of [db, db.async, db.bytes, db.session(), db.pipeline()] as object[]) {
			for (const { method } of ENTRIES) {
				expect(typeof (client as Record<string, unknown>)[method], method).toBe("function");
			}
		}
	});
});

describe("call", () => {
	it("runs any command, in any case, with text, numbers and bytes", async () => {
		const db = await open();
		expect(db.call("SET", "k", raw)).toBe("OK");
		expect(db.call<number>("strlen", "k")).toBe(256);
		expect(db.call("INCRBY", "n", 2 ** 31)).toBe(2 ** 31);
		expect(db.call("incrby", "n", -(2n ** 40n))).toBe(2 ** 31 - 2 ** 40);
	});

	it("throws what Redis says", async () => {
		const db = await open();
		const unknown = thrown(() => db.call("NOSUCH", "x", "y"));
		expect(unknown).toBeInstanceOf(ReplyError);
		expect(unknown).toMatchObject({
			message: "ERR unknown command 'NOSUCH', with args beginning with: 'x' 'y' ",
			code: "ERR",
			command: "NOSUCH",
		});
		db.set("k", "text");
		expect(thrown(() => db.incr("k"))).toMatchObject({
			message: "ERR value is not an integer or out of range",
			command: "INCR",
		});
	});

	it("keeps integers exact", async () => {
		const db = await open();
		expect(db.call("INCRBY", "n", "9007199254740993")).toBe("9007199254740993");
		expect(db.with({ bigint: true }).call("INCRBY", "n", 1)).toBe(9007199254740994n);
		expect(db.call("INCRBY", "m", Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
	});
});

describe("text and bytes", () => {
	it("carry every string of UTF-8, and replace lone surrogates", async () => {
		const db = await open();
		for (const text of ["", "\0", "\u00e9", "\u20ac".repeat(100), "\u{1f600}", "a".repeat(1000), "\ufeffx"]) {
			db.set("k", text);
			expect(db.get("k")).toBe(text);
			db.set(`key:${text}`, "v");
			expect(db.get(`key:${text}`)).toBe("v");
		}
		db.set("k", "a\ud800b");
		expect(db.get("k")).toBe("a\ufffdb");
		expect(db.bytes.get("k")).toEqual(Uint8Array.of(0x61, 0xef, 0xbf, 0xbd, 0x62));
	});

	it("carry any bytes, as key and as value", async () => {
		const db = await open();
		db.set(raw, raw);
		const back = db.bytes.get(raw);
		expectTypeOf(back).toEqualTypeOf<Uint8Array | null>();
		expect(back).toEqual(raw);
		expect(db.bytes.keys("*")).toEqual([raw]);
		expect(db.bytes.mget([raw, "none"])).toEqual([raw, null]);
		expect(db.bytes.ping()).toBe("PONG");
	});

	it.each([0, 1, 11, 12, 13, 24, 25, 127, 128, 129, 300, 19_999, 20_001, 100_000])(
		"carry %i bytes",
		async (length) => {
			const db = await open();
			const value = Uint8Array.from({ length }, (_, i) => (i * 7) & 255);
			db.set("k", value);
			expect(db.bytes.get("k")).toEqual(value);
			const text = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 26))).join("");
			db.set("k", text);
			expect(db.get("k")).toBe(text);
		},
	);
});

describe("pipelines and transactions", () => {
	it("run at once and answer in order", async () => {
		const db = await open();
		const pipeline = db.pipeline().set("a", 1).incr("a").call("GET", "a").get("none");
		expect(pipeline.length).toBe(4);
		expect(pipeline.exec()).toEqual(["OK", 2, "2", null]);
		expect(pipeline.length).toBe(0);
		expect(pipeline.exec()).toEqual([]);
	});

	it("throw the first error, with everything else that was answered", async () => {
		const db = await open();
		const error = thrown(() => db.pipeline().set("a", "x").incr("a").get("a").exec()) as ReplyError;
		expect(error).toBeInstanceOf(ReplyError);
		expect(error.results?.[2]).toBe("x");
		const kept = db.pipeline().incr("a").get("a").exec({ keepErrors: true });
		expect(kept[0]).toBeInstanceOf(ReplyError);
		expect(kept[1]).toBe("x");
	});

	it("are atomic as multi, and give null when a watched key changed", async () => {
		const db = await open();
		expect(db.multi().set("a", 1).incr("a").exec()).toEqual(["OK", 2]);
		db.watch("a");
		expect(db.multi().get("a").exec()).toEqual(["2"]);
		db.watch("a");
		db.session().set("a", 5);
		expect(db.multi().set("a", 6).exec()).toBe(null);
		expect(db.get("a")).toBe("5");
	});

	it("say what was wrong when a transaction is refused", async () => {
		const db = await open();
		const error = thrown(() => db.multi().set("a", 1).call("NOSUCH").exec());
		expect(error).toMatchObject({ message: "ERR unknown command 'NOSUCH', with args beginning with: " });
		expect(db.get("a")).toBe(null);
		expect(db.set("a", 2)).toBe("OK");
	});

	it("decode a thousand replies", async () => {
		const db = await open();
		const values = Array.from({ length: 1000 }, (_, i) =>
			`value ${i} ${i % 50 ? "" : "\u00e9"}`.repeat(i % 40),
		);
		let pipeline = db.pipeline();
		for (const [i, value] of values.entries()) pipeline = pipeline.set(`k${i}`, value);
		pipeline.exec();
		pipeline = db.pipeline();
		for (const i of values.keys()) pipeline = pipeline.get(`k${i}`);
		expect(pipeline.exec()).toEqual(values);
	});
});

describe("the async client", () => {
	it("has the same surface, as promises", async () => {
		const db = await open();
		const value = db.async.get("k");
		expectTypeOf(value).toEqualTypeOf<Promise<string | null>>();
		expect(await value).toBe(null);
		expect(await db.async.set("k", "v", { ex: 10 })).toBe("OK");
		expect(await db.async.bytes.get("k")).toEqual(utf8("v"));
		expect(await db.async.call("STRLEN", "k")).toBe(1);
		await expect(db.async.incr("k")).rejects.toThrow("not an integer");
		await expect(db.async.call("NOSUCH")).rejects.toBeInstanceOf(ReplyError);
		expect(await db.async.pipeline().get("k").strlen("k").exec()).toEqual(["v", 1]);
		await expect(db.async.pipeline().incr("k").exec()).rejects.toThrow("not an integer");
		expect(await db.async.multi().get("k").exec()).toEqual(["v"]);
	});
});

describe("sessions", () => {
	it("have their own database and transaction", async () => {
		const db = await open();
		const other = db.session();
		other.select(3);
		other.set("k", "three");
		expect(db.get("k")).toBe(null);
		other.call("MULTI");
		expect(other.set("k", "later")).toBe("QUEUED");
		expect(db.set("k", "mine")).toBe("OK");
		expect(other.call("EXEC")).toEqual(["OK"]);
		expect(other.get("k")).toBe("later");
	});

	it("end", async () => {
		const db = await open();
		const other = db.session();
		expect(other.ping()).toBe("PONG");
		other.close();
		other.close();
		expect(() => other.ping()).toThrow(/session is closed/);
		expect(db.ping()).toBe("PONG");
	});

	it("end when the engine kills them", async () => {
		const db = await open();
		const other = db.session();
		const id = other.clientId();
		expect(db.clientKill("ID", id)).toBe(1);
		await vi.waitFor(() => expect(() => other.ping()).toThrow(/closed/));
	});
});

describe("scan iterators", () => {
	it("give every key once, text or bytes", async () => {
		const db = await open();
		const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
		for (const key of keys) db.set(key, 1);
		db.set("other", 1);
		expect([...db.scanIterator({ match: "key:*", count: 50 })].sort()).toEqual([...keys].sort());
		expect([...db.scanIterator({ type: "list" })]).toEqual([]);
		let count = 0;
		for await (const key of db.async.scanIterator()) {
			expectTypeOf(key).toEqualTypeOf<string>();
			count++;
		}
		expect(count).toBe(1001);
		const [first] = db.bytes.scanIterator({ match: "other" });
		expect(first).toEqual(utf8("other"));
	});
});

describe("a database", () => {
	it("closes once, and then says so", async () => {
		const db = await Redstart.open("memory://", { wasm: engineModule });
		const closed = vi.fn();
		db.on("close", closed);
		await db.close();
		await db.close();
		expect(closed).toHaveBeenCalledOnce();
		expect(db.isClosed).toBe(true);
		expect(() => db.get("k")).toThrow(/closed/);
		await expect(db.async.get("k")).rejects.toThrow(/closed/);
	});

	it("opens synchronously where the module is at hand", () => {
		const db = Redstart.openSync({ wasm: engineModule });
		expect(db.set("k", "v")).toBe("OK");
		db[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
		expect(db.isClosed).toBe(true);
	});

	it("refuses URLs it does not know", async () => {
		await expect(Redstart.open("redis://localhost", { wasm: engineModule })).rejects.toMatchObject({
			kind: "unsupported",
		});
		await expect(Redstart.open("idb://", { wasm: engineModule })).rejects.toThrow(/wants a name/);
	});

	it("refuses modules that are no engine", async () => {
		const empty = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]);
		await expect(Redstart.open("memory://", { wasm: empty })).rejects.toThrow();
		await expect(Redstart.open("memory://", { wasm: Uint8Array.of(1, 2) })).rejects.toMatchObject({
			kind: "wasm",
		});
	});

	it("takes directives, seed and clock", async () => {
		let now_ms = 1_000_000_000_000;
		const db = await open({ config: { maxmemory: "64mb" }, seed: [1, 2, 3, 4], now: () => now_ms });
		expect(db.configGet("maxmemory")).toEqual({ maxmemory: String(64 << 20) });
		db.set("k", "v", { ex: 10 });
		now_ms += 9999;
		expect(db.get("k")).toBe("v");
		now_ms += 2;
		expect(db.get("k")).toBe(null);
	});

	it("stops on SHUTDOWN", async () => {
		const db = await open();
		db.call("SHUTDOWN", "NOSAVE");
		await vi.waitFor(() => expect(db.isClosed).toBe(true));
	});

	it("is separate from every other", async () => {
		const [one, two] = [await open(), await open()];
		one.set("k", "one");
		expect(two.get("k")).toBe(null);
	});
});
