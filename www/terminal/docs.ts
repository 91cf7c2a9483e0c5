/** What the engine says about its commands (COMMAND DOCS), as a tree to look things up in. */

import { type RespNode, textOf } from "../engine/resp.ts";

export interface ArgDoc {
	readonly name: string;
	readonly type: string;
	/** The word in front of the value, or the word itself. */
	readonly token: string | undefined;
	readonly display: string;
	readonly isOptional: boolean;
	readonly isMultiple: boolean;
	readonly isTokenRepeated: boolean;
	readonly args: readonly ArgDoc[];
}

export interface CommandDoc {
	/** Upper case; a subcommand with its container: `CONFIG GET`. */
	readonly name: string;
	readonly summary: string;
	readonly since: string;
	readonly group: string;
	readonly complexity: string;
	readonly args: readonly ArgDoc[];
	readonly subcommands: readonly CommandDoc[];
}

/** A map's fields: RESP3 maps and RESP2 arrays of pairs alike. */
function fields(node: RespNode | undefined): Map<string, RespNode> {
	const found = new Map<string, RespNode>();
	if (!node || !("items" in node)) return found;
	for (let i = 0; i + 1 < node.items.length; i += 2) {
		found.set(textOf(node.items[i]), node.items[i + 1] as RespNode);
	}
	return found;
}

const itemsOf = (node: RespNode | undefined) => (node && "items" in node ? node.items : []);

function readArg(node: RespNode): ArgDoc {
	const doc = fields(node);
	const flags = itemsOf(doc.get("flags")).map(textOf);
	const name = textOf(doc.get("name"));
	return {
		name,
		type: textOf(doc.get("type")),
		token: doc.has("token") ? textOf(doc.get("token")) : undefined,
		display: textOf(doc.get("display_text")) || name,
		isOptional: flags.includes("optional"),
		isMultiple: flags.includes("multiple"),
		isTokenRepeated: flags.includes("multiple_token"),
		args: itemsOf(doc.get("arguments")).map(readArg),
	};
}

function readCommand(name: string, node: RespNode): CommandDoc {
	const doc = fields(node);
	return {
		name: name.toUpperCase().replace("|", " "),
		summary: textOf(doc.get("summary")),
		since: textOf(doc.get("since")),
		group: textOf(doc.get("group")),
		complexity: textOf(doc.get("complexity")),
		args: itemsOf(doc.get("arguments")).map(readArg),
		subcommands: [...fields(doc.get("subcommands"))].map(([sub, inner]) => readCommand(sub, inner)),
	};
}

/** All commands by name, subcommands beside their containers. */
export class CommandDocs {
	readonly commands = new Map<string, CommandDoc>();
	/** Sorted, for completion and lists. */
	readonly names: readonly string[];

	constructor(reply: RespNode | undefined) {
		for (const [name, node] of fields(reply)) {
			const command = readCommand(name, node);
			this.commands.set(command.name, command);
			for (const sub of command.subcommands) this.commands.set(sub.name, sub);
		}
		this.names = [...this.commands.keys()].sort();
	}

	/** The command these words begin with, and how many words its name has. */
	find(words: readonly string[]): { doc: CommandDoc; length: number } | undefined {
		const [first = "", second = ""] = words.map((word) => word.toUpperCase());
		const sub = this.commands.get(`${first} ${second}`);
		if (sub) return { doc: sub, length: 2 };
		const doc = this.commands.get(first);
		return doc && { doc, length: 1 };
	}

	get groups(): string[] {
		return [...new Set([...this.commands.values()].map((doc) => doc.group))].sort();
	}
}
