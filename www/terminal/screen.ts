/** Draws the line being typed at the bottom of the terminal, and output above it. */

import { positionAfter, textWidth } from "./width.ts";

/** The part of a terminal this needs. */
export interface Output {
	readonly cols: number;
	write(text: string): void;
}

export interface Line {
	/** What stands in front, without colours. */
	readonly prompt: string;
	readonly text: string;
	/** `text` up to the cursor. */
	readonly before: string;
	/** Grey text behind, which is cut to the row. */
	readonly hint: string;
}

export const STYLE = {
	reset: "\x1b[0m",
	faint: "\x1b[90m",
	error: "\x1b[31m",
	type: "\x1b[36m",
	status: "\x1b[32m",
	prompt: "\x1b[1;33m",
	title: "\x1b[1m",
} as const;

export function styled(style: keyof typeof STYLE, text: string): string {
	return text === "" ? "" : `${STYLE[style]}${text}${STYLE.reset}`;
}

export class Screen {
	private readonly output: Output;
	/** The line on screen, if there is one. */
	private line: Line | undefined;

	constructor(output: Output) {
		this.output = output;
	}

	/** Sequences that take the drawn line away and leave the cursor where it began. */
	private erase(): string {
		if (!this.line) return "";
		const { row } = positionAfter(this.line.prompt + this.line.before, this.output.cols);
		this.line = undefined;
		return `${row > 0 ? `\x1b[${row}A` : ""}\r\x1b[J`;
	}

	/** Shows `line` in place of the one before. */
	draw(line: Line): void {
		const columns = this.output.cols;
		let text = this.erase() + styled("prompt", line.prompt) + line.text;
		const typed = positionAfter(line.prompt + line.text, columns);
		const hint = cut(line.hint, columns - typed.column - 1);
		text += styled("faint", hint);
		const end = positionAfter(line.prompt + line.text + hint, columns);
		// A full row leaves the cursor hanging at its end; the next row is made to exist.
		if (end.column === 0 && end.row > 0) text += "\r\n";
		const target = positionAfter(line.prompt + line.before, columns);
		if (end.row > target.row) text += `\x1b[${end.row - target.row}A`;
		text += `\r${target.column > 0 ? `\x1b[${target.column}C` : ""}`;
		this.line = line;
		this.output.write(text);
	}

	/** Leaves the line as it is, without its hint, and goes below. */
	leave(): void {
		if (!this.line) return;
		const { prompt, text } = this.line;
		const erased = this.erase();
		this.output.write(`${erased}${styled("prompt", prompt)}${text}\r\n`);
	}

	/** Prints whole lines where the line was; draw the line again afterwards. */
	print(text: string): void {
		this.output.write(this.erase() + text.replaceAll(/\r?\n/g, "\r\n"));
	}

	/** An empty screen; the lines that scrolled away go as well. */
	clear(): void {
		this.line = undefined;
		this.output.write("\x1b[H\x1b[2J\x1b[3J");
	}
}

function cut(text: string, columns: number): string {
	if (textWidth(text) <= columns) return text;
	let width = 0;
	let kept = "";
	for (const char of text) {
		width += textWidth(char);
		if (width > columns) break;
		kept += char;
	}
	return kept;
}
