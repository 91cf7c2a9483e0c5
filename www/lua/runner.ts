/** Runs what stands in the Lua editor: scripts by EVAL, libraries by FUNCTION LOAD and FCALL. It knows no DOM. */

import type { Engine } from "../../js/index.ts";
import { encodeText, type RespNode, textOf } from "../engine/resp.ts";
import { WireSession } from "../engine/wire.ts";
import { splitLine } from "../terminal/split.ts";

/** What a run left. */
export interface Outcome {
	/** Undefined when the connection ended first. */
	readonly reply: RespNode | undefined;
	readonly elapsed_us: number;
	/** The line of the source that an error speaks of, from 1. */
	readonly line: number | undefined;
}

/** A function of a library, as FUNCTION LIST tells of it. */
export interface LibraryFunction {
	readonly name: string;
	readonly description: string;
	readonly flags: readonly string[];
}

export interface Library {
	readonly name: string;
	readonly functions: readonly LibraryFunction[];
	readonly code: string;
}

/** Where the connection is to stand. */
export interface Place {
	readonly db: number;
	readonly protocol: 2 | 3;
}

/** The name in the first line of a library; undefined for a script. */
export function libraryName(source: string): string | undefined {
	const [head = ""] = source.split("\n", 1);
	return /^#!lua\b.*\bname=(\w+)/i.exec(head)?.[1];
}

/** The line an error happened in: of the innermost place that the message names. */
export function errorLine(message: string): number | undefined {
	const [, line] = /@?user_(?:script|function):(\d+)/.exec(message) ?? [];
	return line === undefined ? undefined : Number(line);
}

/** Typed words as arguments; null when quotes do not close. */
export function wordsOf(text: string): Uint8Array[] | null {
	return splitLine(text)?.map((word) => word.bytes) ?? null;
}

/** A map of RESP2 or RESP3 by its names. */
function fieldsOf(node: RespNode | undefined): Map<string, RespNode> {
	const fields = new Map<string, RespNode>();
	const items = node && "items" in node ? node.items : [];
	for (let i = 0; i + 1 < items.length; i += 2) fields.set(textOf(items[i]), items[i + 1] as RespNode);
	return fields;
}

const itemsOf = (node: RespNode | undefined) => (node && "items" in node ? node.items : []);

/** The reply of FUNCTION LIST WITHCODE. */
export function librariesOf(reply: RespNode | undefined): Library[] {
	return itemsOf(reply).map((one) => {
		const library = fieldsOf(one);
		const functions = itemsOf(library.get("functions")).map((node) => {
			const fields = fieldsOf(node);
			return {
				name: textOf(fields.get("name")),
				description: fields.get("description")?.kind === "nil" ? "" : textOf(fields.get("description")),
				flags: itemsOf(fields.get("flags")).map(textOf),
			};
		});
		functions.sort((a, b) => (a.name < b.name ? -1 : 1));
		return {
			name: textOf(library.get("library_name")),
			functions,
			code: textOf(library.get("library_code")),
		};
	});
}

export class ScriptRunner {
	/** Commands run for the page's own sake. */
	calls = 0;
	private readonly engine: () => Engine;
	private readonly place: () => Place;
	private session: WireSession | undefined;
	private at: Place = { db: 0, protocol: 2 };

	constructor(engine: () => Engine, place: () => Place) {
		this.engine = engine;
		this.place = place;
	}

	/** A run is under way. */
	get isRunning(): boolean {
		return this.session?.isWaiting ?? false;
	}

	/** The engine was rebuilt or is gone. */
	renew(): void {
		this.session?.abandon();
		this.session = undefined;
	}

	/** The connection, in the database and the protocol of the terminal. */
	private async connect(): Promise<WireSession> {
		const want = this.place();
		if (!this.session) {
			const session = new WireSession(this.engine(), {
				onPush: () => undefined,
				onClosed: () => {
					if (this.session === session) this.session = undefined;
				},
			});
			this.session = session;
			this.at = { db: 0, protocol: 2 };
			await this.ask("CLIENT", "SETNAME", "lua-view");
		}
		if (this.at.protocol !== want.protocol) await this.ask("HELLO", String(want.protocol));
		if (this.at.db !== want.db) await this.ask("SELECT", String(want.db));
		this.at = { db: want.db, protocol: want.protocol };
		return this.session as WireSession;
	}

	private async ask(...words: string[]): Promise<RespNode | undefined> {
		this.calls++;
		const exchange = await this.session?.call(words.map(encodeText));
		return exchange?.replies[0];
	}

	private async run(...words: (string | Uint8Array)[]): Promise<Outcome> {
		const session = await this.connect();
		const args = words.map((word) => (typeof word === "string" ? encodeText(word) : word));
		const { replies, elapsed_us } = await session.call(args);
		const [reply] = replies;
		const line = reply?.kind === "error" ? errorLine(reply.text) : undefined;
		return { reply, elapsed_us, line };
	}

	/** Runs a script. */
	eval(source: string, keys: Uint8Array[], args: Uint8Array[], isReadOnly: boolean): Promise<Outcome> {
		return this.run(isReadOnly ? "EVAL_RO" : "EVAL", source, String(keys.length), ...keys, ...args);
	}

	/** Keeps a script; its SHA1 is the reply. */
	load(source: string): Promise<Outcome> {
		return this.run("SCRIPT", "LOAD", source);
	}

	/** Loads a library, in the place of the one of its name. */
	loadLibrary(source: string): Promise<Outcome> {
		return this.run("FUNCTION", "LOAD", "REPLACE", source);
	}

	/** Calls a function. */
	call(name: string, keys: Uint8Array[], args: Uint8Array[], isReadOnly: boolean): Promise<Outcome> {
		return this.run(isReadOnly ? "FCALL_RO" : "FCALL", name, String(keys.length), ...keys, ...args);
	}

	deleteLibrary(name: string): Promise<Outcome> {
		return this.run("FUNCTION", "DELETE", name);
	}

	/** The libraries that are loaded. */
	async libraries(): Promise<Library[]> {
		const { reply } = await this.run("FUNCTION", "LIST", "WITHCODE");
		this.calls++;
		return librariesOf(reply);
	}
}
