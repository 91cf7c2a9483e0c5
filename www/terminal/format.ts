/** Replies as redis-cli prints them on a terminal. */

import type { RespNode } from "../engine/resp.ts";

/** What a piece of output is, for colours. */
export type Tone = "error" | "type" | "string" | "index" | "status";
/** Dresses a piece of output; without one it stays plain. */
export type Paint = (tone: Tone, text: string) => string;

const plain: Paint = (_, text) => text;
const NAMED: Readonly<Record<number, string>> = {
	7: "\\a",
	8: "\\b",
	9: "\\t",
	10: "\\n",
	13: "\\r",
	34: '\\"',
	92: "\\\\",
};
const MARKS = { array: ")", set: "~", map: "#", push: ">" } as const;
const EMPTY = { array: "array", set: "set", map: "hash", push: "push" } as const;

/** Bytes in quotes; what is not printable ASCII as an escape that the command line takes back. */
export function quoteBytes(bytes: Uint8Array): string {
	let text = '"';
	for (const byte of bytes) {
		const named = NAMED[byte];
		if (named) text += named;
		else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
		else text += `\\x${byte.toString(16).padStart(2, "0")}`;
	}
	return `${text}"`;
}

/** A reply, with a line end behind each line. */
export function formatReply(node: RespNode, paint: Paint = plain, prefix = ""): string {
	switch (node.kind) {
		case "error":
			return `${paint("error", `(error) ${node.text}`)}\n`;
		case "status":
			return `${paint("status", node.text)}\n`;
		case "int":
			return `${paint("type", "(integer)")} ${node.text}\n`;
		case "double":
			return `${paint("type", "(double)")} ${node.text}\n`;
		case "bignum":
			return `${paint("type", "(bignum)")} ${node.text}\n`;
		case "bool":
			return `${paint("type", node.value ? "(true)" : "(false)")}\n`;
		case "nil":
			return `${paint("type", "(nil)")}\n`;
		case "bulk":
			return `${paint("string", quoteBytes(node.bytes))}\n`;
		case "verbatim":
			return `${new TextDecoder().decode(node.bytes)}\n`;
		default:
			return formatItems(node, paint, prefix);
	}
}

function formatItems(
	{ kind, items }: { kind: keyof typeof MARKS; items: RespNode[] },
	paint: Paint,
	prefix: string,
): string {
	if (items.length === 0) return `${paint("type", `(empty ${EMPTY[kind]})`)}\n`;
	const step = kind === "map" ? 2 : 1;
	const width = String(items.length / step).length;
	const inner = prefix + " ".repeat(width + 2);
	let text = "";
	for (let i = 0; i < items.length; i += step) {
		const index = `${String(i / step + 1).padStart(width)}${MARKS[kind]} `;
		const item = formatReply(items[i] as RespNode, paint, inner);
		// The first line stands behind what the caller has printed already.
		text += `${i === 0 ? "" : prefix}${paint("index", index)}${item}`;
		if (kind === "map")
			text = `${text.slice(0, -1)} => ${formatField(items[i + 1] as RespNode, paint, inner)}`;
	}
	return text;
}

/** A map's value: behind its key when it takes one line, else on the lines below. */
function formatField(value: RespNode, paint: Paint, prefix: string): string {
	const text = formatReply(value, paint, prefix);
	const isNested = "items" in value && text.indexOf("\n") !== text.length - 1;
	return isNested ? `\n${prefix}${text}` : text;
}

/** Commands whose text redis-cli prints as it is, without quotes. */
const RAW = new Set([
	"info",
	"lolwut",
	"debug htstats",
	"debug htstats-key",
	"debug client-eviction",
	"memory malloc-stats",
	"memory doctor",
	"cluster info",
	"cluster nodes",
	"client list",
	"client info",
	"latency graph",
	"latency doctor",
	"latency histogram",
	"proxy info",
]);

/** Whether the reply to these words is meant for eyes, not for programs. */
export function isRawOutput(words: readonly string[]): boolean {
	const [name = "", sub = ""] = words.map((word) => word.toLowerCase());
	return RAW.has(name) || RAW.has(`${name} ${sub}`);
}

/** A reply without quotes or indices; what {@link isRawOutput} speaks of. */
export function formatRaw(node: RespNode): string {
	switch (node.kind) {
		case "bulk":
		case "verbatim": {
			const text = new TextDecoder().decode(node.bytes);
			return text.endsWith("\n") ? text : `${text}\n`;
		}
		case "array":
		case "set":
		case "push":
		case "map":
			return node.items.map(formatRaw).join("");
		default:
			return formatReply(node);
	}
}
