/** The rest of a command's arguments, as grey text behind what is typed; and what may be typed next. */

import type { ArgDoc, CommandDoc } from "./docs.ts";

/** One argument as a manual writes it: `[NX | XX]`, `EX seconds`, `key [key ...]`. */
export function displayArg(arg: ArgDoc): string {
	let text = displayBare(arg);
	if (arg.isMultiple) {
		const again = arg.isTokenRepeated || !arg.token ? text : displayValue(arg);
		text = `${text} [${again} ...]`;
	}
	return arg.isOptional ? `[${text}]` : text;
}

function displayBare(arg: ArgDoc): string {
	const value = displayValue(arg);
	if (arg.token === undefined) return value;
	const token = arg.token === "" ? '""' : arg.token;
	return value ? `${token} ${value}` : token;
}

function displayValue(arg: ArgDoc): string {
	switch (arg.type) {
		case "pure-token":
			return "";
		case "block":
			return arg.args.map(displayArg).join(" ");
		case "oneof": {
			const choices = arg.args.map(displayArg).join(" | ");
			return arg.isOptional && arg.token === undefined ? choices : `<${choices}>`;
		}
		default:
			return arg.display;
	}
}

/** All arguments of a command. */
export function displayArgs(args: readonly ArgDoc[]): string {
	return args.map(displayArg).join(" ");
}

/** How far words go along arguments. */
interface Match {
	/** Words used up. */
	readonly used: number;
	/** What is still to come, displayed. */
	readonly rest: string[];
	/** Tokens that may come next. */
	readonly tokens: string[];
	/** What the next word would be when it is a value. */
	readonly next: ArgDoc | undefined;
	/** The words ended within the argument. */
	readonly isOpen: boolean;
}

const NUMERIC = new Set(["integer", "unix-time"]);
const nothing: Match = { used: 0, rest: [], tokens: [], next: undefined, isOpen: false };

function isValue(arg: ArgDoc, word: string): boolean {
	if (NUMERIC.has(arg.type)) return /^[+-]?\d+$/.test(word);
	if (arg.type === "double") return /^[+-]?(\d|\.\d|inf)/i.test(word);
	return true;
}

const isToken = (arg: ArgDoc, word: string | undefined) =>
	word !== undefined && arg.token !== undefined && word.toUpperCase() === arg.token.toUpperCase();

/** Matches one argument once. `used` is 0 when the words do not begin with it. */
function matchOnce(arg: ArgDoc, words: readonly string[]): Match {
	let used = 0;
	if (arg.token !== undefined) {
		if (!isToken(arg, words[0])) return nothing;
		if (arg.type === "pure-token") return { ...nothing, used: 1 };
		used = 1;
		if (words.length === 1) {
			const inside = arg.type === "block" ? nextOf(arg.args) : { next: arg, tokens: tokensOf(arg) };
			return { used, rest: [displayValue(arg)], ...inside, isOpen: true };
		}
	}
	const behind = words.slice(used);
	if (arg.type === "oneof") {
		for (const choice of arg.args) {
			const match = matchOnce(choice, behind);
			if (match.used > 0) return { ...match, used: used + match.used };
		}
		return nothing;
	}
	if (arg.type === "block") {
		const match = matchAll(arg.args, behind);
		return match.used === 0 ? nothing : { ...match, used: used + match.used, isOpen: match.isOpen };
	}
	const [word] = behind;
	return word !== undefined && isValue(arg, word) ? { ...nothing, used: used + 1 } : nothing;
}

/** The tokens an argument may begin with. */
function tokensOf(arg: ArgDoc): string[] {
	if (arg.type === "oneof")
		return arg.args.flatMap((choice) => (choice.token ? [choice.token] : tokensOf(choice)));
	return [];
}

function firstTokens(arg: ArgDoc): string[] {
	if (arg.token) return [arg.token];
	if (arg.type === "block" && arg.args[0]) return firstTokens(arg.args[0]);
	return tokensOf(arg);
}

/** What may come first of `args`: tokens of the optional ones and of the first that is not. */
function nextOf(args: readonly ArgDoc[]): { tokens: string[]; next: ArgDoc | undefined } {
	const tokens: string[] = [];
	for (const arg of args) {
		const first = firstTokens(arg);
		tokens.push(...first);
		if (first.length === 0 && arg.type !== "block") return { tokens, next: arg };
		if (arg.type === "block" && first.length === 0) return { tokens, next: nextOf(arg.args).next };
		if (!arg.isOptional) return { tokens, next: undefined };
	}
	return { tokens, next: undefined };
}

/** Matches arguments in order; neighbouring optional ones in any order. */
function matchAll(args: readonly ArgDoc[], words: readonly string[]): Match {
	let used = 0;
	let left = [...args];
	while (left.length > 0 && used < words.length) {
		const step = matchNext(left, words.slice(used));
		if (!step) break;
		used += step.match.used;
		const rest = [...left.slice(0, step.index), ...left.slice(step.index + 1)];
		const arg = left[step.index] as ArgDoc;
		if (step.match.isOpen) {
			const more = [...step.match.rest, ...rest.map(displayArg)];
			return { used, rest: more, tokens: step.match.tokens, next: step.match.next, isOpen: true };
		}
		if (arg.isMultiple && used >= words.length) {
			const again = `[${arg.isTokenRepeated || !arg.token ? displayBare(arg) : displayValue(arg)} ...]`;
			const { tokens, next } = nextOf([{ ...arg, isOptional: true }, ...rest]);
			return {
				used,
				rest: [again, ...rest.map(displayArg)],
				tokens,
				next: arg.token ? next : arg,
				isOpen: false,
			};
		}
		// Optional arguments that were passed over stay possible only while others of their kind follow.
		const isAmongOptional = arg.isOptional && left.slice(0, step.index).every((before) => before.isOptional);
		left = isAmongOptional ? rest : rest.slice(step.index);
	}
	return {
		used,
		rest: left.map(displayArg),
		...nextOf(left),
		isOpen: used > 0 && left.some((a) => !a.isOptional),
	};
}

/** The first argument of `args` that the words fit: the first one, or one behind optional ones. */
function matchNext(
	args: readonly ArgDoc[],
	words: readonly string[],
): { index: number; match: Match } | undefined {
	for (let index = 0; index < args.length; index++) {
		const arg = args[index] as ArgDoc;
		const match = matchMany(arg, words);
		if (match.used > 0) return { index, match };
		if (!arg.isOptional) return undefined;
	}
	return undefined;
}

function matchMany(arg: ArgDoc, words: readonly string[]): Match {
	let match = matchOnce(arg, words);
	if (!arg.isMultiple) return match;
	const again = arg.isTokenRepeated || arg.token === undefined ? arg : { ...arg, token: undefined };
	while (match.used > 0 && !match.isOpen && match.used < words.length) {
		const more = matchOnce(again, words.slice(match.used));
		if (more.used === 0) break;
		match = { ...more, used: match.used + more.used };
	}
	return match;
}

export interface Hint {
	/** The arguments still to come; empty when the words do not fit. */
	readonly text: string;
	/** Tokens that may be typed now. */
	readonly tokens: readonly string[];
	/** The value that may be typed now. */
	readonly next: ArgDoc | undefined;
}

/** The hint behind `words`, which are complete words after the command's name. */
export function hintFor(doc: CommandDoc, words: readonly string[]): Hint {
	if (doc.subcommands.length > 0 && words.length === 0 && doc.args.length === 0) {
		return { text: "subcommand [argument ...]", tokens: [], next: undefined };
	}
	const match = matchAll(doc.args, words);
	if (match.used < words.length) return { text: "", tokens: [], next: undefined };
	return { text: match.rest.filter(Boolean).join(" "), tokens: match.tokens, next: match.next };
}
