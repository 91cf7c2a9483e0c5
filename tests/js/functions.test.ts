import { describe, expect, it } from "vitest";
import { FaultyStorage } from "./faulty-storage.ts";
import { open } from "./open.ts";

const COUNTER = `#!lua name=counter
local calls = 0
redis.register_function('count', function() calls = calls + 1 return calls end)
redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)
redis.register_function{function_name='read', flags={'no-writes'}, description='What a key holds.',
	callback=function(keys) return redis.call('GET', keys[1]) end}`;

describe("function libraries", () => {
	it("are loaded, called, listed and forgotten", async () => {
		const db = await open();
		expect(db.functionLoad(COUNTER)).toBe("counter");
		expect(() => db.functionLoad(COUNTER)).toThrow("ERR Library 'counter' already exists");
		expect(db.functionLoad({ replace: true }, COUNTER)).toBe("counter");
		expect(db.fcall("add", ["n"], [5])).toBe(5);
		expect(db.fcall("add", 1, "n", 2)).toBe(7);
		expect(db.fcallRo<string>("read", ["n"])).toBe("7");
		expect(() => db.fcallRo("add", ["n"], [5])).toThrow(/^ERR Can not execute a script with write flag/);
		expect(() => db.fcall("nothing")).toThrow("ERR Function not found");
		expect(db.functionList({ libraryname: "c*", withcode: true })).toEqual([
			{
				library_name: "counter",
				engine: "LUA",
				functions: [
					{ name: "count", description: null, flags: [] },
					{ name: "add", description: null, flags: [] },
					{ name: "read", description: "What a key holds.", flags: ["no-writes"] },
				],
				library_code: COUNTER,
			},
		]);
		expect(db.functionStats()).toEqual({
			running_script: null,
			engines: { LUA: { libraries_count: 1, functions_count: 3 } },
		});
		expect(db.pipeline().fcall("count").fcall("count", [], []).exec()).toEqual([1, 2]);
		expect(db.functionDelete("counter")).toBe("OK");
		expect(() => db.functionDelete("counter")).toThrow("ERR Library not found");
	});

	it("move as bytes", async () => {
		const [db, other] = [await open(), await open()];
		db.functionLoad(COUNTER);
		const payload = db.bytes.functionDump();
		expect(other.functionRestore(payload)).toBe("OK");
		expect(other.fcall("count")).toBe(1);
		expect(() => other.functionRestore(payload)).toThrow(/already exists/);
		expect(other.functionRestore(payload, { flush: true })).toBe("OK");
		expect(other.fcall("count")).toBe(1);
		expect(other.functionFlush()).toBe("OK");
		expect(other.functionList()).toEqual([]);
	});

	it("are saved with the data set, and are no keys", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		db.functionLoad(COUNTER);
		db.fcall("count");
		db.flushall();
		expect(db.fcall("count")).toBe(2);
		expect(await db.save()).toBe("OK");
		await db.close();
		const back = await open({ storage: new FaultyStorage(storage.disk) });
		expect(back.dbsize()).toBe(0);
		expect(back.fcall("count")).toBe(1);
		expect(back.functionList()).toHaveLength(1);
	});
});
