/** The line being typed: text, cursor, history and search; no screen. */

import { quoteBytes } from "./format.ts";
import type { History } from "./history.ts";
import type { Key } from "./keys.ts";
import { quoteWord, splitLine, type Word } from "./split.ts";

/** What a key asks of the terminal, beyond a changed line. */
export type Action =
	| { kind: "none" | "redraw" | "interrupt" | "end-of-input" | "clear-screen" }
	| { kind: "submit"; line: string }
	/** Several lines at once; the last one stays in the editor. */
	| { kind: "paste"; lines: string[] };

/** Lines Tab goes through. */
export type Completer = (line: string) => readonly string[];

const REDRAW: Action = { kind: "redraw" };
const NONE: Action = { kind: "none" };

interface Tabbing {
	readonly lines: readonly string[];
	readonly original: string;
	index: number;
}

interface Search {
	text: string;
	/** Index of the line found, or -1. */
	found: number;
	readonly before: string;
}

/** Prompts that people copy along with commands. */
const COPIED_PROMPT =
	/^\s*(?:(?:redis(?:-cli)? )?(?:[\w.-]+:\d+)|redis(?:-cli)?|redstart)(?:\[\d+\])?(?:\(TX\))?>\s?|^\s*(?:>|\$ redis-cli)\s+/i;

/** So many lines a quoted word may go over. */
const MOST_QUOTED_LINES = 1000;

/** Lines that one quoted word goes over become one, with escapes for what cannot be typed: scripts are pasted that way. */
function joinQuoted(lines: readonly string[]): string[] {
	const joined: string[] = [];
	for (let at = 0; at < lines.length; at++) {
		let line = lines[at] as string;
		const end = Math.min(lines.length, at + MOST_QUOTED_LINES);
		let to = at;
		if (!line.trimStart().startsWith("#")) {
			let all = line;
			while (splitLine(all) === null && to + 1 < end) all += `\n${lines[++to]}`;
			const words = to > at ? splitLine(all) : null;
			// Quotes that never close belong to lines that stand for themselves.
			if (words) line = words.map((word) => requote(word, all.slice(word.from, word.to))).join(" ");
			else to = at;
		}
		joined.push(line.replaceAll("\t", " "));
		at = to;
	}
	return joined;
}

/** A word that was typed as `typed`, on one line. */
function requote(word: Word, typed: string): string {
	if (!typed.includes("\n")) return typed;
	return word.text.includes("\ufffd") ? quoteBytes(word.bytes) : quoteWord(word.text);
}

/** Pasted text as lines to run; prompts are cut, comments and empty lines left out. */
export function pastedLines(text: string): string[] {
	const lines = joinQuoted(text.replaceAll(/\r\n?/g, "\n").split("\n"));
	const last = lines.pop() ?? "";
	const isBlock = lines.length > 0;
	const clean = lines
		.map((line) => line.replace(COPIED_PROMPT, ""))
		.filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
	return [...clean, isBlock ? last.replace(COPIED_PROMPT, "") : last];
}

export class LineEditor {
	private chars: string[] = [];
	private at = 0;
	private readonly history: History;
	private readonly completer: Completer;
	/** Index in the history; its length means the new line. */
	private index: number;
	private draft = "";
	private tabbing: Tabbing | undefined;
	private search: Search | undefined;

	constructor(history: History, completer: Completer = () => []) {
		this.history = history;
		this.completer = completer;
		this.index = history.length;
	}

	get text(): string {
		return this.chars.join("");
	}

	/** Text before the cursor. */
	get before(): string {
		return this.chars.slice(0, this.at).join("");
	}

	get isAtEnd(): boolean {
		return this.at === this.chars.length;
	}

	/** What is searched for, while Ctrl-R is on. */
	get searching(): { text: string; isFound: boolean } | undefined {
		return (
			this.search && { text: this.search.text, isFound: this.search.found >= 0 || this.search.text === "" }
		);
	}

	set(text: string): void {
		this.chars = [...text];
		this.at = this.chars.length;
	}

	/** An empty line, behind the newest of the history. */
	reset(): void {
		this.set("");
		this.index = this.history.length;
		this.draft = "";
		this.tabbing = undefined;
		this.search = undefined;
	}

	handle(key: Key): Action {
		if (this.search) {
			const action = this.handleSearch(key, this.search);
			if (action) return action;
		}
		if (key.name === "tab" || key.name === "back-tab") return this.tab(key.name === "tab" ? 1 : -1);
		const tabbing = this.tabbing;
		this.tabbing = undefined;
		switch (key.name) {
			case "text":
				return this.insert(key.text);
			case "paste":
				return this.paste(key.text);
			case "enter":
				return this.submit();
			case "up":
				return this.recall(-1);
			case "down":
				return this.recall(1);
			case "interrupt":
			case "clear-screen":
				return { kind: key.name };
			case "end-of-input":
				return this.chars.length === 0 ? { kind: "end-of-input" } : this.remove(this.at, this.at + 1);
			case "search":
				this.search = { text: "", found: -1, before: this.text };
				return REDRAW;
			case "cancel":
				if (!tabbing) return NONE;
				this.set(tabbing.original);
				return REDRAW;
			default:
				return this.edit(key.name);
		}
	}

	private edit(name: Key["name"]): Action {
		switch (name) {
			case "left":
				return this.move(this.at - 1);
			case "right":
				return this.move(this.at + 1);
			case "home":
				return this.move(0);
			case "end":
				return this.move(this.chars.length);
			case "word-left":
				return this.move(this.wordLeft());
			case "word-right":
				return this.move(this.wordRight());
			case "backspace":
				return this.remove(this.at - 1, this.at);
			case "delete":
				return this.remove(this.at, this.at + 1);
			case "delete-word":
				return this.remove(this.wordLeft(), this.at);
			case "delete-next-word":
				return this.remove(this.at, this.wordRight());
			case "delete-to-start":
				return this.remove(0, this.at);
			case "delete-to-end":
				return this.remove(this.at, this.chars.length);
			case "transpose":
				return this.transpose();
			default:
				return NONE;
		}
	}

	private insert(text: string): Action {
		const chars = [...text];
		this.chars.splice(this.at, 0, ...chars);
		this.at += chars.length;
		return REDRAW;
	}

	private paste(text: string): Action {
		const lines = pastedLines(text);
		if (lines.length === 1) return this.insert(lines[0] as string);
		const first = this.before + (lines[0] as string);
		const last = (lines.pop() as string) + this.chars.slice(this.at).join("");
		const all = [first, ...lines.slice(1), last];
		this.reset();
		return { kind: "paste", lines: all };
	}

	private submit(): Action {
		const line = this.text;
		this.history.add(line);
		this.reset();
		return { kind: "submit", line };
	}

	private move(to: number): Action {
		const at = Math.max(0, Math.min(this.chars.length, to));
		if (at === this.at) return NONE;
		this.at = at;
		return REDRAW;
	}

	private remove(from: number, to: number): Action {
		const start = Math.max(0, from);
		const removed = this.chars.splice(start, Math.max(0, Math.min(to, this.chars.length) - start));
		if (removed.length === 0) return NONE;
		this.at = start;
		return REDRAW;
	}

	private wordLeft(): number {
		let at = this.at;
		while (at > 0 && this.chars[at - 1] === " ") at--;
		while (at > 0 && this.chars[at - 1] !== " ") at--;
		return at;
	}

	private wordRight(): number {
		let at = this.at;
		while (at < this.chars.length && this.chars[at] === " ") at++;
		while (at < this.chars.length && this.chars[at] !== " ") at++;
		return at;
	}

	private transpose(): Action {
		if (this.at === 0 || this.chars.length < 2) return NONE;
		const at = Math.min(this.at, this.chars.length - 1);
		const [a, b] = [this.chars[at - 1] as string, this.chars[at] as string];
		this.chars.splice(at - 1, 2, b, a);
		this.at = at + 1;
		return REDRAW;
	}

	private recall(step: number): Action {
		const index = this.index + step;
		if (index < 0 || index > this.history.length) return NONE;
		if (this.index === this.history.length) this.draft = this.text;
		this.index = index;
		this.set(this.history.at(index) ?? this.draft);
		return REDRAW;
	}

	private tab(step: 1 | -1): Action {
		this.tabbing ??= { lines: this.completer(this.before), original: this.text, index: step > 0 ? -1 : 0 };
		const { tabbing } = this;
		if (tabbing.lines.length === 0) {
			this.tabbing = undefined;
			return NONE;
		}
		// One place more than there are lines: what was typed comes round again.
		const count = tabbing.lines.length + 1;
		tabbing.index = (tabbing.index + step + count) % count;
		this.set(tabbing.lines[tabbing.index] ?? tabbing.original);
		if (tabbing.lines.length === 1) this.tabbing = undefined;
		return REDRAW;
	}

	private handleSearch(key: Key, search: Search): Action | undefined {
		switch (key.name) {
			case "text":
				search.text += key.text;
				return this.searchFrom(search, this.history.length);
			case "backspace":
				search.text = [...search.text].slice(0, -1).join("");
				return this.searchFrom(search, this.history.length);
			case "search":
				if (search.text === "") return NONE;
				return this.searchFrom(search, search.found < 0 ? this.history.length : search.found);
			case "cancel":
			case "interrupt":
				this.search = undefined;
				this.set(search.before);
				return REDRAW;
			default:
				// Any other key takes the line found and does what it does.
				this.search = undefined;
				if (search.found >= 0) this.index = search.found;
				return key.name === "tab" ? REDRAW : undefined;
		}
	}

	private searchFrom(search: Search, before: number): Action {
		const found = search.text === "" ? -1 : this.history.findBack(search.text, before);
		if (found >= 0) {
			search.found = found;
			this.set(this.history.at(found) as string);
			this.at = [...this.text.slice(0, this.text.indexOf(search.text))].length;
		} else if (before === this.history.length) search.found = -1;
		return REDRAW;
	}
}
