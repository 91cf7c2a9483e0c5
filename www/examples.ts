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
