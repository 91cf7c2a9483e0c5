/** The parts of the terminal: words, keys, the line, the screen. */

import { Terminal } from "@xterm/xterm";
import { expect, test } from "vitest";
import { LineEditor, pastedLines } from "../../www/terminal/editor.ts";
import { quoteBytes } from "../../www/terminal/format.ts";
import { History, type TextStore } from "../../www/terminal/history.ts";
import { type Key, readKeys } from "../../www/terminal/keys.ts";
import { Screen } from "../../www/terminal/screen.ts";
import { quoteWord, splitLine } from "../../www/terminal/split.ts";
import { positionAfter, textWidth, wrapWords } from "../../www/terminal/width.ts";

const words = (line: string) => splitLine(line)?.map((word) => Buffer.from(word.bytes).toString("latin1"));

test("splits a line with the quoting of redis-cli", () => {
	expect(words("  set  a   b ")).toEqual(["set", "a", "b"]);
	expect(words('set k "a b\\n\\x01\\"\\\\"')).toEqual(["set", "k", 'a b\n\x01"\\']);
	expect(words("set k 'it\\'s \\n raw'")).toEqual(["set", "k", "it's \\n raw"]);
	expect(words("\"\" ''")).toEqual(["", ""]);
	expect(words('"\\xff\\xzz"')).toEqual(["\xffxzz"]);
	expect(words('a"b c"')).toEqual(["ab c"]);
	for (const bad of ['"open', "'open", '"a"b', "'a'b", '"a\\']) expect(words(bad)).toBeUndefined();
});

test("what is quoted comes back unchanged", () => {
	for (const text of [
		"plain",
		"",
		"two words",
		"q\"uo'te",
		"back\\slash",
		"tab\tnl\n\x01",
		"\u00e9\u4e16\ud83d\ude00",
	]) {
		const [word] = splitLine(quoteWord(text)) ?? [];
		expect(word?.text).toBe(text);
	}
	const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
	expect([...(splitLine(quoteBytes(bytes))?.[0]?.bytes ?? [])]).toEqual([...bytes]);
});

test("reads keys, sequences and pastes", () => {
	expect(readKeys("ab\x01\x1b[A\x1b[200~x\ry\x1b[201~\r")).toEqual([
		{ name: "text", text: "ab" },
		{ name: "home" },
		{ name: "up" },
		{ name: "paste", text: "x\ry" },
		{ name: "enter" },
	]);
	expect(readKeys("\x1b[99;9X\x1b")).toEqual([{ name: "cancel" }]);
});

const typed = (editor: LineEditor, input: string) => {
	let action = editor.handle({ name: "cancel" });
	for (const key of readKeys(input)) action = editor.handle(key);
	return action;
};
const edited = (input: string) => {
	const editor = new LineEditor(new History());
	typed(editor, input);
	return `${editor.before}|${editor.text.slice(editor.before.length)}`;
};

test("edits the line", () => {
	expect(edited("abc\x01X")).toBe("X|abc");
	expect(edited("abc\x1b[D\x1b[D\x7f")).toBe("|bc");
	expect(edited("one two three\x17")).toBe("one two |");
	expect(edited("one two three\x1b[1;5D\x1b[1;5D\x0b")).toBe("one |");
	expect(edited("one two\x1bb\x15")).toBe("|two");
	expect(edited("one two\x01\x1bd")).toBe("| two");
	expect(edited("ab\x14")).toBe("ba|");
	expect(edited("abc\x01\x04")).toBe("|bc");
	expect(edited("a\ud83d\ude00b\x1b[D\x7f")).toBe("a|b");
	expect(edited("abc\x1b[H\x1b[C\x1b[3~\x1b[F!")).toBe("ac!|");
});

test("ends of input and interrupts", () => {
	const editor = new LineEditor(new History());
	expect(typed(editor, "\x04")).toEqual({ kind: "end-of-input" });
	expect(typed(editor, "abc\x03")).toEqual({ kind: "interrupt" });
	expect(typed(editor, "\x0c")).toEqual({ kind: "clear-screen" });
	expect(typed(editor, "\r")).toEqual({ kind: "submit", line: "abc" });
	expect(editor.text).toBe("");
});

test("history is kept, without repeats and without passwords", () => {
	const kept = new Map<string, string>();
	const store: TextStore = {
		getItem: (key) => kept.get(key) ?? null,
		setItem: (key, text) => void kept.set(key, text),
	};
	const history = new History(store);
	for (const line of [
		"GET a",
		"GET a",
		"",
		"AUTH secret",
		"HELLO 3 AUTH u p",
		"CONFIG SET requirepass x",
		"GET b",
	]) {
		history.add(line);
	}
	expect(new History(store).all).toEqual(["GET a", "GET b"]);
	kept.set("redstart:history", "not json");
	expect(new History(store).all).toEqual([]);
	const full: TextStore = {
		getItem: () => null,
		setItem: () => {
			throw new Error("full");
		},
	};
	const short = new History(full);
	short.add("GET c");
	expect(short.all).toEqual(["GET c"]);
});

test("a draft survives a look at the history", () => {
	const history = new History();
	history.add("one");
	history.add("two");
	const editor = new LineEditor(history);
	const key = (name: "up" | "down"): Key => ({ name });
	typed(editor, "draft");
	for (const [name, text] of [
		["up", "two"],
		["up", "one"],
		["up", "one"],
		["down", "two"],
		["down", "draft"],
		["down", "draft"],
	] as const) {
		editor.handle(key(name));
		expect(editor.text).toBe(text);
	}
});

test("pasted prompts and comments are left out", () => {
	expect(pastedLines("redis> GET a")).toEqual(["redis> GET a"]);
	expect(pastedLines("redis> GET a\n")).toEqual(["GET a", ""]);
	expect(
		pastedLines(
			"127.0.0.1:6379[2](TX)> GET a\r\n# no\r\nlocalhost:6380> GET b\r\n$ redis-cli GET c\n> GET d",
		),
	).toEqual(["GET a", "GET b", "GET c", "GET d"]);
});

test("widths", () => {
	expect(textWidth("a\u4e16e\u0301")).toBe(4);
	expect(positionAfter("abcde", 5)).toEqual({ row: 1, column: 0 });
	expect(positionAfter("abcd\u4e16", 5)).toEqual({ row: 1, column: 2 });
});

test("wraps between words", () => {
	expect(wrapWords("one two three", 7)).toEqual(["one two", "three"]);
	expect(wrapWords("longer-than-that no", 5)).toEqual(["longer-than-that", "no"]);
	expect(wrapWords("", 5)).toEqual([""]);
});

/** What a real terminal makes of what the screen writes: its rows, and where the cursor is. */
async function shown(
	columns: number,
	draw: (screen: Screen) => void,
): Promise<{ rows: string[]; cursor: number[] }> {
	const terminal = new Terminal({ cols: columns, rows: 12, allowProposedApi: true });
	let written = "";
	draw(new Screen({ cols: columns, write: (text) => (written += text) }));
	await new Promise<void>((resolve) => terminal.write(written, resolve));
	const buffer = terminal.buffer.active;
	const rows = Array.from({ length: 12 }, (_, i) => buffer.getLine(i)?.translateToString(true) ?? "");
	return {
		rows: rows.slice(0, rows.findLastIndex((row) => row !== "") + 1),
		cursor: [buffer.cursorY, buffer.cursorX],
	};
}

test("draws lines longer than the terminal, again and again", async () => {
	const line = { prompt: "> ", text: "0123456789abcdef", before: "0123456789abcdef", hint: "" };
	const { rows, cursor } = await shown(6, (screen) => {
		screen.draw(line);
		screen.draw({ ...line, before: "01" });
		screen.print("out\n");
		screen.draw({ ...line, before: "0123" });
	});
	expect(rows).toEqual(["out", "> 0123", "456789", "abcdef"]);
	expect(cursor).toEqual([2, 0]);
});

test("hints are cut to the row and go when the line is left", async () => {
	const line = { prompt: "> ", text: "get ", before: "get ", hint: "key and more" };
	expect(await shown(12, (screen) => screen.draw(line))).toEqual({ rows: ["> get key a"], cursor: [0, 6] });
	const left = await shown(12, (screen) => {
		screen.draw(line);
		screen.leave();
	});
	expect(left).toEqual({ rows: ["> get "], cursor: [1, 0] });
});
