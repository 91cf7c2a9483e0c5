import { describe, expect, expectTypeOf, it } from "vitest";
import type { Pipeline } from "../../js/client.ts";
import { ReplyError } from "../../js/errors.ts";
import type { Redstart } from "../../js/redstart.ts";
import type { Reply } from "../../js/reply.ts";
import { defineScript } from "../../js/script.ts";
import { MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
import { open } from "./open.ts";

const SUM = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const sum = () => defineScript<number>(SUM, { keys: 1 });

function errorOf(work: () => unknown): ReplyError {
	try {
		work();
	} catch (error) {
		if (error instanceof ReplyError) return error;
		throw error;
	}
	throw new Error("nothing was thrown");
}

describe("EVAL and its kin", () => {
	it("take keys and arguments as lists, and count the keys", async () => {
		const db = await open();
		const both = "return {#KEYS, #ARGV, KEYS[1] or 'none', ARGV[1] or 'none'}";
		expect(db.eval(both, ["k"], ["a", 2])).toEqual([1, 2, "k", "a"]);
		expect(db.eval(both, ["k", "l"])).toEqual([2, 0, "k", "none"]);
		expect(db.eval(both, [], ["a"])).toEqual([0, 1, "none", "a"]);
		expect(db.eval(both, undefined, ["a"])).toEqual([0, 1, "none", "a"]);
		expect(db.eval(both)).toEqual([0, 0, "none", "none"]);
		const digest = db.scriptLoad(both);
		expect(db.evalsha(digest, ["k"], ["a"])).toEqual([1, 1, "k", "a"]);
		expect(db.evalsha(digest)).toEqual([0, 0, "none", "none"]);
		expect(db.evalRo("return redis.call('GET', KEYS[1])", ["k"])).toBe(null);
		expect(db.evalshaRo(digest, ["k"])).toEqual([1, 0, "k", "none"]);
		expect(db.pipeline().eval(both).eval(both, ["k"]).evalsha(digest, [], [1]).exec()).toEqual([
			[0, 0, "none", "none"],
			[1, 0, "k", "none"],
			[0, 1, "none", "1"],
		]);
	});

	it("take the number of keys and plain words as well", async () => {
		const db = await open();
		const both = "return {KEYS[1], ARGV[1]}";
		expect(db.eval(both, 1, "k", "a")).toEqual(["k", "a"]);
		expect(db.eval("return #ARGV", 0)).toBe(0);
		expect(db.eval("return #ARGV", 0, "a", ["b", "c"] as never)).toBe(3);
		expect(db.multi().eval(both, 1, "k", "a").exec()).toEqual([["k", "a"]]);
	});

	it("answer in every client, with the type the caller names", async () => {
		const db = await open();
		expectTypeOf(db.eval("return 1")).toEqualTypeOf<Reply>();
		expectTypeOf(db.eval<number>("return 1")).toEqualTypeOf<number>();
		expectTypeOf(db.bytes.eval<[string, number]>("return {'a', 1}")).toEqualTypeOf<[Uint8Array, number]>();
		expectTypeOf(db.async.eval<number>("return 1")).toEqualTypeOf<Promise<number>>();
		expectTypeOf(db.pipeline().eval("return 1")).toEqualTypeOf<Pipeline<unknown[]>>();
		expect(await db.async.eval("return KEYS[1]", ["k"])).toBe("k");
		expect(db.bytes.eval("return '\\255'")).toEqual(Uint8Array.of(255));
		expect(db.bytes.eval("return ARGV[1]", [], [Uint8Array.of(0, 200)])).toEqual(Uint8Array.of(0, 200));
		const session = db.session();
		session.select(2);
		session.eval("redis.call('SET', KEYS[1], 'two')", ["k"]);
		expect(db.get("k")).toBe(null);
		expect(session.get("k")).toBe("two");
	});
});

describe("replies of scripts", () => {
	it("become values as Redis converts them", async () => {
		const db = await open();
		const value = (text: string, client: Redstart = db) => client.eval(`return ${text}`);
		expect(value("3.99")).toBe(3);
		expect(value("-3.99")).toBe(-3);
		expect(value("'3.99'")).toBe("3.99");
		expect(value("true")).toBe(1);
		expect(value("false")).toBe(null);
		expect(value("nil")).toBe(null);
		expect(value("{1, 'two', {3}, false}")).toEqual([1, "two", [3], null]);
		expect(value("{1, 2, nil, 4}")).toEqual([1, 2]);
		expect(value("{ok='FINE'}")).toBe("FINE");
		expect(value("{double=3.5}")).toBe(3.5);
		expect(value("{map={a=1}}")).toEqual({ a: 1 });
		expect(value("{set={a=true}}")).toEqual(["a"]);
		expect(value("{big_number='123456789012345678901234567890'}")).toBe(123456789012345678901234567890n);
		expect(value("{verbatim_string={string='text', format='txt'}}")).toBe("text");
		expect(value("2^53")).toBe("9007199254740992");
	});

	it("keep the types of RESP3 after redis.setresp(3)", async () => {
		const db = await open();
		db.zadd("z", { score: 1.5, member: "m" });
		db.hset("h", { a: 1 });
		expect(db.eval("redis.setresp(3) return redis.call('ZSCORE', KEYS[1], 'm')", ["z"])).toBe(1.5);
		expect(db.eval("return redis.call('ZSCORE', KEYS[1], 'm')", ["z"])).toBe("1.5");
		expect(db.eval("redis.setresp(3) return redis.call('HGETALL', KEYS[1])", ["h"])).toEqual({ a: "1" });
		expect(db.eval("return redis.call('HGETALL', KEYS[1])", ["h"])).toEqual(["a", "1"]);
		expect(db.eval("redis.setresp(3) return true")).toBe(true);
		expect(db.eval("redis.setresp(3) return {false, true}")).toEqual([false, true]);
	});

	it("have errors inside as values", async () => {
		const db = await open();
		const [first, second, third] = db.eval<[number, ReplyError, ReplyError]>(
			"return {1, redis.error_reply('CUSTOM no'), redis.pcall('NOSUCH')}",
		);
		expect(first).toBe(1);
		expect(second).toBeInstanceOf(ReplyError);
		expect(second).toMatchObject({ code: "CUSTOM", message: "CUSTOM no" });
		expect(third).toBeInstanceOf(ReplyError);
		expect(third.message).toContain("Unknown Redis command called from script");
	});
});

describe("errors of scripts", () => {
	it("are Redis' texts, with the place", async () => {
		const db = await open();
		const run = (text: string) => errorOf(() => db.eval(text));
		expect(run("return redis.error_reply('My err')")).toMatchObject({ code: "My", message: "My err" });
		expect(run("return {err='My err'}")).toMatchObject({ code: "My", message: "My err" });
		const digest = db.scriptLoad("\nerror({err='My err'})");
		expect(run("\nerror({err='My err'})")).toMatchObject({
			code: "My",
			message: `My err script: ${digest}, on @user_script:2.`,
			command: "EVAL",
		});
		db.set("k", "text");
		expect(errorOf(() => db.eval("return redis.call('INCR', KEYS[1])", ["k"]))).toMatchObject({
			code: "ERR",
			message: expect.stringMatching(
				/^ERR value is not an integer or out of range script: [0-9a-f]{40}, on /,
			),
		});
		expect(errorOf(() => db.eval("return redis.call('LPUSH', KEYS[1], 1)", ["k"])).code).toBe("WRONGTYPE");
		expect(run("return nope(").message).toBe(
			"ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'",
		);
		expect(run("return nope").message).toContain("nonexistent global variable 'nope'");
		expect(errorOf(() => db.evalsha("0".repeat(40))).code).toBe("NOSCRIPT");
		expect(errorOf(() => db.evalRo("return redis.call('SET', 'a', 1)")).message).toContain(
			"Write commands are not allowed from read-only scripts",
		);
		expect(errorOf(() => db.eval("return 1", 2, "k")).message).toBe(
			"ERR Number of keys can't be greater than number of args",
		);
	});

	it("leave what was written, and the next call as it was", async () => {
		const db = await open();
		expect(() => db.eval("redis.call('SET', 'a', 1) error('stop')")).toThrow(/stop/);
		expect(db.get("a")).toBe("1");
		expect(db.eval("return redis.call('INCR', 'a')")).toBe(2);
	});
});

describe("a defined script", () => {
	it("runs on every client, and is sent once", async () => {
		const db = await open();
		const script = sum();
		expect(script.sha1).toBe(undefined);
		const first = db.run(script, ["n"], [5]);
		expectTypeOf(first).toEqualTypeOf<number>();
		expect(first).toBe(5);
		expect(script.sha1).toMatch(/^[0-9a-f]{40}$/);
		expect(db.scriptExists(script.sha1 as string)).toEqual([1]);
		db.configResetstat();
		expect(db.run(script, ["n"], [1])).toBe(6);
		expect(db.info("commandstats")).toContain("cmdstat_evalsha:calls=1");
		expect(db.info("commandstats")).not.toMatch(/cmdstat_(?:eval|script\|load):/);
		const later = db.async.run(script, ["n"], [1]);
		expectTypeOf(later).toEqualTypeOf<Promise<number>>();
		expect(await later).toBe(7);
		const echo = defineScript<string>("return ARGV[1]");
		const raw = db.bytes.run(echo, [], ["x"]);
		expectTypeOf(raw).toEqualTypeOf<Uint8Array>();
		expect(raw).toEqual(Uint8Array.of(120));
		expect(db.session().run(script, ["n"], [1])).toBe(8);
	});

	it("is found again after SCRIPT FLUSH and by another engine", async () => {
		const [db, other] = [await open(), await open()];
		const script = sum();
		db.run(script, ["n"], [1]);
		expect(other.run(script, ["n"], [1])).toBe(1);
		db.scriptFlush();
		expect(db.run(script, ["n"], [1])).toBe(2);
		db.scriptFlush();
		expect(await db.async.run(script, ["n"], [1])).toBe(3);
	});

	it("runs in pipelines and transactions", async () => {
		const db = await open();
		const script = sum();
		const add = db.script<number>(SUM);
		const pipeline = db.pipeline().set("n", 1).run(script, ["n"], [1]).run(add, ["n"], [2]).get("n");
		expectTypeOf(pipeline).toEqualTypeOf<Pipeline<unknown[]>>();
		expect(pipeline.length).toBe(4);
		expect(pipeline.exec()).toEqual(["OK", 2, 4, "4"]);
		const multi = db.multi().run(script, ["n"], [1]).run(script, ["n"], [1]);
		db.scriptFlush();
		expect(multi.exec()).toEqual([5, 6]);
		expect(await db.async.multi().run(script, ["n"], [1]).exec()).toEqual([7]);
		const session = db.session();
		session.call("MULTI");
		expect(session.run(script, ["n"], [1])).toBe("QUEUED");
		expect(session.pipeline().run(script, ["n"], [1]).exec()).toEqual(["QUEUED"]);
		db.scriptFlush();
		expect(session.call("EXEC")).toEqual([8, 9]);
	});

	it("is an error in its place when it is no Lua", async () => {
		const db = await open();
		const bad = defineScript("return nope(");
		expect(() => db.run(bad)).toThrow(/Error compiling script/);
		await expect(db.async.run(bad)).rejects.toThrow(/Error compiling script/);
		const replies = db.pipeline().set("a", 1).run(bad).get("a").exec({ keepErrors: true });
		expect(replies).toEqual(["OK", expect.any(ReplyError), "1"]);
	});

	it("checks the number of keys, and whether it may write", async () => {
		const db = await open();
		expect(() => db.run(sum(), ["a", "b"])).toThrow(TypeError);
		expect(() => db.pipeline().run(sum())).toThrow(/takes 1 keys, not 0/);
		const write = db.script("return redis.call('SET', KEYS[1], 1)", { readOnly: true });
		expect(() => write(["k"])).toThrow(/read-only scripts/);
		expect(() => db.pipeline().run(write, ["k"]).exec()).toThrow(/read-only scripts/);
		expect(db.get("k")).toBe(null);
	});

	it("is a function of the client that made it", async () => {
		const db = await open();
		const window = db.script<[allowed: number, left: number]>(
			`local used = redis.call('INCR', KEYS[1])
			if used == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
			return {used <= tonumber(ARGV[1]) and 1 or 0, math.max(0, ARGV[1] - used)}`,
			{ keys: 1 },
		);
		const [allowed, left] = window(["ip:1"], [2, 60]);
		expectTypeOf(allowed).toEqualTypeOf<number>();
		expect([allowed, left]).toEqual([1, 1]);
		expect(window(["ip:1"], [2, 60])).toEqual([1, 0]);
		expect(window(["ip:1"], [2, 60])).toEqual([0, 0]);
		expect(db.ttl("ip:1")).toBeGreaterThan(50);
		const inAsync = db.async.script<number>("return 7");
		expectTypeOf(inAsync).returns.toEqualTypeOf<Promise<number>>();
		expect(await inAsync()).toBe(7);
	});

	it("may answer with the words of a missing script", async () => {
		const db = await open();
		const odd = db.script("redis.call('INCR', 'n') return redis.error_reply('NOSCRIPT mine')");
		expect(() => odd()).toThrow("NOSCRIPT mine");
		expect(db.get("n")).toBe("1");
	});
});

describe("functions", () => {
	const LIBRARY = `#!lua name=shop
redis.register_function('take', function(keys, args) return redis.call('DECRBY', keys[1], args[1]) end)
redis.register_function{function_name='left', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}`;

	it("are loaded, called, listed and moved", async () => {
		const [db, other] = [await open(), await open()];
		expect(db.functionLoad(LIBRARY)).toBe("shop");
		expect(errorOf(() => db.functionLoad(LIBRARY)).message).toBe("ERR Library 'shop' already exists");
		expect(db.functionLoad({ replace: true }, LIBRARY)).toBe("shop");
		db.set("stock", 9);
		const taken = db.fcall<number>("take", ["stock"], [2]);
		expectTypeOf(taken).toEqualTypeOf<number>();
		expect(taken).toBe(7);
		expect(db.fcallRo<string>("left", ["stock"])).toBe("7");
		expect(db.fcall("left", 1, "stock")).toBe("7");
		expect(await db.async.fcall("take", ["stock"], [1])).toBe(6);
		expect(db.pipeline().fcall("take", ["stock"], [1]).fcallRo("left", ["stock"]).exec()).toEqual([5, "5"]);
		expect(errorOf(() => db.fcallRo("take", ["stock"], [1])).message).toBe(
			"ERR Can not execute a script with write flag using *_ro command.",
		);
		const [library] = db.functionList({ libraryname: "sho*" }) as [
			{ library_name: string; functions: Reply[] },
		];
		expect(library.library_name).toBe("shop");
		expect(library.functions.length).toBe(2);
		other.functionRestore(db.bytes.functionDump());
		expect(other.fcall("take", ["stock"], [1])).toBe(-1);
		expect(db.functionDelete("shop")).toBe("OK");
		expect(errorOf(() => db.fcall("take", ["stock"], [1])).message).toBe("ERR Function not found");
		expect(other.functionFlush()).toBe("OK");
		expect(other.functionList()).toEqual([]);
	});

	it("are part of what is stored", async () => {
		const disk = memoryDisk();
		const db = await open({ storage: new MemoryStorage(disk) });
		db.functionLoad(LIBRARY);
		await db.save();
		await db.close();
		const again = await open({ storage: new MemoryStorage(disk) });
		expect(again.fcall("take", ["stock"], [4])).toBe(-4);
	});
});
