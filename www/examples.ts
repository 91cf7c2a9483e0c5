/** What the strip above the terminal offers: lines that type themselves. */

export interface Example {
	readonly title: string;
	/** For the tooltip. */
	readonly about: string;
	readonly lines: readonly string[];
	/** The last line stays for the visitor to run. */
	readonly isLastLeft?: boolean;
}

export const EXAMPLES: readonly Example[] = [
	{
		title: "Cache with a TTL",
		about: "SET with EX, TTL, GET: a cached page that goes away by itself",
		lines: [
			'SET cache:/pricing "<h1>Pricing</h1>" EX 30',
			"GET cache:/pricing",
			"TTL cache:/pricing",
			'SET cache:/pricing "somebody else\'s" NX',
		],
	},
	{
		title: "Rate limit",
		about: "INCR and EXPIRE NX: at most so many requests in ten seconds",
		lines: [
			"INCR rate:alice",
			"EXPIRE rate:alice 10 NX",
			"5 INCR rate:alice",
			"TTL rate:alice",
			"INCRBYFLOAT load:average 0.25",
		],
	},
	{
		title: "Leaderboard",
		about: "ZADD, ZINCRBY, ZRANGE REV: the best players, and everybody's rank",
		lines: [
			"ZADD scores 120 ada 95 ken 230 grace",
			"ZINCRBY scores 50 ken",
			"ZRANGE scores 0 2 REV WITHSCORES",
			"ZREVRANK scores ada WITHSCORE",
		],
	},
	{
		title: "Queue",
		about: "LPUSH, LMOVE, LREM: jobs that are not lost while somebody works on them",
		lines: [
			"LPUSH jobs resize:1 resize:2 resize:3",
			"LMOVE jobs working RIGHT LEFT",
			"LRANGE jobs 0 -1",
			"LREM working 1 resize:1",
			"BLPOP jobs 5",
		],
	},
	{
		title: "Session",
		about: "HSET, HEXPIRE, HTTL: a hash whose fields expire one by one",
		lines: [
			"HSET session:42 user ada cart 3 token 8f2c",
			"HEXPIRE session:42 30 FIELDS 1 token",
			"HINCRBY session:42 cart 1",
			"HTTL session:42 FIELDS 2 user token",
			"HGETALL session:42",
		],
	},
	{
		title: "Stream",
		about: "XADD, XGROUP, XREADGROUP, XACK: events that a group of workers shares",
		lines: [
			"XADD orders * item book count 2",
			"XADD orders * item lamp count 1",
			"XGROUP CREATE orders billing 0",
			"XREADGROUP GROUP billing worker-1 COUNT 1 STREAMS orders >",
			"XPENDING orders billing",
		],
	},
	{
		title: "Ring log",
		about: "ARRING, ARLASTITEMS, ARGREP: the last lines of a log, searched in place",
		lines: [
			'ARRING log 4 "boot: ok" "warn: disk" "error: cpu" "info: ready"',
			'ARRING log 4 "error: net"',
			"ARLASTITEMS log 3",
			"ARGREP log - + MATCH error WITHVALUES",
		],
	},
	{
		title: "Bitmaps",
		about: "SETBIT, BITCOUNT, BITOP: who was here on both days, a bit each",
		lines: [
			"SETBIT seen:monday 7 1",
			"SETBIT seen:monday 21 1",
			"SETBIT seen:tuesday 21 1",
			"SETBIT seen:tuesday 42 1",
			"BITCOUNT seen:monday",
			"BITOP AND seen:both seen:monday seen:tuesday",
			"BITPOS seen:both 1",
		],
	},
	{
		title: "HyperLogLog",
		about: "PFADD, PFCOUNT, PFMERGE: count distinct visitors in 12 KiB at most",
		lines: [
			"PFADD visitors:eu ada grace linus",
			"PFADD visitors:us grace ken barbara",
			"PFCOUNT visitors:eu visitors:us",
			"PFMERGE visitors:all visitors:eu visitors:us",
			"PFCOUNT visitors:all",
		],
	},
	{
		title: "Transaction",
		about: "WATCH, MULTI, EXEC: move money in one step or not at all",
		lines: [
			"MSET account:ada 100 account:ken 20",
			"WATCH account:ada",
			"MULTI",
			"DECRBY account:ada 30",
			"INCRBY account:ken 30",
			"EXEC",
			"MGET account:ada account:ken",
		],
	},
	{
		title: "Scripts",
		about: "EVAL, SCRIPT LOAD: logic that runs where the data is, in one step; more in the Lua view",
		lines: [
			"SET stock 3",
			"EVAL \"local left = redis.call('GET', KEYS[1]) - ARGV[1]\\nif left < 0 then return redis.error_reply('SOLDOUT only ' .. left + ARGV[1] .. ' left') end\\nredis.call('SET', KEYS[1], left)\\nreturn left\" 1 stock 2",
			"SCRIPT LOAD \"return redis.call('INCRBY', KEYS[1], ARGV[1])\"",
			"EVALSHA 8cd00688c05c46bde4a2e60658ef20a2e5c0b248 1 stock 5",
		],
	},
	{
		title: "Pub/Sub",
		about: "SUBSCRIBE here, then publish from a second tab",
		lines: ["SUBSCRIBE news"],
	},
	{
		title: "RESP3",
		about: "HELLO 3: maps, sets and doubles as what they are",
		lines: ["HELLO 3", "CONFIG GET maxmemory*", "COMMAND INFO GET", "HELLO 2"],
	},
];

/** What a second tab finds typed. */
export const PUBLISH_LINE = 'PUBLISH news "hello from the other tab"';
