/** How a value is shown: for each type of Redis what is read of it, and the ways to look at that. */

import { formatBytes, make } from "../dom.ts";
import { quoteBytes } from "../terminal/format.ts";
import type { Table } from "./cells.ts";
import { COLLECTIONS } from "./collections.ts";
import type { KeyName } from "./names.ts";
import type { KeySession } from "./session.ts";

/** One way to look at a value. */
export interface View {
	readonly title: string;
	/** What it shows, where that is tables. */
	readonly tables?: readonly Table[];
	show(body: HTMLElement): void;
}

/** What was read of a value. */
export interface Contents {
	/** What it is, in a few words each. */
	readonly facts: readonly string[];
	readonly views: readonly View[];
	/** The view to begin with. */
	readonly best: View;
	/** The whole of it, where it can be edited and written back by SET. */
	readonly text?: string | undefined;
	/** There is more of it than was read. */
	readonly isCut?: boolean;
}

/** Reads a value, of a collection so many elements at most; undefined when the key is gone. */
export type Reader = (session: KeySession, key: KeyName, most: number) => Contents | undefined;

/** One way to look at bytes. */
export interface Viewer {
	readonly title: string;
	/** Whether it makes sense for this value. */
	fits(value: Uint8Array): boolean;
	show(value: Uint8Array, body: HTMLElement): void;
}

/** So much of a value is shown; more would only slow the page. */
const MOST_TEXT_BYTES = 262_144;
const MOST_HEX_BYTES = 16_384;
const MOST_BITS_BYTES = 1024;
const HEX_COLUMNS = 8;
const BITS_ROW_BYTES = 2;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes that are text. */
export function asText(bytes: Uint8Array): string | undefined {
	try {
		const text = strict.decode(bytes);
		return /[\x00-\x08\x0e-\x1f]/.test(text) ? undefined : text;
	} catch {
		return undefined;
	}
}

function note(body: HTMLElement, shown: number, all: number): void {
	if (shown < all) body.append(make("p", { class: "faint" }, `first ${shown} of ${all} bytes`));
}

const textViewer: Viewer = {
	title: "Text",
	fits: () => true,
	show(value, body) {
		const part = value.subarray(0, MOST_TEXT_BYTES);
		body.append(asText(part) ?? quoteBytes(part));
		note(body, part.length, value.length);
	},
};

/** Rows of offset, bytes and letters. */
export function hexRows(bytes: Uint8Array): string[] {
	const rows: string[] = [];
	for (let at = 0; at < bytes.length; at += HEX_COLUMNS) {
		const part = [...bytes.subarray(at, at + HEX_COLUMNS)];
		const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
		const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
		rows.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(HEX_COLUMNS * 3 - 1)}  ${text}`);
	}
	return rows;
}

const hexViewer: Viewer = {
	title: "Hex",
	fits: () => true,
	show(value, body) {
		const part = value.subarray(0, MOST_HEX_BYTES);
		body.classList.add("columns");
		body.append(hexRows(part).join("\n"));
		note(body, part.length, value.length);
	},
};

const jsonViewer: Viewer = {
	title: "JSON",
	fits(value) {
		const text = value.length <= MOST_TEXT_BYTES ? asText(value)?.trim() : undefined;
		if (!text || !/^[{[]/.test(text)) return false;
		try {
			JSON.parse(text);
			return true;
		} catch {
			return false;
		}
	},
	show(value, body) {
		const text = JSON.stringify(JSON.parse(asText(value) as string), null, 2);
		body.classList.add("columns");
		for (const [, string, colon, rest] of text.matchAll(/("(?:[^"\\]|\\.)*")(:)?|([^"]+)/g)) {
			if (string) body.append(colon ? make("span", { class: "json-key" }, string) : string, colon ?? "");
			else if (rest) {
				for (const [part] of rest.matchAll(/-?\d[\d.eE+-]*|true|false|null|[^\dtfn-]+|./g)) {
					body.append(/^[-\dtfn]/.test(part) ? make("span", { class: "json-number" }, part) : part);
				}
			}
		}
	},
};

const bitsViewer: Viewer = {
	title: "Bits",
	fits: (value) => value.length > 0,
	show(value, body) {
		const part = value.subarray(0, MOST_BITS_BYTES);
		let on = 0;
		const grid = make("div", { class: "bits" });
		for (const [i, byte] of part.entries()) {
			if (i % BITS_ROW_BYTES === 0) grid.append(make("span", {}, String(i * 8)));
			for (let bit = 0; bit < 8; bit++) {
				const isOn = (byte >> (7 - bit)) & 1;
				on += isOn;
				const cell = make("i", isOn ? { class: "on", title: `bit ${i * 8 + bit}` } : {});
				grid.append(cell);
			}
		}
		grid.setAttribute("role", "img");
		grid.setAttribute("aria-label", `${on} of ${part.length * 8} bits are set`);
		body.append(grid);
		note(body, part.length, value.length);
	},
};

const STRING_VIEWERS: readonly Viewer[] = [textViewer, jsonViewer, hexViewer, bitsViewer];

const readString: Reader = (session, key) => {
	const value = session.call<Uint8Array | null>("GET", key.arg);
	if (!value) return undefined;
	const fitting = STRING_VIEWERS.filter((viewer) => viewer.fits(value));
	const best = bestViewer(fitting, value);
	const views = fitting.map((viewer) => ({
		title: viewer.title,
		show: (body: HTMLElement) => viewer.show(value, body),
	}));
	return {
		facts: [formatBytes(value.length)],
		views,
		best: views[fitting.indexOf(best)] as View,
		text: asText(value),
	};
};

/** How to read what TYPE calls so. */
export const READERS: Readonly<Record<string, Reader>> = { string: readString, ...COLLECTIONS };

/** The viewer to begin with. */
export function bestViewer(viewers: readonly Viewer[], value: Uint8Array): Viewer {
	if (jsonViewer.fits(value) && viewers.includes(jsonViewer)) return jsonViewer;
	const isText = asText(value.subarray(0, MOST_TEXT_BYTES)) !== undefined;
	return viewers.find((viewer) => viewer === (isText ? textViewer : hexViewer)) ?? (viewers[0] as Viewer);
}
