// Random command streams, valid and invalid, written from COMMAND DOCS: every documented command with its options can
// come up, over a handful of keys, so that commands meet each other's values. One seed gives one stream.

/** A small seeded generator (splitmix32). */
export class Random {
	constructor(seed) {
		this.state = seed >>> 0;
	}
	next() {
		this.state = (this.state + 0x9e3779b9) >>> 0;
		let z = this.state;
		z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
		z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
		return (z ^ (z >>> 15)) >>> 0;
	}
	below(limit) {
		return this.next() % limit;
	}
	chance(percent) {
		return this.below(100) < percent;
	}
	pick(list) {
		return list[this.below(list.length)];
	}
}

const KEYS = ["a", "b", "c", "{t}1", "{t}2", "k\x00\xff", ""];
const STRINGS = [
	..."|a|hello|10|-1|0|007| 12|3.5|3.0e3|1e400|nan|inf|0x10|9223372036854775807|-9223372036854775808".split(
		"|",
	),
	..."9223372036854775808|1.7976931348623157e308|hello world|*|[a-c]*|h?llo".split("|"),
	"\x00\xff\x80bin",
	"x".repeat(44),
	"y".repeat(45),
	"z".repeat(300),
	"\xe2\x82\xac",
];
// Offsets that fit no value are huge, so that no test allocates half a gigabyte.
const INTEGERS =
	"0|1|2|3|7|8|10|16|63|100|1000|5000|-1|-2|-5|-100|1099511627776|9223372036854775807|-9223372036854775808"
		.split("|")
		.concat("+1|1.0|01||x| 1|18446744073709551616".split("|"));
const DOUBLES = "0|1|-1.5|3.14|1e3|1e308|-1e308|1e400|nan|inf|-inf|x||0.1".split("|");
// Lives long enough that neither side can see the end of it during a run, or is over at once.
const LIVES = "100000|123456789|1000000000000|0|-1|-100000|9223372036854775807|x|1.5".split("|");
const PATTERNS = ["*", "a*", "?", "[a-c]", "[^a]", "\\*", "k*", "", "{t}*", "[a"];
const DATABASES = ["0", "0", "0", "1", "2", "15", "16", "-1", "x"];

/** Replies of these vary, wait, end the connection or change the server. */
const EXCLUDED =
	/^(TIME|RANDOMKEY|DEBUG.*|SHUTDOWN|CLIENT.*|CONFIG.*|INFO|LASTSAVE|LOLWUT|MEMORY.*|OBJECT (FREQ|IDLETIME|REFCOUNT|HELP)|AUTH|HELLO|QUIT|RESET|MONITOR|SAVE|BGSAVE|BGREWRITEAOF|WAIT|WAITAOF|.*SUBSCRIBE|MIGRATE|ACL.*|LATENCY.*|SLOWLOG.*|MODULE.*|REPLICAOF|SLAVEOF|FAILOVER|PSYNC|SYNC|REPLCONF|ROLE|COMMAND|COMMAND (DOCS|LIST|COUNT|HELP|INFO)|.* HELP|READONLY|READWRITE|ASKING|RESTORE-ASKING|PFSELFTEST|PFDEBUG|DELEX|DIGEST|MSETEX)$/;
const GROUPS = new Set([
	"string",
	"generic",
	"bitmap",
	"hyperloglog",
	"transactions",
	"connection",
	"pubsub",
	"server",
]);

/** Flattens COMMAND DOCS (a RESP2 reply) to { name, group, args } for each command that may come up. */
export function readDocs(reply) {
	const found = [];
	const visit = (items) => {
		for (let i = 0; i < items.length; i += 2) {
			const doc = toObject(items[i + 1]);
			const name = items[i].text.toUpperCase().replace("|", " ");
			if (doc.subcommands) visit(doc.subcommands.items);
			else if (GROUPS.has(doc.group.text) && !EXCLUDED.test(name)) {
				found.push({ name, args: (doc.arguments?.items ?? []).map(readArgument) });
			}
		}
	};
	visit(reply.items);
	return found;
}

function toObject(pairs) {
	const object = {};
	for (let i = 0; i < pairs.items.length; i += 2) object[pairs.items[i].text] = pairs.items[i + 1];
	return object;
}

function readArgument(item) {
	const doc = toObject(item);
	const flags = (doc.flags?.items ?? []).map((flag) => flag.text);
	return {
		name: doc.name.text,
		type: doc.type.text,
		token: doc.token?.text,
		optional: flags.includes("optional"),
		multiple: flags.includes("multiple"),
		multipleToken: flags.includes("multiple_token"),
		args: (doc.arguments?.items ?? []).map(readArgument),
	};
}

export class Streams {
	/** `payloads` are DUMP payloads for RESTORE. */
	constructor(docs, payloads, seed) {
		this.docs = docs;
		this.payloads = payloads;
		this.random = new Random(seed);
	}

	stream(length) {
		return Array.from({ length }, () => this.command());
	}

	command() {
		const { random } = this;
		// A fifth of all commands put a plain value under a key, so that the others meet something.
		if (random.chance(20)) return ["SET", random.pick(KEYS), random.pick(STRINGS)];
		const doc = random.pick(this.docs);
		const args = [...doc.name.split(" "), ...doc.args.flatMap((arg) => this.argument(arg, doc.name))];
		return random.chance(15) ? this.damage(args) : args;
	}

	argument(arg, command) {
		const { random } = this;
		if (arg.optional && random.chance(arg.type === "pure-token" ? 70 : 55)) return [];
		const times = arg.multiple ? 1 + random.below(3) : 1;
		const values = [];
		for (let i = 0; i < times; i++) {
			if (arg.token !== undefined && (i === 0 || arg.multipleToken) && arg.token !== "")
				values.push(this.casing(arg.token));
			values.push(...this.value(arg, command));
		}
		return values;
	}

	casing(token) {
		return this.random.chance(30) ? token.toLowerCase() : token;
	}

	value(arg, command) {
		const { random } = this;
		switch (arg.type) {
			case "key":
				return [random.pick(KEYS)];
			case "integer":
				return [this.integer(arg.name, command)];
			case "unix-time":
				return [random.pick(["33177117420", "33177117420000", "1", "0", "-1", "x"])];
			case "double":
				return [random.pick(DOUBLES)];
			case "pattern":
				return [random.pick(PATTERNS)];
			case "pure-token":
				return arg.token === undefined ? [this.casing(arg.name)] : [];
			case "oneof":
				return this.argument({ ...random.pick(arg.args), optional: false }, command);
			case "block":
				return arg.args.flatMap((inner) => this.argument(inner, command));
			default:
				return [this.string(arg.name)];
		}
	}

	integer(name, command) {
		const { random } = this;
		if (/second|ttl|expir/.test(name)) return random.pick(LIVES);
		if (/db|index/.test(name) && /^(SELECT|MOVE|COPY|SWAPDB)$/.test(command)) return random.pick(DATABASES);
		if (name === "cursor") return random.pick(["0", "0", "0", "x"]);
		if (command === "SCAN" && name === "count") return random.pick(["1000", "100000", "0", "-1", "x"]);
		if (name === "numkeys") return random.pick(["1", "2", "3", "0", "-1"]);
		return random.pick(INTEGERS);
	}

	string(name) {
		const { random } = this;
		if (name === "serialized-value" && random.chance(85)) return random.pick(this.payloads);
		if (name === "encoding") return random.pick(["u8", "i8", "u63", "i64", "u1", "i5", "u64", "x", "i0"]);
		if (name === "offset") return random.pick(["0", "#1", "7", "#3", "100", "-1", "x"]);
		if (name === "type") return random.pick(["string", "list", "STRING", "none"]);
		return random.pick(STRINGS);
	}

	/** One wrong thing: an argument lost, doubled, exchanged, replaced or added. */
	damage(args) {
		const { random } = this;
		const damaged = [...args];
		const at = 1 + random.below(Math.max(1, args.length - 1));
		const other = 1 + random.below(Math.max(1, args.length - 1));
		switch (random.below(5)) {
			case 0:
				if (args.length > 1) damaged.splice(at, 1);
				return damaged;
			case 1:
				damaged.splice(at, 0, args[at] ?? "x");
				return damaged;
			case 2:
				if (args.length > 1) [damaged[at], damaged[other]] = [damaged[other], damaged[at]];
				return damaged;
			case 3:
				if (args.length > 1) damaged[at] = random.pick(STRINGS);
				return damaged;
			default:
				return [...damaged, random.pick([...STRINGS, "NX", "GET", "EX", "COUNT"])];
		}
	}
}
