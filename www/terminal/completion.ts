/** What Tab offers and what stands grey behind the line. */

import type { CommandDoc, CommandDocs } from "./docs.ts";
import { displayArgs, hintFor } from "./hints.ts";
import { quoteWord, splitLine } from "./split.ts";

/** Keys that begin with a prefix, a few of them. */
export type KeyFinder = (prefix: string) => readonly string[];

export interface Completion {
	/** Whole lines to choose from, in order. */
	readonly lines: readonly string[];
}

/** Words a command takes that only this terminal knows. */
export const LOCAL_COMMANDS = ["CLEAR", "HELP", "HISTORY"] as const;

/** As typed: a lower-case beginning goes on in lower case. */
function caseLike(typed: string, name: string): string {
	return typed !== "" && typed === typed.toLowerCase() ? name.toLowerCase() : name;
}

/** Lines that Tab goes through for `line`, the cursor at its end. */
export function complete(line: string, docs: CommandDocs, findKeys: KeyFinder): Completion {
	const words = splitLine(line);
	if (!words) return completeOpenQuote();
	const isNewWord = line === "" || /\s$/.test(line);
	const typed = isNewWord ? "" : (words.at(-1)?.text ?? "");
	const from = isNewWord ? line.length : (words.at(-1)?.from ?? 0);
	const head = line.slice(0, from);
	const before = (isNewWord ? words : words.slice(0, -1)).map((word) => word.text);
	const make = (choices: Iterable<string>) => ({
		lines: [...new Set(choices)].map((choice) => head + choice).filter((choice) => choice !== line),
	});
	if (before.length === 0 || before[0]?.toLowerCase() === "help") {
		return make(commandNames(typed, docs, before.length > 0));
	}
	const container = docs.commands.get((before[0] as string).toUpperCase());
	if (before.length === 1 && container && container.subcommands.length > 0) {
		const subs = container.subcommands.map((sub) => sub.name.slice(container.name.length + 1));
		return make(startingWith(typed, subs));
	}
	const found = docs.find(before);
	if (!found) return { lines: [] };
	const { tokens, next } = hintFor(found.doc, before.slice(found.length));
	const choices = startingWith(typed, tokens);
	if (next?.type === "key") choices.push(...findKeys(typed).map(quoteWord));
	return make(choices);
}

const completeOpenQuote = (): Completion => ({ lines: [] });

function startingWith(typed: string, names: readonly string[]): string[] {
	const upper = typed.toUpperCase();
	return names.filter((name) => name.toUpperCase().startsWith(upper)).map((name) => caseLike(typed, name));
}

function commandNames(typed: string, docs: CommandDocs, isHelp: boolean): string[] {
	if (typed.startsWith("@"))
		return startingWith(
			typed,
			docs.groups.map((group) => `@${group}`),
		);
	const own = isHelp ? [] : LOCAL_COMMANDS;
	const names = docs.names.filter((name) => !name.includes(" "));
	return startingWith(typed, [...names, ...own].sort());
}

/** Grey text for behind `line`. Empty when there is nothing to say. */
export function hint(line: string, docs: CommandDocs): string {
	if (line.trim() === "") return "";
	const words = splitLine(line)?.map((word) => word.text);
	if (!words) return "";
	const isNewWord = /\s$/.test(line);
	const found = docs.find(words);
	if (!found) return "";
	const { doc, length } = found;
	// A name still being typed may go on: SET, SETNX. Hints wait for the space, as arguments wait for theirs.
	const given = words.slice(length);
	const complete = isNewWord ? given : given.slice(0, -1);
	let { text } = hintFor(doc, complete);
	if (!isNewWord && given.length > 0) {
		// The word at the cursor is unfinished: show what follows it once it fits, or the rest of a token.
		text = hintFor(doc, given).text || restOfToken(doc, complete, given.at(-1) as string);
		if (text.startsWith("\0")) return text.slice(1);
	}
	if (!isNewWord && given.length === 0) text = doc.subcommands.length > 0 ? text : displayArgs(doc.args);
	if (!text) return "";
	return isNewWord ? text : ` ${text}`;
}

/** The rest of the one token that `typed` begins, and what follows; marked by a zero as it stands right behind the word. */
function restOfToken(doc: CommandDoc, complete: readonly string[], typed: string): string {
	const { tokens } = hintFor(doc, complete);
	const token = tokens.find((name) => name.toUpperCase().startsWith(typed.toUpperCase()));
	if (!token || typed === "") return "";
	const { text } = hintFor(doc, [...complete, token]);
	return `\0${caseLike(typed, token).slice(typed.length)}${text ? ` ${text}` : ""}`;
}
