/** How a value is shown: for each type of Redis the ways to look at it. Another type is another line in {@link VIEWERS}. */

import { make } from "../dom.ts";
import { quoteBytes } from "../terminal/format.ts";
import type { KeyName } from "./names.ts";
import type { KeySession } from "./session.ts";

/** One way to look at a value. */
export interface Viewer {
	readonly title: string;
	/** Whether it makes sense for this value. */
	fits(value: Uint8Array): boolean;
	show(value: Uint8Array, body: HTMLElement): void;
}

export interface TypeView {
	/** The bytes to look at; undefined when the key is gone. */
	read(session: KeySession, key: KeyName): Uint8Array | undefined;
	readonly viewers: readonly Viewer[];
	/** Text can be edited and written back. */
	readonly isEditable: boolean;
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

/** What can be looked at, by the word TYPE answers. */
export const VIEWERS: Readonly<Record<string, TypeView>> = {
	string: {
		read: (session, key) => session.call<Uint8Array | null>("GET", key.arg) ?? undefined,
		viewers: [textViewer, jsonViewer, hexViewer, bitsViewer],
		isEditable: true,
	},
};

/** The view to begin with. */
export function bestViewer(viewers: readonly Viewer[], value: Uint8Array): Viewer {
	if (jsonViewer.fits(value) && viewers.includes(jsonViewer)) return jsonViewer;
	const isText = asText(value.subarray(0, MOST_TEXT_BYTES)) !== undefined;
	return viewers.find((viewer) => viewer === (isText ? textViewer : hexViewer)) ?? (viewers[0] as Viewer);
}
