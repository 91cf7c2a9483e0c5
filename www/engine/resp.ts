/** RESP as the terminal sees it: replies with everything the wire says, which a plain JavaScript value would lose. */

export type RespNode =
	| { kind: "status" | "error" | "int" | "double" | "bignum"; text: string }
	| { kind: "bulk" | "verbatim"; bytes: Uint8Array }
	| { kind: "bool"; value: boolean }
	| { kind: "nil" }
	/** `items` of a map are keys and values in turn. */
	| { kind: "array" | "map" | "set" | "push"; items: RespNode[] };

const CR = 13;
const utf8 = new TextDecoder();
const encoder = new TextEncoder();

class Incomplete extends Error {}

/** Cuts replies out of bytes that come in any portions. */
export class RespDecoder {
	private bytes = new Uint8Array(0);
	private at = 0;

	push(more: Uint8Array): void {
		const rest = this.bytes.subarray(this.at);
		if (rest.length === 0) this.bytes = more as Uint8Array<ArrayBuffer>;
		else {
			this.bytes = new Uint8Array(rest.length + more.length);
			this.bytes.set(rest);
			this.bytes.set(more, rest.length);
		}
		this.at = 0;
	}

	/** The next whole reply; undefined until its last byte is there. */
	next(): RespNode | undefined {
		if (this.at >= this.bytes.length) return undefined;
		const from = this.at;
		try {
			return this.read();
		} catch (error) {
			if (!(error instanceof Incomplete)) throw error;
			this.at = from;
			return undefined;
		}
	}

	private line(): string {
		const end = this.bytes.indexOf(CR, this.at);
		if (end < 0 || end + 1 >= this.bytes.length) throw new Incomplete();
		const text = utf8.decode(this.bytes.subarray(this.at, end));
		this.at = end + 2;
		return text;
	}

	private take(length: number): Uint8Array {
		const end = this.at + length;
		if (end + 2 > this.bytes.length) throw new Incomplete();
		const bytes = this.bytes.slice(this.at, end);
		this.at = end + 2;
		return bytes;
	}

	private read(): RespNode {
		const type = String.fromCharCode(this.bytes[this.at++] as number);
		const line = this.line();
		switch (type) {
			case "+":
				return { kind: "status", text: line };
			case "-":
				return { kind: "error", text: line };
			case ":":
				return { kind: "int", text: line };
			case ",":
				return { kind: "double", text: line };
			case "(":
				return { kind: "bignum", text: line };
			case "#":
				return { kind: "bool", value: line === "t" };
			case "_":
				return { kind: "nil" };
			case "$":
				return line === "-1" ? { kind: "nil" } : { kind: "bulk", bytes: this.take(Number(line)) };
			case "=":
				return { kind: "verbatim", bytes: this.take(Number(line)).subarray(4) };
			case "!":
				return { kind: "error", text: utf8.decode(this.take(Number(line))) };
			case "*":
				return line === "-1" ? { kind: "nil" } : { kind: "array", items: this.items(Number(line)) };
			case "~":
				return { kind: "set", items: this.items(Number(line)) };
			case ">":
				return { kind: "push", items: this.items(Number(line)) };
			case "%":
				return { kind: "map", items: this.items(Number(line) * 2) };
			case "|":
				// Attributes tell about the reply behind them, which is what is shown.
				this.items(Number(line) * 2);
				if (this.at >= this.bytes.length) throw new Incomplete();
				return this.read();
			default:
				throw new Error(`unexpected byte ${JSON.stringify(type)} in a reply`);
		}
	}

	private items(count: number): RespNode[] {
		const items: RespNode[] = [];
		for (let i = 0; i < count; i++) {
			if (this.at >= this.bytes.length) throw new Incomplete();
			items.push(this.read());
		}
		return items;
	}
}

/** A command as a client sends it. */
export function encodeCommand(args: readonly Uint8Array[]): Uint8Array {
	const parts: Uint8Array[] = [encoder.encode(`*${args.length}\r\n`)];
	for (const arg of args) parts.push(encoder.encode(`$${arg.length}\r\n`), arg, encoder.encode("\r\n"));
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}

/** Text of a node that is text; empty for others. */
export function textOf(node: RespNode | undefined): string {
	if (!node) return "";
	if ("bytes" in node) return utf8.decode(node.bytes);
	return "text" in node ? node.text : "";
}

export function encodeText(text: string): Uint8Array {
	return encoder.encode(text);
}
