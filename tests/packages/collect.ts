/** The Lua scripts that an installed package carries: its `.lua` files, and the strings of its code that call Redis. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as ts from "typescript";
import { root } from "../../scripts/shell.mjs";

export interface Script {
	/** The file it is in. */
	readonly path: string;
	readonly text: string;
}

const CALLS = /\bredis\.p?call\b/;

/** Each script once, also where ESM and CommonJS, or a file and a string, both have it. */
export function scriptsOf(name: string): Script[] {
	const folder = join(root, "node_modules", name);
	const found = new Map<string, string>();
	for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
		// What the package itself depends on, and what its author's tools left behind.
		if (path.startsWith("node_modules") || path.startsWith(".")) continue;
		const texts = path.endsWith(".lua")
			? [readFileSync(join(folder, path), "utf8")]
			: /\.[cm]?js$/.test(path)
				? stringsOf(path, readFileSync(join(folder, path), "utf8"))
				: [];
		for (const text of texts) if (!found.has(text)) found.set(text, path);
	}
	return [...found].map(([text, path]) => ({ path, text }));
}

function stringsOf(path: string, code: string): string[] {
	if (!CALLS.test(code)) return [];
	const file = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
	const found: string[] = [];
	/** Strings that others are made of, by the name of their constant. */
	const constants = new Map<string, string>();
	const visit = (node: ts.Node): void => {
		const text = textOf(node, constants);
		if (text === undefined) {
			ts.forEachChild(node, visit);
			return;
		}
		if (ts.isVariableDeclaration(node.parent)) constants.set(node.parent.name.getText(), text);
		if (CALLS.test(text)) found.push(text);
	};
	visit(file);
	return found;
}

/** What a string's expression comes to. */
function textOf(node: ts.Node, constants: ReadonlyMap<string, string>): string | undefined {
	if (ts.isStringLiteralLike(node)) return node.text;
	if (ts.isNumericLiteral(node)) return node.text;
	if (ts.isPrefixUnaryExpression(node)) return node.getText();
	if (ts.isIdentifier(node)) return constants.get(node.text);
	if (!ts.isTemplateExpression(node)) return undefined;
	let text = node.head.text;
	for (const span of node.templateSpans) {
		const value = textOf(span.expression, constants);
		if (value === undefined) {
			if (CALLS.test(node.getText())) throw new Error(`unknown: ${span.expression.getText()}`);
			return undefined;
		}
		text += value + span.literal.text;
	}
	return text;
}
