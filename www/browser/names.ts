/** Keys as the list knows them: text, and bytes where text would not say it all. */

import { quoteBytes } from "../terminal/format.ts";

const strict = new TextDecoder("utf-8", { fatal: true });

export interface KeyName {
	/** What is shown, unique among keys. */
	readonly label: string;
	/** What goes to the engine. */
	readonly arg: string | Uint8Array;
}

/** A key of these bytes. What is no UTF-8 is shown as the terminal would quote it. */
export function nameOf(bytes: Uint8Array): KeyName {
	try {
		const label = strict.decode(bytes);
		// The decoder swallows a byte order mark.
		if (bytes[0] !== 0xef || bytes[1] !== 0xbb) return { label, arg: label };
	} catch {
		// Shown in quotes.
	}
	return { label: quoteBytes(bytes), arg: bytes };
}

/** A pattern for what stands in the filter: a glob as it is, other text anywhere in the key. */
export function patternOf(filter: string): string | undefined {
	if (filter === "") return undefined;
	if (/[*?[]/.test(filter)) return filter;
	return `*${filter.replaceAll(/[\\\]^]/g, "\\$&")}*`;
}
