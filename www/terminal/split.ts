/** A typed line cut into words, with the quoting of redis-cli. */

const encoder = new TextEncoder();
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

export interface Word {
	/** What the engine gets. */
	readonly bytes: Uint8Array;
	/** The same as text, for matching names. */
	readonly text: string;
	/** Where the word begins and ends in the line. */
	readonly from: number;
	readonly to: number;
}

const isSpace = (c: string | undefined) => c === " " || c === "\t" || c === "\n" || c === "\r";
const isHex = (text: string) => /^[0-9a-fA-F]{2}$/.test(text);

/** A word under construction: text and escaped bytes in turn. */
class Gathered {
	private readonly bytes: number[] = [];
	private text = "";

	add(text: string): void {
		this.text += text;
	}

	addByte(byte: number): void {
		this.flush();
		this.bytes.push(byte);
	}

	private flush(): void {
		if (!this.text) return;
		for (const byte of encoder.encode(this.text)) this.bytes.push(byte);
		this.text = "";
	}

	end(from: number, to: number): Word {
		// Without escapes the text is what was typed.
		if (this.bytes.length === 0) return { bytes: encoder.encode(this.text), text: this.text, from, to };
		this.flush();
		const bytes = Uint8Array.from(this.bytes);
		return { bytes, text: new TextDecoder().decode(bytes), from, to };
	}
}

/** The words of `line`; null when quotes do not close or touch what follows. */
export function splitLine(line: string): Word[] | null {
	const words: Word[] = [];
	let at = 0;
	for (;;) {
		while (isSpace(line[at])) at++;
		if (at >= line.length) return words;
		const from = at;
		const word = new Gathered();
		while (at < line.length && !isSpace(line[at])) {
			const c = line[at] as string;
			if (c === '"' || c === "'") {
				const end = c === '"' ? readDouble(line, at + 1, word) : readSingle(line, at + 1, word);
				if (end < 0) return null;
				at = end;
				// A closing quote ends the word.
				if (at < line.length && !isSpace(line[at])) return null;
				break;
			}
			word.add(c);
			at++;
		}
		words.push(word.end(from, at));
	}
}

/** Reads up to a double quote; the place behind it, or -1. */
function readDouble(line: string, from: number, word: Gathered): number {
	let at = from;
	while (at < line.length) {
		const c = line[at] as string;
		if (c === '"') return at + 1;
		if (c === "\\" && line[at + 1] === "x" && isHex(line.slice(at + 2, at + 4))) {
			word.addByte(Number.parseInt(line.slice(at + 2, at + 4), 16));
			at += 4;
		} else if (c === "\\" && at + 1 < line.length) {
			const next = line[at + 1] as string;
			const escaped = ESCAPES[next];
			if (escaped === undefined) word.add(next);
			else word.addByte(escaped);
			at += 2;
		} else {
			word.add(c);
			at++;
		}
	}
	return -1;
}

function readSingle(line: string, from: number, word: Gathered): number {
	let at = from;
	while (at < line.length) {
		const c = line[at] as string;
		if (c === "'") return at + 1;
		if (c === "\\" && line[at + 1] === "'") {
			word.add("'");
			at += 2;
		} else {
			word.add(c);
			at++;
		}
	}
	return -1;
}

/** A word as it must be typed to arrive unchanged. */
export function quoteWord(text: string): string {
	if (text !== "" && /^[^\s"'\\\p{Cc}]+$/u.test(text)) return text;
	let quoted = '"';
	for (const c of text) {
		const code = c.charCodeAt(0);
		if (c === '"' || c === "\\") quoted += `\\${c}`;
		else if (c === "\n") quoted += "\\n";
		else if (c === "\r") quoted += "\\r";
		else if (c === "\t") quoted += "\\t";
		else if (code < 32 || code === 127) quoted += `\\x${code.toString(16).padStart(2, "0")}`;
		else quoted += c;
	}
	return `${quoted}"`;
}
