// The transcript format: reading `.resp` files, RESP values, their printed form, and comparison.
// docs/testing.md explains the format; tests/spec/*.rs is the same in Rust. Runs anywhere: no Node modules.
// All bytes are "binary strings": one character per byte, so a value prints and compares as text.

/** Aggregate kinds, by the byte that starts them on the wire, with the head they print as. */
const AGGREGATES = { "*": "*", "%": "%", "~": "~", ">": "push ", "|": "|" };
const PAIRED = new Set(["%", "|"]);

// ---- quoting -------------------------------------------------------------------------------------------------

/** Bytes in double quotes, escaped as redis-cli does. */
export function quote(bytes) {
	return `"${escapeText(bytes).replaceAll('"', '\\"')}"`;
}

function escapeText(bytes) {
	return bytes.replace(/[^\x20-\x7e]|\\/g, (c) => {
		const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", "\x07": "\\a", "\b": "\\b" }[c];
		return named ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
	});
}

/** Undoes `escapeText`: `\xHH` and the named escapes; any other escaped character stands for itself. */
export function unescapeText(text) {
	return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, e) => {
		if (e.length === 3) return String.fromCharCode(Number.parseInt(e.slice(1), 16));
		return { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" }[e] ?? e;
	});
}

const TOKEN = /\s*(?:<"((?:[^"\\]|\\.)*)"\*(\d+)>|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\')*)'|(\S+))/y;

/** Splits a command line into arguments: words, "quoted" words, 'literal' words, and <"text"*N> for N copies. */
export function splitArguments(line) {
	const found = [];
	TOKEN.lastIndex = 0;
	const text = line.trimEnd();
	while (TOKEN.lastIndex < text.length) {
		const token = TOKEN.exec(text);
		if (!token) throw new Error(`cannot read arguments: ${line}`);
		const [, repeated, count, quoted, literal, word] = token;
		if (repeated !== undefined) found.push(unescapeText(repeated).repeat(Number(count)));
		else if (quoted !== undefined) found.push(unescapeText(quoted));
		else found.push(literal !== undefined ? literal.replaceAll("\\'", "'") : word);
	}
	return found;
}

/** A request as a RESP array of bulk strings. */
export function encodeCommand(args) {
	return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}

// ---- values from the wire ------------------------------------------------------------------------------------

/** Takes replies off the front of a growing buffer of bytes. */
export class Decoder {
	#bytes = "";
	push(bytes) {
		this.#bytes += bytes;
	}
	get rest() {
		return this.#bytes;
	}
	/** The next complete value, or undefined when more bytes are needed. */
	next() {
		const found = decode(this.#bytes, 0);
		if (!found) return undefined;
		this.#bytes = this.#bytes.slice(found.end);
		return found.value;
	}
	all() {
		const values = [];
		for (let value = this.next(); value !== undefined; value = this.next()) values.push(value);
		return values;
	}
}

function decode(bytes, at) {
	const eol = bytes.indexOf("\r\n", at);
	if (eol < 0) return undefined;
	const kind = bytes[at];
	const head = bytes.slice(at + 1, eol);
	const end = eol + 2;
	if ("+-:,#(_".includes(kind)) return { value: { kind, text: head }, end };
	const count = Number(head);
	if (kind === "$" || kind === "=" || kind === "!") {
		if (count < 0) return { value: { kind: `${kind}-1`, text: "" }, end };
		if (bytes.length < end + count + 2) return undefined;
		return { value: { kind, text: bytes.slice(end, end + count) }, end: end + count + 2 };
	}
	if (!(kind in AGGREGATES) || !Number.isInteger(count)) {
		throw new Error(`not a reply: ${quote(bytes.slice(at, at + 60))}`);
	}
	if (count < 0) return { value: { kind: `${kind}-1`, text: "" }, end };
	return decodeItems(bytes, end, kind, PAIRED.has(kind) ? count * 2 : count);
}

function decodeItems(bytes, start, kind, count) {
	const items = [];
	let at = start;
	for (let i = 0; i < count; i++) {
		const item = decode(bytes, at);
		if (!item) return undefined;
		items.push(item.value);
		at = item.end;
	}
	return { value: { kind, items }, end: at };
}

// ---- printing and reading the printed form -------------------------------------------------------------------

/** A value as lines, children indented by two spaces. */
export function print(value, indent = "") {
	const { kind, text, items } = value;
	if (kind === "match") return [`${indent}${value.head}<${value.rule}>`];
	if (kind === "closed") return [`${indent}closed`];
	if (items) {
		const count = PAIRED.has(kind) ? items.length / 2 : items.length;
		return [`${indent}${AGGREGATES[kind]}${count}`, ...items.flatMap((item) => print(item, `${indent}  `))];
	}
	if (kind === "$" || kind === "=" || kind === "!") return [`${indent}${kind}${printBulk(text)}`];
	const shown = escapeText(text);
	return [`${indent}${kind}${shown.startsWith("<") ? `\\x3c${shown.slice(1)}` : shown}`];
}

function printBulk(text) {
	const uniform = text.length > 100 && text === text[0].repeat(text.length);
	return uniform ? `<${quote(text[0])}*${text.length}>` : quote(text);
}

const REPEATED = /^<"((?:[^"\\]|\\.)*)"\*(\d+)>$/;
const HEAD = /^(\*-1|\$-1|push |[+\-:$_,#(=!*%~|])(.*)$/;

/** Reads printed lines back as a list of values. */
export function readValues(lines) {
	const values = [];
	let at = 0;
	while (at < lines.length) {
		const [value, next] = readValue(lines, at, "");
		values.push(value);
		at = next;
	}
	return values;
}

function readValue(lines, at, indent) {
	const line = lines[at];
	if (line === undefined || !line.startsWith(indent))
		throw new Error(`a nested value is missing before: ${line}`);
	const body = line.slice(indent.length);
	if (body === "closed") return [{ kind: "closed" }, at + 1];
	if (/^<\w+.*>$/.test(body)) return [{ kind: "match", head: "", rule: body.slice(1, -1) }, at + 1];
	const found = HEAD.exec(body);
	if (!found) throw new Error(`not an expectation: ${line}`);
	const [, head, rest] = found;
	if (REPEATED.test(rest)) {
		const [, text, count] = REPEATED.exec(rest);
		return [{ kind: head, text: unescapeText(text).repeat(Number(count)) }, at + 1];
	}
	if (/^<.*>$/.test(rest)) return [{ kind: "match", head, rule: rest.slice(1, -1) }, at + 1];
	const kind = head === "push " ? ">" : head;
	if (kind in AGGREGATES) return readItems(lines, at, indent, kind, Number(rest));
	if (kind === "$" || kind === "=" || kind === "!") {
		return [{ kind, text: unescapeText(rest.slice(1, -1)) }, at + 1];
	}
	return [{ kind, text: unescapeText(rest) }, at + 1];
}

function readItems(lines, at, indent, kind, count) {
	const items = [];
	let next = at + 1;
	for (let i = 0; i < (PAIRED.has(kind) ? count * 2 : count); i++) {
		const [item, after] = readValue(lines, next, `${indent}  `);
		items.push(item);
		next = after;
	}
	return [{ kind, items }, next];
}

// ---- comparison ----------------------------------------------------------------------------------------------

/** Whether a reply is what is expected. `order` is "exact", "unordered" (any order at every depth) or "pairs". */
export function matches(expected, actual, order = "exact") {
	if (expected.kind === "match") return matchesRule(expected, actual);
	if (expected.kind !== actual.kind) return false;
	if (!expected.items) return expected.text === actual.text;
	if (expected.items.length !== actual.items.length) return false;
	const grouped = PAIRED.has(expected.kind) || (order === "pairs" && expected.items.length % 2 === 0);
	const width = grouped ? 2 : 1;
	const alike = (i, j) => {
		for (let k = 0; k < width; k++) {
			if (!matches(expected.items[i + k], actual.items[j + k], order)) return false;
		}
		return true;
	};
	return order === "exact"
		? everyInOrder(expected.items, width, alike)
		: everyOnce(expected.items, width, alike);
}

function everyInOrder(items, width, alike) {
	for (let i = 0; i < items.length; i += width) if (!alike(i, i)) return false;
	return true;
}

function everyOnce(items, width, alike) {
	const open = new Set();
	for (let j = 0; j < items.length; j += width) open.add(j);
	for (let i = 0; i < items.length; i += width) {
		const partner = [...open].find((j) => alike(i, j));
		if (partner === undefined) return false;
		open.delete(partner);
	}
	return true;
}

function matchesRule({ head, rule }, actual) {
	const kind = head === "push " ? ">" : head;
	if (kind !== "" && kind !== actual.kind) return false;
	const [name, ...rest] = rule.split(" ");
	const argument = rest.join(" ");
	if (name === "any") return true;
	if (actual.text === undefined) return false;
	if (name === "int") return /^-?\d+$/.test(actual.text);
	if (name === "double") return /^(-?\d+(\.\d+)?(e[+-]?\d+)?|-?inf|nan)$/.test(actual.text);
	if (name === "about") {
		const want = Number(argument);
		return Math.abs(Number(actual.text) - want) <= Math.max(Math.abs(want) * 0.05, 25);
	}
	if (name === "like") return like(unescapeText(argument.slice(1, -1)), actual.text);
	throw new Error(`unknown matcher <${rule}>`);
}

/** A pattern in which `*` stands for any run of bytes. */
function like(pattern, text) {
	const [first, ...others] = pattern.split("*");
	if (!text.startsWith(first)) return false;
	if (others.length === 0) return text === first;
	const last = others.pop();
	let at = first.length;
	for (const part of others) {
		const found = text.indexOf(part, at);
		if (found < 0) return false;
		at = found + part.length;
	}
	return text.length - last.length >= at && text.endsWith(last);
}

// ---- files ---------------------------------------------------------------------------------------------------

const SEND = /^(\d*)(>>?) (.*)$/;

/**
 * Reads a transcript: cases of steps. A step keeps the half-open range of its expectation lines
 * (indices into `lines`), which is all the recorder replaces.
 */
export function parse(source) {
	const lines = source.split("\n");
	const cases = [];
	let current = null;
	let step = null;
	let order = "exact";
	lines.forEach((line, index) => {
		const fail = (why) => {
			throw new Error(`line ${index + 1}: ${why}: ${line}`);
		};
		if (line.startsWith("## ")) {
			current = { title: line.slice(3).trim(), line: index + 1, protocols: [2, 3], since: null, steps: [] };
			cases.push(current);
			step = null;
			return;
		}
		if (line.trim() === "" || line.startsWith("# ")) {
			if (step && step.to > step.from) step = null;
			return;
		}
		if (!current) fail("nothing may stand before the first case");
		const send = SEND.exec(line);
		if (send || line.startsWith("@")) {
			step = null;
			const begun = send ? sendStep(send) : directive(line, current, fail);
			if (begun?.order) order = begun.order;
			if (begun?.kind) {
				step = { ...begun, order, line: index + 1, from: index + 1, to: index + 1 };
				current.steps.push(step);
				order = "exact";
			}
			return;
		}
		if (!step) fail("an expectation without a command");
		step.to = index + 1;
	});
	for (const one of cases) for (const each of one.steps) readExpectation(lines, each);
	return { lines, cases };
}

function sendStep([, client, arrow, rest]) {
	const number = client === "" ? 1 : Number(client);
	const args = splitArguments(rest);
	if (arrow === ">>") return { kind: "send", client: number, args: null, bytes: args.join("") };
	return { kind: "send", client: number, args, bytes: encodeCommand(args) };
}

function directive(line, current, fail) {
	const [name, argument, more] = line.split(" ");
	if (name === "@resp" && (argument === "2" || argument === "3") && current.steps.length === 0) {
		current.protocols = [Number(argument)];
		return null;
	}
	if (name === "@since" && /^\d+(\.\d+)*$/.test(argument) && current.steps.length === 0) {
		current.since = argument;
		return null;
	}
	if (name === "@unordered") return { order: argument === "pairs" ? "pairs" : "unordered" };
	if (name === "@wait" && /^\d+ms$/.test(argument))
		return { kind: "wait", client: 0, ms: Number.parseInt(argument, 10) };
	if (name === "@close" && /^\d+$/.test(argument) && !more)
		return { kind: "close", client: Number(argument) };
	return fail("unknown directive");
}

/** Whether version `one` came before version `other`; both are numbers between dots. */
export function isOlder(one, other) {
	const [ours, theirs] = [one, other].map((version) => version.split(".").map(Number));
	for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
		const distance = (ours[i] ?? 0) - (theirs[i] ?? 0);
		if (distance !== 0) return distance < 0;
	}
	return false;
}

function readExpectation(lines, step) {
	const block = lines.slice(step.from, step.to);
	try {
		const three = block.filter((line) => line.startsWith("3| ")).map((line) => line.slice(3));
		step.expected = {
			2: readEvents(
				block.filter((line) => !line.startsWith("3| ")),
				step.client,
			),
		};
		step.expected[3] = three.length > 0 ? readEvents(three, step.client) : step.expected[2];
		step.recorded = block.length > 0;
	} catch (error) {
		throw new Error(`line ${step.line}: ${error.message}`);
	}
}

/** Expectation lines by client: a Map from the client's number to what it receives. */
function readEvents(lines, sender) {
	const blocks = new Map();
	let client = sender;
	for (const line of lines) {
		const header = /^<(\d+)$/.exec(line);
		if (header) client = Number(header[1]);
		else if (line !== "...") blocks.set(client, [...(blocks.get(client) ?? []), line]);
	}
	return new Map([...blocks].map(([number, block]) => [number, readValues(block)]));
}

/** The reverse of `readEvents`: the sender's values first, the other clients' under a header each. */
export function printEvents(events, sender) {
	const own = (events.get(sender) ?? []).flatMap((value) => print(value));
	const lines = own.length > 0 || sender === 0 ? own : ["..."];
	for (const client of [...events.keys()].sort((a, b) => a - b)) {
		const values = events.get(client);
		if (client === sender || values.length === 0) continue;
		lines.push(`<${client}`, ...values.flatMap((value) => print(value)));
	}
	if (lines.length === 0) lines.push("...");
	return lines;
}
