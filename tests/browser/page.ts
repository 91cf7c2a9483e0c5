/** A page in Chromium with a bundle of TypeScript in it, for tests that need a real browser. */

import { join } from "node:path";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { root } from "../../scripts/shell.mjs";

/** The code of a module of this folder, for `page.addScriptTag`; what it exports is the global `it`. */
export async function bundle(path: string): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [join(root, path)],
		bundle: true,
		format: "iife",
		globalName: "it",
		target: "es2022",
		write: false,
		logLevel: "warning",
	});
	return outputFiles[0]?.text ?? "";
}

/** Errors of the page fail the test that looks at them. */
export function errorsOf(page: Page): string[] {
	const errors: string[] = [];
	page.on("pageerror", (error) => errors.push(String(error)));
	page.on("console", (message) => {
		if (message.type() === "error") errors.push(message.text());
	});
	return errors;
}
