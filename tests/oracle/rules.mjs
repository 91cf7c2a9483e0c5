// What the recorder writes instead of a literal reply where Redis' own answer varies from run to run (time, random,
// memory, addresses) or where Redstart's rightly differs (its own documentation texts). One rule per command.

import { quote } from "../spec/format.mjs";

const any = (head = "") => ({ kind: "match", head, rule: "any" });
const int = (head = ":") => ({ kind: "match", head, rule: "int" });
const like = (head, pattern) => ({ kind: "match", head, rule: `like ${quote(pattern)}` });
const DAY_MS = 86_400_000;

function about(value) {
	const number = Number(value.text);
	if (number <= 0) return value;
	const digits = 10 ** Math.max(0, Math.floor(Math.log10(number)) - 2);
	return { kind: "match", head: ":", rule: `about ${Math.round(number / digits) * digits}` };
}

/** An absolute time near the present cannot be recorded; one far from it is the test's own. */
function nearNow(value, unit_ms) {
	const distance_ms = Math.abs(Number(value.text) * unit_ms - Date.now());
	return value.kind === ":" && distance_ms < 365 * DAY_MS ? int() : value;
}

/** An id made from the present time. */
const nearId = (value) => (/^\d{13}-\d+$/.test(value.text ?? "") ? like(value.kind, "*-*") : value);

/** Times near the present, at any depth. */
const nearTimes = (value) =>
	value.items
		? { ...value, items: value.items.map(nearTimes) }
		: value.kind === ":"
			? nearNow(value, 1)
			: value;

/** How long something has been idle: -1 says that it cannot be told. */
const idle = (value) => (value.kind === ":" && Number(value.text) >= 0 ? int() : value);

/** The idle times of XPENDING's long form. */
const pendingIdle = (value) =>
	value.items?.every((item) => item.items?.length === 4)
		? {
				...value,
				items: value.items.map((item) => ({
					...item,
					items: item.items.map((part, i) => (i === 2 ? idle(part) : part)),
				})),
			}
		: value;

const CLIENT_FIELDS =
	/\b(id|addr|laddr|fd|age|idle|qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|obl|oll|omem|tot-mem|tot-net-in|tot-net-out|tot-cmds|io-thread)=\S*/g;
const clientLine = (value) =>
	value.text === undefined ? value : like(value.kind, value.text.replace(CLIENT_FIELDS, "$1=*"));

/** ACL LOG: who and when. */
function deniedCalls(value) {
	const ages = replaceAfter(value, ["age-seconds"], (age) => any(age.kind));
	const lines = replaceAfter(ages, ["client-info"], (line) =>
		like(line.kind, line.text.replace(/^id=.* (cmd=\S+ user=\S*) .*$/s, "id=* $1 *")),
	);
	return replaceAfter(lines, ["timestamp-created", "timestamp-last-updated"], () => int());
}

/** Replaces, at any depth, the value that follows the key `name` in a flat or paired aggregate. */
function replaceAfter(value, names, replace) {
	if (!value.items) return value;
	const items = value.items.map((item, i) => {
		const before = value.items[i - 1];
		const named = i % 2 === 1 && before?.text !== undefined && names.includes(before.text);
		return named ? replace(item) : replaceAfter(item, names, replace);
	});
	return { ...value, items };
}

const MACHINE_SETTINGS = [
	"dir",
	"port",
	"bind",
	"logfile",
	"pidfile",
	"enable-debug-command",
	"enable-protected-configs",
];
const OWN_TEXTS = ["summary", "complexity"];

const RULES = {
	TIME: (value) => ({ ...value, items: value.items?.map(() => int("$")) }),
	PTTL: about,
	EXPIRETIME: (value) => nearNow(value, 1000),
	PEXPIRETIME: (value) => nearNow(value, 1),
	LASTSAVE: () => int(),
	LOLWUT: () => any(),
	INFO: (value) => any(value.kind),
	"MEMORY USAGE": (value) => (value.kind === ":" ? int() : value),
	"MEMORY STATS": (value) => any(value.kind),
	"MEMORY DOCTOR": (value) => any(value.kind),
	"MEMORY MALLOC-STATS": (value) => any(value.kind),
	XADD: nearId,
	XPENDING: pendingIdle,
	"XINFO STREAM": nearTimes,
	"XINFO CONSUMERS": (value) => replaceAfter(value, ["idle", "inactive"], idle),
	"CLIENT ID": () => int(),
	"CLIENT LIST": clientLine,
	"CLIENT INFO": clientLine,
	"CONFIG GET": (value) => replaceAfter(value, MACHINE_SETTINGS, () => any("$")),
	HELLO: (value) =>
		replaceAfter(
			replaceAfter(value, ["id"], () => int()),
			["modules"],
			() => any("*"),
		),
	RESET: (value) => value,
	"COMMAND COUNT": () => int(),
	"COMMAND DOCS": (value) => replaceAfter(value, OWN_TEXTS, () => any("$")),
	"DEBUG OBJECT": (value) =>
		value.text === undefined
			? value
			: like("+", value.text.replace(/\b(at|lru|lru_seconds_idle)([:=])\S+/g, "$1$2*")),
	"DEBUG JMAP": (value) => any(value.kind),
	"ACL GENPASS": () => any("$"),
	"ACL LOG": (value) => deniedCalls(value),
	"SLOWLOG GET": (value) => any(value.kind),
	"LATENCY DOCTOR": () => any("$"),
};

/** Commands whose elements come in no promised order. */
const UNORDERED = new Set([
	"KEYS",
	"SCAN",
	"SMEMBERS",
	"HKEYS",
	"HVALS",
	"SUNION",
	"SINTER",
	"SDIFF",
	"SSCAN",
	"PUBSUB CHANNELS",
	"PUBSUB SHARDCHANNELS",
	"COMMAND LIST",
]);
const UNORDERED_PAIRS = new Set(["HGETALL", "CONFIG GET", "PUBSUB NUMSUB", "PUBSUB SHARDNUMSUB"]);

function namesOf(args) {
	const [first, second] = (args ?? []).map((arg) => arg.toUpperCase());
	return second === undefined ? [first] : [`${first} ${second}`, first];
}

/** The order to compare a command's reply in, unless the transcript says. */
export function orderFor(args) {
	const names = namesOf(args);
	if (names.some((name) => UNORDERED_PAIRS.has(name))) return "pairs";
	return names.some((name) => UNORDERED.has(name)) ? "unordered" : "exact";
}

/** A cursor that is not final is the table's own; only its form can be recorded. */
function scanReply(value) {
	const [cursor, elements] = value.items ?? [];
	if (value.kind !== "*" || cursor?.text === "0" || elements === undefined) return value;
	return { ...value, items: [int("$"), any(elements.kind)] };
}

/** The expectation to record for a reply of `args`. */
export function generalise(args, value) {
	if (value.kind === "-" || value.kind === "closed" || value.text === "QUEUED" || !args) return value;
	const names = namesOf(args);
	// The whole table; table.mjs compares it.
	if (args.length === 1 && names[0] === "COMMAND") return any("*");
	if (names.some((name) => /^[SHZ]?SCAN$/.test(name))) return scanReply(value);
	const rule = names.map((name) => RULES[name]).find((found) => found !== undefined);
	return rule ? rule(value) : value;
}
