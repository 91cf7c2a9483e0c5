/** Lists, hashes, sets, sorted sets, streams, places and arrays by their typed methods: what goes in and what comes out. */

import { describe, expect, expectTypeOf, it } from "vitest";
import { open } from "./open.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("typed methods", () => {
	it("sorted sets", async () => {
		const db = await open();
		expect(db.zadd("z", { score: 120, member: "ada" }, { score: 95.5, member: "ken" })).toBe(2);
		expect(db.zadd("z", { xx: true, ch: true }, { score: 96, member: "ken" })).toBe(1);
		const best = db.zrange("z", 0, -1, { rev: true, withscores: true });
		expectTypeOf(best).toEqualTypeOf<string[] | [string, number][]>();
		expect(best).toEqual([
			["ada", 120],
			["ken", 96],
		]);
		expect(db.zrange("z", 100, "+inf", { byscore: true })).toEqual(["ada"]);
		expect(db.zrange("z", 0, 200, { byscore: true, limit: { offset: 1, count: 1 } })).toEqual(["ada"]);
		expect(db.zincrby("z", 0.5, "ken")).toBe(96.5);
		const score = db.zscore("z", "ken");
		expectTypeOf(score).toEqualTypeOf<number | null>();
		expect([score, db.zscore("z", "nobody")]).toEqual([96.5, null]);
		expect(db.zrank("z", "ada", { withscore: true })).toEqual([1, 120]);
		expect(db.zunion(["z", "none"], { weights: [2, 1], withscores: true })).toEqual([
			["ken", 193],
			["ada", 240],
		]);
		expect(db.zmpop(["none", "z"], "min")).toEqual(["z", [["ken", 96.5]]]);
		expect(db.bytes.zrange("z", 0, -1, { withscores: true })).toEqual([[utf8("ada"), 120]]);
		expect(db.with({ maps: "map" }).zscore("z", "ada")).toBe(120);
	});

	it("hashes", async () => {
		const db = await open();
		expect(db.hset("h", { a: 1, b: "two" })).toBe(2);
		expect(db.hset("h", "c", 3)).toBe(1);
		const all = db.hgetall("h");
		expectTypeOf(all).toEqualTypeOf<Record<string, string>>();
		expect(all).toEqual({ a: "1", b: "two", c: "3" });
		expect(db.with({ maps: "map" }).hgetall("h")).toEqual(new Map(Object.entries(all)));
		expect(db.hmget("h", "a", "none")).toEqual(["1", null]);
		expect(db.hexpire("h", 100, ["a", "none"])).toEqual([1, -2]);
		expect(db.hexpire("h", 50, { gt: true }, ["a"])).toEqual([0]);
		expect(db.httl("h", ["a", "b"])).toEqual([100, -1]);
		expect(db.hgetex("h", { persist: true }, ["a"])).toEqual(["1"]);
		expect(db.hincrbyfloat("h", "a", 0.5)).toBe("1.5");
		expect(db.hgetdel("h", ["a", "b", "none"])).toEqual(["1.5", "two", null]);
	});

	it("lists, with promises where they wait", async () => {
		const db = await open();
		expect(db.rpush("l", "a", "b", "c")).toBe(3);
		expect(db.lrange("l", 0, -1)).toEqual(["a", "b", "c"]);
		expect(db.lpop("l")).toBe("a");
		expect(db.lpop("l", 5)).toEqual(["b", "c"]);
		const waiting = db.blpop(["l", "other"], 0);
		expectTypeOf(waiting).toExtend<Promise<unknown>>();
		db.rpush("other", "late");
		expect(await waiting).toEqual(["other", "late"]);
		const moved = db.blmove("l", "done", "LEFT", "RIGHT", 0);
		db.lpush("l", "job");
		expect(await moved).toBe("job");
		expect(db.lmpop(["l", "done"], "LEFT")).toEqual(["done", ["job"]]);
	});

	it("sets", async () => {
		const db = await open();
		expect(db.sadd("s", "a", "b", "c")).toBe(3);
		expect(db.sadd("t", ["b", "c", "d"])).toBe(3);
		expect([...db.sinter(["s", "t"])].sort()).toEqual(["b", "c"]);
		expect(db.sintercard(["s", "t"], { limit: 1 })).toBe(1);
		expect(db.smismember("s", "a", "d")).toEqual([1, 0]);
		expect(db.with({ sets: "set" }).call("SMEMBERS", "s")).toEqual(new Set(["a", "b", "c"]));
	});

	it("streams, with groups", async () => {
		const db = await open();
		expect(db.xadd("x", "1-1", "type", "click")).toBe("1-1");
		expect(db.xadd("x", "*", "type", "key")).toMatch(/^\d+-0$/);
		expect(db.xrange("x", "-", "+", { count: 1 })).toEqual([["1-1", ["type", "click"]]]);
		expect(db.xgroupCreate("x", "g", "0")).toBe("OK");
		expect(await db.xreadgroup("GROUP", "g", "me", "COUNT", 1, "STREAMS", "x", ">")).toEqual({
			x: [["1-1", ["type", "click"]]],
		});
		expect(db.xack("x", "g", "1-1")).toBe(1);
		expect(db.call("XPENDING", "x", "g")).toEqual([0, null, null, null]);
		const next = db.call<Promise<unknown>>("XREAD", "BLOCK", 0, "STREAMS", "x", "$");
		const id = db.xadd("x", "*", "late", "yes");
		expect(await next).toEqual({ x: [[id, ["late", "yes"]]] });
	});

	it("places and arrays", async () => {
		const db = await open();
		db.geoadd("g", { longitude: 13.361389, latitude: 38.115556, member: "Palermo" });
		const [place] = db.geopos("g", "Palermo", "Rome");
		expectTypeOf(place).toEqualTypeOf<[number, number] | null | undefined>();
		expect(place?.map((degree) => degree.toFixed(3))).toEqual(["13.361", "38.116"]);
		expect(db.arset("a", 3, "x", "y")).toBe(2);
		const pairs = db.arscan("a", 0, 9, { limit: 5 });
		expectTypeOf(pairs).toEqualTypeOf<[number, string][]>();
		expect(pairs).toEqual([
			[3, "x"],
			[4, "y"],
		]);
		expect(db.argrep("a", "-", "+", "RE", "^[xz]$", "WITHVALUES")).toEqual([[3, "x"]]);
		expect(db.arop("a", 0, 9, { used: true })).toBe(2);
		expect(db.arinfo("a").count).toBe(2);
		expect(db.arset("a", 2n ** 63n, "far")).toBe(1);
		expect(db.arlen("a")).toBe(2n ** 63n + 1n);
	});
});

describe("iterators of members", () => {
	const many = Array.from({ length: 2000 }, (_, i) => `m${i}`);

	it("see every member of small and of large collections", async () => {
		const db = await open();
		for (const members of [many.slice(0, 3), many]) {
			db.flushall();
			db.sadd("s", members);
			db.hset("h", Object.fromEntries(members.map((member, i) => [member, i])));
			db.zadd("z", ...members.map((member, score) => ({ score, member })));
			const all = new Set(members);
			expect(new Set(db.sscanIterator("s"))).toEqual(all);
			const fields = new Map(db.hscanIterator("h", { count: 100 }));
			expect(new Set(fields.keys())).toEqual(all);
			expect(fields.get("m2")).toBe("2");
			const scores = new Map(db.zscanIterator("z", { match: "m*" }));
			expect(scores.size).toBe(members.length);
			expect(scores.get("m1")).toBe("1");
			let seen = 0;
			for await (const [field] of db.async.hscanIterator("h")) {
				expectTypeOf(field).toEqualTypeOf<string>();
				seen++;
			}
			expect(seen).toBeGreaterThanOrEqual(members.length);
		}
		expect([...db.sscanIterator("s", { match: "m199?" })].length).toBe(10);
		expect([...db.bytes.hscanIterator("h", { match: "m7" })]).toEqual([[utf8("m7"), utf8("7")]]);
		expect([...db.sscanIterator("none")]).toEqual([]);
	});

	it("keep what was there from the beginning when members come and go", async () => {
		const db = await open();
		db.sadd("s", many);
		const seen = new Set<string>();
		let step = 0;
		for (const member of db.sscanIterator("s", { count: 50 })) {
			seen.add(member);
			if (step++ % 5 === 0) {
				db.sadd("s", `new${step}`);
				db.srem("s", `m${1000 + (step % 1000)}`);
			}
		}
		for (const member of many.slice(0, 1000)) expect(seen.has(member)).toBe(true);
	});
});
