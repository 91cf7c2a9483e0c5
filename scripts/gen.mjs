// Writes what follows from the command table of the engine (printed by examples/command_table.rs): js/commands.gen.ts,
// the types of every command's method and the compact table by which the methods work at run time; docs/coverage.md,
// which of Redis' commands are here.
// `npm run gen -- --check` writes nothing and fails when a file is not what it would write.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { coverage } from "./coverage.mjs";
import { isMain, root } from "./shell.mjs";

/** Commands that the clients have methods of their own for, or that make no sense without a socket. */
const WITHOUT_METHOD = new Set([
	"multi",
	"exec",
	"discard",
	"subscribe",
	"unsubscribe",
	"psubscribe",
	"punsubscribe",
	"ssubscribe",
	"sunsubscribe",
	"monitor",
	"quit",
	"psync",
	"sync",
	"replconf",
	"asking",
]);

/** Commands that wait for the host, besides those that Redis flags as blocking. */
const WAITING = new Set(["save"]);

/** Groups whose commands ask for the time only if an argument says so. */
const UNTIMED_GROUPS = new Set([
	"string",
	"hash",
	"list",
	"set",
	"sorted-set",
	"bitmap",
	"hyperloglog",
	"geo",
	"generic",
]);
const TIMED_ARGUMENT = /second|unix|ttl|expir|timeout/;

/** The table: one object per command and subcommand, containers without a form of their own left out. */
function readTable() {
	const out = execFileSync("cargo", ["run", "--quiet", "--example", "command_table"], {
		cwd: root,
		maxBuffer: 64 << 20,
		stdio: ["ignore", "pipe", "inherit"],
	});
	return JSON.parse(out.toString());
}

// ---- replies ----

/** The row's reply grammar as a TypeScript type. */
export function replyType(text) {
	const words = text.match(/map<|set<|[[\]|,<>]|[^\s[\]|,<>]+/g) ?? [];
	let at = 0;
	const expect = (word) => {
		if (words[at++] !== word) throw new Error(`reply type ${text}: ${word} expected`);
	};
	const one = () => {
		const word = words[at++];
		if (word === "[") {
			const inner = union();
			if (words[at] === ",") {
				const rest = [inner];
				while (words[at] === ",") {
					at++;
					rest.push(union());
				}
				expect("]");
				return `[${rest.join(", ")}]`;
			}
			expect("]");
			return /[|]/.test(inner) ? `(${inner})[]` : `${inner}[]`;
		}
		if (word === "map<") {
			const key = union();
			expect(",");
			const value = union();
			expect(">");
			return key === "Reply" ? "Reply" : `Record<string, ${value}>`;
		}
		if (word === "set<") {
			const inner = union();
			expect(">");
			return /[|]/.test(inner) ? `(${inner})[]` : `${inner}[]`;
		}
		const type = {
			int: "number",
			index: "number",
			bulk: "string",
			simple: "string",
			nil: "null",
			double: "number",
		}[word];
		if (type) return type;
		if (word === "bool") return "boolean";
		if (word === "any") return "Reply";
		if (/^[A-Z][A-Za-z0-9_-]*$/.test(word)) return JSON.stringify(word);
		throw new Error(`reply type ${text}: unknown word ${word}`);
	};
	const union = () => {
		const parts = [one()];
		while (words[at] === "|") {
			at++;
			parts.push(one());
		}
		return [...new Set(parts)].join(" | ");
	};
	const type = union();
	if (at !== words.length) throw new Error(`reply type ${text}: left over ${words.slice(at).join(" ")}`);
	return type.split(" | ").includes("Reply") ? "Reply" : type;
}

// ---- arguments ----

class Complex extends Error {}

const isFlag = (arg) => arg.type === "pure-token";
const literal = (arg) => JSON.stringify(arg.token);
const camel = (name) => name.toLowerCase().replace(/[^a-z0-9]+(.)/g, (_, letter) => letter.toUpperCase());

/** Names that cannot be parameters. */
const RESERVED = new Set(["function", "default", "new", "in", "with", "delete"]);
const paramName = (name) =>
	RESERVED.has(camel(name)) ? `${camel(name)}Name` : camel(name).replace(/^\d/, "_$&");

function scalarType(arg) {
	switch (arg.type) {
		case "key":
		case "pattern":
			return "Key";
		case "integer":
		case "unix-time":
			return "Int";
		case "double":
			return "Double";
		case "string":
			return "Arg";
		case "oneof": {
			if (arg.arguments.every((one) => isFlag(one))) {
				return `Word<${arg.arguments.map(literal).join(" | ")}>`;
			}
			if (arg.arguments.some((one) => one.token || one.arguments)) throw new Complex();
			return [...new Set(arg.arguments.map(scalarType))].join(" | ");
		}
		default:
			throw new Complex();
	}
}

/** Whether an argument begins with a word, so that it can be an option. */
function isTokened(arg) {
	if (arg.token) return true;
	if (arg.type === "oneof") return arg.arguments.every(isTokened);
	return arg.type === "block" && isTokened(arg.arguments[0]);
}

const quoted = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : JSON.stringify(name));

/** Adds what `arg` says to the options: `fields` for the type, `form` for the run time. */
function addOption(arg, fields, form) {
	if (arg.type === "oneof" && !arg.token) {
		for (const one of arg.arguments) addOption(one, fields, form);
		return;
	}
	if (arg.type === "block" && !arg.token) {
		for (const one of arg.arguments) addOption(one, fields, form);
		return;
	}
	const name = quoted((arg.token ?? camel(arg.name)).toLowerCase());
	if (arg.token === "") throw new Complex();
	if (isFlag(arg)) {
		fields.push(`${name}?: boolean`);
		form.push(`?${arg.token}`);
	} else if (arg.type === "block") {
		const names = arg.arguments.map((one) => camel(one.name));
		const types = arg.arguments.map(scalarType);
		if (arg.multiple) throw new Complex();
		const object = names.map((one, i) => `${one}: ${types[i]}`).join("; ");
		fields.push(`${name}?: { ${object} } | readonly [${types.join(", ")}]`);
		form.push(`?${arg.token}=${names.join(".")}`);
	} else {
		const type = arg.type === "unix-time" ? "Int | Date" : scalarType(arg);
		const many = arg.multiple ? `${type} | readonly (${type})[]` : type;
		fields.push(`${name}?: ${many}`);
		if (!arg.token) form.push(`?=${camel(arg.name)}`);
		else form.push(`?${arg.token}${arg.multiple_token ? "*" : "="}`);
	}
}

function isRecord(block) {
	const [first, second] = block.arguments;
	const isText = (arg) => ["key", "string"].includes(arg.type) && !arg.optional;
	return block.arguments.length === 2 && isText(first) && ["string", "integer"].includes(second.type);
}

/** Parameters, options and run-time form of a command; throws Complex where only plain words will do. */
function describe(args) {
	const params = [];
	const fields = [];
	const form = [];
	let optionsAt = -1;
	for (let i = 0; i < args.length; i++) {
		const arg = args[i];
		const isLast = i === args.length - 1;
		if (arg.type === "integer" && /^num/.test(arg.name) && args[i + 1]?.multiple && !arg.token) {
			const list = args[++i];
			if (list.optional) return describeScript(params, list, args.slice(i + 1));
			params.push({ name: paramName(list.name), type: `readonly ${scalarType(list)}[]` });
			form.push("#");
		} else if (
			arg.type === "block" &&
			arg.token &&
			/^num/.test(arg.arguments[0].name) &&
			arg.arguments.length === 2
		) {
			const list = arg.arguments[1];
			if (!list.multiple || list.arguments) throw new Complex();
			params.push({ name: paramName(list.name), type: `readonly ${scalarType(list)}[]` });
			form.push(`#${arg.token}`);
		} else if (isTokened(arg) && (arg.optional || (arg.type === "oneof" && !arg.arguments.every(isFlag)))) {
			if (arg.type === "oneof" && arg.multiple) throw new Complex();
			if (optionsAt < 0) {
				optionsAt = params.length;
			} else if (optionsAt !== params.length) throw new Complex();
			addOption(arg, fields, form);
		} else if (isFlag(arg) || arg.token) throw new Complex();
		else addParam(arg, isLast, params, form);
	}
	if (new Set(fields.map((field) => field.split("?:")[0])).size < fields.length) throw new Complex();
	return { params, fields, form, optionsAt };
}

/** Keys that may be none, and arguments behind them: two lists, which are empty when they are left out. */
function describeScript(params, keys, rest) {
	const [arg, ...more] = rest;
	if (more.length > 0 || !arg?.multiple) throw new Complex();
	params.push({ name: `${paramName(keys.name)}s`, type: `readonly ${scalarType(keys)}[]`, optional: true });
	params.push({ name: `${paramName(arg.name)}s`, type: `readonly ${scalarType(arg)}[]`, optional: true });
	return { params, fields: [], form: ["##"], optionsAt: -1, isScript: true };
}

function addParam(arg, isLast, params, form) {
	if (arg.type === "block" && arg.multiple) {
		if (!isLast) throw new Complex();
		if (isRecord(arg)) params.push({ name: paramName(arg.name), type: "Fields", isRecord: true });
		else {
			const names = arg.arguments.map((one) => camel(one.name));
			const types = arg.arguments.map(scalarType);
			const item = names.map((name, i) => `${name}: ${types[i]}`).join("; ");
			params.push({ name: `...${paramName(arg.name)}`, type: `Many<{ ${item} }>` });
			form.push(`@${names.join(".")}`);
		}
		return;
	}
	if (arg.type === "block" && arg.optional) {
		for (const one of arg.arguments) {
			if (one.token || one.multiple) throw new Complex();
			params.push({ name: paramName(one.name), type: scalarType(one), optional: true });
		}
		return;
	}
	const type = scalarType(arg);
	if (!arg.multiple) params.push({ name: paramName(arg.name), type, optional: arg.optional });
	else if (isLast) params.push({ name: `...${paramName(arg.name)}`, type: `Many<${type}>` });
	else params.push({ name: paramName(arg.name), type: `readonly (${type})[]` });
}

// ---- output ----

function signatures(command) {
	let described;
	try {
		described = describe(command.arguments ?? []);
	} catch (error) {
		if (!(error instanceof Complex)) throw error;
		const isBare = (command.arguments ?? []).length === 0;
		return { lists: [isBare ? "" : "...args: Arg[]"], form: [] };
	}
	const { params, fields, form, optionsAt, isScript = false } = described;
	const seen = new Map();
	for (const param of params) {
		const bare = param.name.replace("...", "");
		const count = seen.get(bare) ?? 0;
		seen.set(bare, count + 1);
		if (count > 0) param.name += count + 1;
	}
	const text = (list) => {
		// Nothing required may follow something optional.
		const lastRequired = list.findLastIndex((one) => !one.optional && !one.name.startsWith("..."));
		return list
			.map((one, i) => `${one.name}${one.optional && i > lastRequired ? "?" : ""}: ${one.type}`)
			.join(", ");
	};
	const lists = [];
	if (fields.length === 0) lists.push(text(params));
	else {
		const options = { name: "options", type: `{ ${fields.join("; ")} }` };
		if (optionsAt === params.length || params.slice(optionsAt).every((one) => one.optional)) {
			lists.push(
				text([...params.slice(0, optionsAt), { ...options, optional: true }, ...params.slice(optionsAt)]),
			);
		} else {
			lists.push(text(params));
			lists.push(text([...params.slice(0, optionsAt), options, ...params.slice(optionsAt)]));
		}
	}
	const last = params[params.length - 1];
	if (last?.isRecord)
		lists.push(text([...params.slice(0, -1), { name: "...fieldsAndValues", type: "Arg[]" }]));
	if (isScript) lists.push(`${text(params.slice(0, 1))}, numkeys: Int, ...keysAndArgs: Arg[]`);
	return { lists, form, isScript };
}

function isTimed(command) {
	if (!UNTIMED_GROUPS.has(command.group)) return true;
	const named = (args) =>
		(args ?? []).some((arg) => TIMED_ARGUMENT.test(arg.name) || (!arg.token && named(arg.arguments)));
	return named((command.arguments ?? []).filter((arg) => !arg.optional));
}

/** The text of the generated file for a table. */
export function emit(table) {
	const commands = table
		.filter(({ name }) => !WITHOUT_METHOD.has(name) && !name.endsWith("|help"))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
	const lines = [];
	const types = [];
	for (const command of commands) {
		const { lists, form, isScript } = signatures(command);
		const isBlocking = command.flags.includes("blocking") || WAITING.has(command.name);
		const flags = `${isTimed(command) ? "t" : ""}${isBlocking ? "b" : ""}`;
		lines.push([command.name, flags || (form.length > 0 ? "-" : ""), ...form].join(" ").trimEnd());
		const reply = replyType(command.reply ?? "any");
		const doc = (command.summary ?? "").replaceAll("*/", "* /");
		const method = camel(command.name);
		const deprecated = command.deprecated_since ? ` @deprecated since Redis ${command.deprecated_since}` : "";
		types.push(`\t/** ${doc}${deprecated} */`);
		// What a script answers, only its caller knows.
		const generic = isScript && reply === "Reply" ? "<T = Reply>" : "";
		const type = generic ? "T" : isBlocking ? `Promise<${reply}>` : reply;
		for (const list of lists) types.push(`\t${method}${generic}(${list}): Result<M, ${type}>;`);
	}
	return `// Generated by scripts/gen.mjs from the engine's command table. Do not edit; run \`npm run gen\`.

import type { Pipeline } from "./client.ts";
import type { Arg } from "./engine.ts";
import type { Reply } from "./reply.ts";

/** A key, channel, pattern or member name. */
export type Key = string | number | Uint8Array;
export type Int = number | bigint | string;
export type Double = number | string;
/** A word of Redis, in upper or lower case. */
export type Word<T extends string> = T | Lowercase<T>;
/** One by one, or as one list. */
export type Many<T> = T[] | [readonly T[]];
/** Names with values. */
export type Fields = { readonly [name: string]: Arg } | ReadonlyMap<Arg, Arg> | readonly (readonly [Arg, Arg])[];

/** Which client the commands belong to. */
export type Mode = "text" | "bytes" | "async" | "async-bytes" | Chain<unknown>;

/** The mode of a pipeline whose \`exec\` gives R: each command gives the pipeline. */
export interface Chain<R> {
	readonly exec: R;
}

/** A reply type with bytes for text. */
export type Bytes<T> = [Reply] extends [T]
	? Reply
	: T extends string
	? string extends T
		? Uint8Array
		: T
	: T extends Promise<infer U>
		? Promise<Bytes<U>>
		: T extends readonly unknown[]
			? { [K in keyof T]: Bytes<T[K]> }
			: T extends Record<string, infer V>
				? Record<string, Bytes<V>>
				: T;

/** What a command whose reply is T gives in a client of mode M. */
export type Result<M extends Mode, T> = M extends "text"
	? T
	: M extends "bytes"
		? Bytes<T>
		: M extends "async"
			? Promise<Awaited<T>>
			: M extends "async-bytes"
				? Promise<Bytes<Awaited<T>>>
				: M extends Chain<infer R>
					? Pipeline<R>
					: never;

/** Every command as a method. */
export interface Commands<M extends Mode> {
${types.join("\n")}
}

/** See js/commands.ts for what a line says. */
export const COMMANDS = \`${lines.join("\n")}\`;
`;
}

function main() {
	const table = readTable();
	const files = {
		"js/commands.gen.ts": emit(table),
		"docs/coverage.md": coverage(table.map((command) => command.name)),
	};
	for (const [path, text] of Object.entries(files)) {
		const target = join(root, path);
		if (!process.argv.includes("--check")) {
			writeFileSync(target, text);
			console.log(`${path}: ${text.length} bytes`);
		} else if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
			console.error(`${path} is not what the command table says: run \`npm run gen\``);
			process.exitCode = 1;
		}
	}
}

if (isMain(import.meta.url)) main();
