/**
 * From typed methods to words: `db.set("k", "v", { ex: 10 })` becomes `SET k v EX 10`. What each command takes is in the
 * generated table; there is one road for all of them.
 */

import { COMMANDS } from "./commands.gen.ts";
import type { Arg } from "./engine.ts";

/** A line of the generated table. */
export interface CommandEntry {
	/** Its place in the table. */
	readonly index: number;
	/** The typed method. */
	readonly method: string;
	/** What goes to the engine first, in upper case. */
	readonly name: string;
	/** The second word of a subcommand. */
	readonly sub: string | undefined;
	/** What it does depends on the clock even when no key has a deadline. */
	readonly isTimed: boolean;
	/** It may block, so the typed method returns a promise. */
	readonly isBlocking: boolean;
	/** It runs a script: its keys may be left out, and then their number is 0. */
	readonly isScript: boolean;
	/** The rest of the line, see {@link shape}. */
	readonly form: string;
	shape?: Shape;
}

/** How objects and lists among the arguments become words. */
interface Shape {
	/** Options in the order the command wants them, by their name in lower case. */
	readonly options: ReadonlyMap<string, Option>;
	/** Names of an item given as an object (`{ score, member }`). */
	readonly item: readonly string[];
	/** The first list is preceded by its length. */
	readonly isCounted: boolean;
	/** Words before the count. */
	readonly prefix: string;
}

interface Option {
	/** Where it stands among the options. */
	readonly place: number;
	/** The key it was last given by. */
	key: string;
	/** The word in front; empty for none. */
	readonly token: string;
	/** `true`: the word alone. */
	readonly isFlag: boolean;
	/** The word is repeated for each value. */
	readonly isRepeated: boolean;
	/** Names of the values, when there are several. */
	readonly fields: readonly string[];
}

/**
 * The table. A line is `name flags form`: flags `t` timed, `b` blocking, `-` none; the form is made of words
 * `?TOKEN` (flag), `?TOKEN=` (with a value), `?TOKEN*` (repeated), `?TOKEN=a.b` (with several), `?=name` (a value without a
 * word), `@a.b` (an item's names), `#` or `#PREFIX` (a counted list), `##` (one that may be left out, for scripts).
 */
export const ENTRIES: readonly CommandEntry[] = COMMANDS.split("\n").map((line, index) => {
	const [path = "", flags = "", ...form] = line.split(" ");
	const [name = "", sub] = path.split("|");
	return {
		index,
		method: methodName(path),
		name: name.toUpperCase(),
		sub: sub?.toUpperCase(),
		isTimed: flags.includes("t"),
		isBlocking: flags.includes("b"),
		isScript: form[0] === "##",
		form: form.join(" "),
	};
});

/** `config|get` is `configGet`, `sort_ro` is `sortRo`. */
export function methodName(path: string): string {
	return path.toLowerCase().replace(/[^a-z0-9]+(.)/g, (_, letter: string) => letter.toUpperCase());
}

function shape(entry: CommandEntry): Shape {
	if (entry.shape) return entry.shape;
	const options = new Map<string, Option>();
	let item: string[] = [];
	let isCounted = false;
	let prefix = "";
	for (const word of entry.form.split(" ")) {
		const rest = word.slice(1);
		if (word[0] === "@") item = rest.split(".");
		if (word[0] === "#") {
			isCounted = true;
			prefix = rest === "#" ? "" : rest;
		}
		if (word[0] === "?") {
			const [, token = "", kind = "", fields = ""] = /^([^=*]*)([=*]?)(.*)$/.exec(rest) ?? [];
			const names = fields ? fields.split(".") : [];
			const key = (token || fields).toLowerCase();
			options.set(key, {
				place: options.size,
				key,
				token,
				isFlag: kind === "",
				isRepeated: kind === "*",
				fields: token ? names : [],
			});
		}
	}
	entry.shape = { options, item, isCounted, prefix };
	return entry.shape;
}

/** The words after the command's name. Throws a TypeError for what is no argument. */
export function words(entry: CommandEntry, args: ArrayLike<unknown>): Arg[] {
	const out: Arg[] = entry.sub ? [entry.sub] : [];
	let count = args.length;
	// An optional argument left out at the end may be given as undefined.
	while (count > 0 && args[count - 1] === undefined) count--;
	let isCounted = false;
	for (let i = 0; i < count; i++) {
		const arg = args[i];
		if (Array.isArray(arg)) {
			if (!isCounted) addCount(entry, arg.length, out);
			isCounted = true;
			for (const item of arg) add(entry, item, out);
		} else {
			if (arg === undefined && entry.isScript) out.push(0);
			isCounted ||= entry.isScript && i > 0;
			add(entry, arg, out);
		}
	}
	if (entry.isScript && count === 1) out.push(0);
	return out;
}

function addCount(entry: CommandEntry, count: number, out: Arg[]): void {
	const { isCounted, prefix } = shape(entry);
	if (!isCounted) return;
	if (prefix) out.push(prefix);
	out.push(count);
}

function add(entry: CommandEntry, arg: unknown, out: Arg[]): void {
	if (isArg(arg)) out.push(arg);
	else if (Array.isArray(arg)) for (const item of arg) add(entry, item, out);
	else if (arg instanceof Map) for (const pair of arg) for (const item of pair) add(entry, item, out);
	else if (arg !== null && typeof arg === "object") addObject(entry, arg as Record<string, unknown>, out);
	else if (arg !== undefined) throw wrong(entry, arg);
}

export function isArg(arg: unknown): arg is Arg {
	switch (typeof arg) {
		case "string":
		case "number":
		case "bigint":
			return true;
		default:
			return arg instanceof Uint8Array;
	}
}

function wrong(entry: CommandEntry, arg: unknown): TypeError {
	const what = arg === null ? "null" : typeof arg;
	return new TypeError(`${entry.method}: ${what} is no argument of a command; give text, a number or bytes`);
}

function addObject(entry: CommandEntry, object: Record<string, unknown>, out: Arg[]): void {
	const { options, item } = shape(entry);
	if (item.length > 0 && (item[0] as string) in object) {
		for (const name of item) add(entry, object[name], out);
		return;
	}
	if (options.size === 0) {
		// A record of fields, such as MSET's.
		for (const key of Object.keys(object)) {
			out.push(key);
			add(entry, object[key], out);
		}
		return;
	}
	const given: Option[] = [];
	for (const key in object) {
		const option = options.get(key) ?? options.get(key.toLowerCase());
		if (!option) throw new TypeError(`${entry.method}: there is no option "${key}"`);
		option.key = key;
		given.push(option);
	}
	// Redis takes some options in one order only.
	if (given.length > 1) given.sort((a, b) => a.place - b.place);
	for (const option of given) addOption(entry, option, object[option.key], out);
}

function addOption(entry: CommandEntry, option: Option, value: unknown, out: Arg[]): void {
	if (value === undefined || value === null || value === false) return;
	if (option.isRepeated) {
		for (const one of Array.isArray(value) ? value : [value]) {
			out.push(option.token);
			add(entry, one, out);
		}
		return;
	}
	if (option.token) out.push(option.token);
	if (option.isFlag) return;
	if (value === true)
		throw new TypeError(`${entry.method}: option "${option.token.toLowerCase()}" wants a value`);
	if (option.fields.length > 0 && !isArg(value) && !Array.isArray(value)) {
		for (const field of option.fields) add(entry, (value as Record<string, unknown>)[field], out);
	} else if (value instanceof Date) {
		// PXAT and its like count milliseconds, EXAT seconds.
		out.push(Math.floor(value.getTime() / (option.token.startsWith("P") ? 1 : 1000)));
	} else add(entry, value, out);
}

/** Gives `prototype` a method for each command that it has none for. */
export function install(
	prototype: object,
	make: (entry: CommandEntry) => (...args: never[]) => unknown,
): void {
	for (const entry of ENTRIES) {
		if (entry.method in prototype) continue;
		Object.defineProperty(prototype, entry.method, {
			value: make(entry),
			writable: true,
			configurable: true,
		});
	}
}
