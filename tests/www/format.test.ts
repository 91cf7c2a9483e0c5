import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RespDecoder, type RespNode } from "../../www/engine/resp.ts";
import { formatRaw, formatReply, isRawOutput } from "../../www/terminal/format.ts";

interface Recorded {
	protocol: string;
	words: string[];
	wire: string;
	text: string;
}

const recorded: Recorded[] = JSON.parse(readFileSync(new URL("replies.json", import.meta.url), "utf8"));

function decode(bytes: Uint8Array): RespNode {
	const decoder = new RespDecoder();
	decoder.push(bytes);
	const node = decoder.next();
	if (!node) throw new Error("no whole reply");
	expect(decoder.next()).toBeUndefined();
	return node;
}

/** redis-cli ends raw output in a line end of its own. */
const trimmed = (text: string) => text.replace(/\n+$/, "\n");

test.each(
	recorded.map((one) => [`${one.words.join(" ").slice(0, 60)} in RESP${one.protocol}`, one] as const),
)("prints %s as redis-cli does", (_, { words, wire, text }) => {
	const node = decode(Buffer.from(wire, "base64"));
	const printed = isRawOutput(words) && node.kind !== "error" ? formatRaw(node) : formatReply(node);
	expect(trimmed(printed)).toBe(trimmed(Buffer.from(text, "base64").toString("utf8")));
});

test("takes replies in any portions", () => {
	const bytes = Buffer.from(
		"*2\r\n$5\r\nhello\r\n%1\r\n+k\r\n:1\r\n$-1\r\n,inf\r\n|1\r\n+ttl\r\n:9\r\n:7\r\n",
		"latin1",
	);
	for (let size = 1; size < bytes.length; size++) {
		const decoder = new RespDecoder();
		const nodes: RespNode[] = [];
		for (let at = 0; at < bytes.length; at += size) {
			decoder.push(new Uint8Array(bytes.subarray(at, at + size)));
			for (let node = decoder.next(); node; node = decoder.next()) nodes.push(node);
		}
		expect(nodes.map((node) => formatReply(node)).join("")).toBe(
			'1) "hello"\n2) 1# k => (integer) 1\n(nil)\n(double) inf\n(integer) 7\n',
		);
	}
});

test("refuses what is no reply", () => {
	const decoder = new RespDecoder();
	decoder.push(Buffer.from("?what\r\n"));
	expect(() => decoder.next()).toThrow(/unexpected byte/);
});
