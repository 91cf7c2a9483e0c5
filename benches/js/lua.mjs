// Scripts beside redis-server's EVAL: what the machine calculates, what `redis.call` costs, what a script costs to be
// called and to be compiled. Each figure is the ratio of medians of runs taken in turn.

import Redis from "ioredis";
import { ratio, report } from "./measure.mjs";

const ROUNDS = 9;
const BATCH = 200;

/** Scripts that run for long, by what is measured; how much longer than redis-server's they may take. */
const LONG = {
	"fib(27)": {
		most: 1.5,
		script:
			"local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(27)",
	},
	"a table of 1e6: filled and read": {
		most: 1.5,
		script:
			"local t = {} for i = 1, 1000000 do t[i] = i * 2 end local s = 0 for i = 1, #t do s = s + t[i] end return s",
	},
	"1e5 strings joined, then in one": {
		most: 1.5,
		script: "local t = {} for i = 1, 100000 do t[#t + 1] = 'k' .. i end return #table.concat(t, ',')",
	},
	"fields of an object, 1e6 times": {
		script: "local o = {x = 1, y = 2, n = 0} for i = 1, 1000000 do o.n = o.n + o.x * o.y end return o.n",
	},
	"methods of a class, 1e6 calls": {
		script:
			"local C = {} C.__index = C function C:add(n) self.v = self.v + n return self end local o = setmetatable({v = 0}, C) for i = 1, 1000000 do o:add(i) end return o.v",
	},
	"math.floor and math.max, 1e6 times": {
		script: "local s = 0 for i = 1, 1000000 do s = s + math.floor(i / 3) + math.max(i, 5) end return s",
	},
	"pairs over 1,000 keys, 300 times": {
		script:
			"local t = {} for i = 1, 1000 do t['k' .. i] = i end local s = 0 for r = 1, 300 do for k, v in pairs(t) do s = s + v end end return s",
	},
	"format, sub and find, 1e5 times": {
		script:
			"local n = 0 for i = 1, 100000 do local s = string.format('%d:%s', i, 'abc') n = n + #s:sub(1, 3) + s:find(':', 1, true) end return n",
	},
	"gsub and gmatch over 12 kB, 20 times": {
		script:
			"local s = ('hello world '):rep(1000) local n = 0 for i = 1, 20 do n = n + select(2, s:gsub('%w+', '<%0>')) end for w in s:gmatch('%a+') do n = n + #w end return n",
	},
	"sort of 1e5 numbers": {
		script:
			"local t, x = {}, 1 for i = 1, 100000 do x = (x * 16807) % 2147483647 t[i] = x end table.sort(t) return t[1]",
	},
	"closures, 2e5 made": {
		script:
			"local s = 0 for i = 1, 200000 do local c = 0 local f = function() c = c + i return c end s = s + f() end return s",
	},
	"cjson of 100 objects, 50 times": {
		script:
			"local t = {} for i = 1, 100 do t[i] = {id = i, name = 'n' .. i, tags = {'a', 'b'}} end local n = 0 for i = 1, 50 do n = n + #cjson.encode(cjson.decode(cjson.encode(t))) end return n > 0 and 1",
	},
	"redis.call INCR, 1e5 times": {
		most: 1,
		script: "local n for i = 1, 100000 do n = redis.call('INCR', KEYS[1]) end return n > 0 and 1",
	},
	"redis.call GET, 1e5 times": {
		most: 1,
		script:
			"redis.call('SET', KEYS[1], 'a value') local n = 0 for i = 1, 100000 do n = n + #redis.call('GET', KEYS[1]) end redis.call('DEL', KEYS[1]) return n",
	},
	"redis.call HSET of 1e5 fields": {
		most: 1,
		script:
			"for i = 1, 100000 do redis.call('HSET', KEYS[1], 'field:' .. i, i) end local n = redis.call('HLEN', KEYS[1]) redis.call('DEL', KEYS[1]) return n",
	},
	"redis.call ZADD of 1e5 members": {
		most: 1,
		script:
			"for i = 1, 100000 do redis.call('ZADD', KEYS[1], i * 7919 % 100003, 'm:' .. i) end local n = redis.call('ZCARD', KEYS[1]) redis.call('DEL', KEYS[1]) return n",
	},
	"redis.call LRANGE of 100, 1e4 times": {
		most: 1,
		script:
			"for i = 1, 100 do redis.call('RPUSH', KEYS[1], i) end local n = 0 for i = 1, 10000 do n = n + #redis.call('LRANGE', KEYS[1], 0, -1) end redis.call('DEL', KEYS[1]) return n",
	},
};

const median = (values) => values.sort((one, two) => one - two)[values.length >> 1];

/** Scripts of a hundred lines, each another one. */
function longSource(number) {
	const lines = Array.from(
		{ length: 99 },
		(_, i) => `local v${i % 60} = { name = "field${i}", at = ${i} * 2, ok = ${i} > 3 and ARGV[1] ~= nil }`,
	);
	return `-- ${number}\ndo\n${lines.slice(0, 49).join("\n")}\nend\n${lines.slice(50).join("\n")}\nreturn 1`;
}

/** Both run `calls` requests in batches; milliseconds of each round. */
async function inTurn(db, redis, args, calls) {
	const took = { ours: [], theirs: [] };
	let number = 0;
	for (let round = 0; round < ROUNDS; round++) {
		const requests = Array.from({ length: calls }, () => args(number++));
		let start = performance.now();
		for (let at = 0; at < calls; at += BATCH) {
			const pipeline = db.pipeline();
			for (const request of requests.slice(at, at + BATCH)) pipeline.call(...request);
			pipeline.exec();
		}
		took.ours.push(performance.now() - start);
		start = performance.now();
		for (let at = 0; at < calls; at += BATCH) {
			const pipeline = redis.pipeline();
			for (const request of requests.slice(at, at + BATCH)) pipeline.call(...request);
			await pipeline.exec();
		}
		took.theirs.push(performance.now() - start);
	}
	return took;
}

/** Figures of scripts; the redis-server on `port` is emptied. */
export async function lua(open, port) {
	const db = await open();
	const redis = new Redis({ port, host: "127.0.0.1" });
	await redis.flushall("SYNC");
	for (const [name, { script, most }] of Object.entries(LONG)) {
		const took = { ours: [], theirs: [] };
		const results = [];
		for (let round = 0; round < ROUNDS; round++) {
			let start = performance.now();
			results[0] = db.call("EVAL", script, 1, "key");
			took.ours.push(performance.now() - start);
			start = performance.now();
			results[1] = await redis.call("EVAL", script, 1, "key");
			took.theirs.push(performance.now() - start);
		}
		if (results[0] !== results[1]) throw new Error(`${name}: ${results.join(" and ")}`);
		const [ours, theirs] = [median(took.ours), median(took.theirs)];
		const detail = `${ours.toFixed(1)} / ${theirs.toFixed(1)} ms`;
		ratio(name, ours / theirs, most, { atMost: true, detail });
	}
	const small = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
	const digest = await redis.call("SCRIPT", "LOAD", small);
	db.call("SCRIPT", "LOAD", small);
	for (const [name, args, calls] of [
		["EVALSHA of a small script, in batches", () => ["EVALSHA", digest, 1, "key", 1], 20_000],
		["EVAL of a new script of 100 lines, in batches", (at) => ["EVAL", longSource(at), 0], 600],
	]) {
		const took = await inTurn(db, redis, args, calls);
		const [ours, theirs] = [median(took.ours) / calls, median(took.theirs) / calls];
		const detail = `${(ours * 1000).toFixed(2)} / ${(theirs * 1000).toFixed(2)} us`;
		ratio(`${name}: against ioredis + redis-server`, ours / theirs, undefined, { atMost: true, detail });
	}
	const used = /^used_memory_vm_eval:(\d+)/m.exec(db.call("INFO", "memory"))?.[1];
	report("the machine's memory after that", `${(Number(used) / (1 << 20)).toFixed(1)} MiB`);
	redis.disconnect();
	await db.close();
}
