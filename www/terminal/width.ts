/** How many columns text takes on a terminal. */

const WIDE: readonly (readonly [number, number])[] = [
	[0x1100, 0x115f],
	[0x2e80, 0x303e],
	[0x3041, 0x33ff],
	[0x3400, 0x4dbf],
	[0x4e00, 0x9fff],
	[0xa000, 0xa4cf],
	[0xac00, 0xd7a3],
	[0xf900, 0xfaff],
	[0xfe30, 0xfe4f],
	[0xff00, 0xff60],
	[0xffe0, 0xffe6],
	[0x20000, 0x3fffd],
];

/** Columns of one code point, as xterm counts them without its Unicode add-ons. */
export function charWidth(char: string): number {
	const code = char.codePointAt(0) as number;
	if (code < 0x300) return code < 32 || (code >= 0x7f && code < 0xa0) ? 0 : 1;
	if (code <= 0x36f || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f)) return 0;
	return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

export function textWidth(text: string): number {
	let width = 0;
	for (const char of text) width += charWidth(char);
	return width;
}

/** Where the cursor stands after `text` was written from column 0 of a terminal with `columns` columns. */
export function positionAfter(text: string, columns: number): { row: number; column: number } {
	let row = 0;
	let column = 0;
	for (const char of text) {
		const width = charWidth(char);
		if (column + width > columns) {
			row++;
			column = 0;
		}
		column += width;
	}
	if (column === columns) return { row: row + 1, column: 0 };
	return { row, column };
}

/** Text broken between words into lines of at most `columns` columns. */
export function wrapWords(text: string, columns: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && textWidth(line) + 1 + textWidth(word) > columns) {
			lines.push(line);
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, line];
}
