/** `help`, as text for the terminal. */

import type { CommandDocs } from "./docs.ts";
import { displayArgs } from "./hints.ts";

export interface HelpPaint {
	title(text: string): string;
	faint(text: string): string;
}

function entry(docs: CommandDocs, name: string, paint: HelpPaint, isShort: boolean): string {
	const doc = docs.commands.get(name);
	if (!doc) return "";
	const lines = [`  ${paint.title(doc.name)} ${paint.faint(displayArgs(doc.args))}`.trimEnd()];
	if (doc.summary) lines.push(`  ${paint.faint("summary:")} ${doc.summary}`);
	if (doc.since) lines.push(`  ${paint.faint("since:")} ${doc.since}`);
	if (!isShort) {
		if (doc.group) lines.push(`  ${paint.faint("group:")} ${doc.group}`);
		if (doc.complexity) lines.push(`  ${paint.faint("complexity:")} ${doc.complexity}`);
		for (const sub of doc.subcommands) {
			lines.push(`    ${paint.title(sub.name)} ${paint.faint(displayArgs(sub.args))}`.trimEnd());
		}
	}
	return `${lines.join("\n")}\n\n`;
}

function overview(docs: CommandDocs, paint: HelpPaint): string {
	const row = (what: string, does: string) => `  ${paint.title(what.padEnd(20))} ${does}\n`;
	return [
		"\n",
		row("help <command>", "what a command does and takes"),
		row("help @<group>", `the commands of a group: ${docs.groups.join(", ")}`),
		row("clear", "an empty screen"),
		row("history", "the lines run so far; history clear forgets them"),
		row(":set nohints", "no grey hints; :set hints brings them back"),
		row("5 INCR visits", "a number in front repeats a command"),
		"\n",
		row("Tab", "complete a command, a word of it or a key"),
		row("Up, Ctrl-R", "earlier lines, search in them"),
		row("Ctrl-C", "leave a line, a subscription, a command that waits"),
		row("Shift-Tab", "leave the terminal with the keyboard (Tab too, on an empty line)"),
		"\n",
	].join("");
}

/** The answer to `help` with these words behind it. */
export function helpText(words: readonly string[], docs: CommandDocs, paint: HelpPaint): string {
	const [first = ""] = words;
	if (first === "") return overview(docs, paint);
	if (first.startsWith("@")) {
		const names = docs.names.filter(
			(name) => docs.commands.get(name)?.group === first.slice(1).toLowerCase(),
		);
		if (names.length === 0)
			return `no group ${first}; there are ${docs.groups.map((g) => `@${g}`).join(", ")}\n`;
		return `\n${names.map((name) => entry(docs, name, paint, true)).join("")}`;
	}
	const found = docs.find(words);
	if (found) return `\n${entry(docs, found.doc.name, paint, false)}`;
	const near = docs.names.filter((name) => name.startsWith(first.toUpperCase()));
	if (near.length > 0) return `\n${near.map((name) => entry(docs, name, paint, true)).join("")}`;
	return `no help for ${words.join(" ")}\n`;
}
