/** Tables of what a value holds. */

import { make } from "../dom.ts";
import { quoteBytes } from "../terminal/format.ts";
import { formatTtl } from "./rows.ts";

/** Fields with their values. */
export interface Pairs {
	readonly pairs: readonly (readonly [Uint8Array, Uint8Array])[];
}

/** An id, and what it says. */
export interface Id {
	readonly id: string;
	readonly note: string;
}

/** When something expires, in ms since 1970. */
export interface Expiry {
	readonly expires_ms: number;
}

/** Bytes of the visitor, words of ours, numbers, a number with its share of the largest one. */
export type Cell =
	| Uint8Array
	| string
	| number
	| bigint
	| { readonly number: number; readonly share: number }
	| Pairs
	| Id
	| Expiry
	| undefined;

export interface Table {
	readonly caption: string;
	readonly columns: readonly string[];
	readonly rows: readonly (readonly Cell[])[];
}

/** Longer values end in an ellipsis; the key browser is no place to read a megabyte. */
const MOST_TEXT = 600;

/** Bytes as the visitor may have typed them; in quotes where they are no plain text. */
export function bytesText(bytes: Uint8Array): string {
	const part = bytes.subarray(0, MOST_TEXT);
	const end = part.length < bytes.length ? "\u2026" : "";
	try {
		// As part of a stream: a letter that the cut has split is left out, not refused.
		const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
		const text = decoder.decode(part, { stream: end !== "" });
		if (!/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) return text === "" ? '""' : text + end;
	} catch {
		// Shown in quotes.
	}
	return quoteBytes(part) + end;
}

/** A number as Redis would print it. */
export function numberText(number: number | bigint): string {
	if (number === Number.POSITIVE_INFINITY) return "inf";
	if (number === Number.NEGATIVE_INFINITY) return "-inf";
	return Object.is(number, -0) ? "-0" : String(number);
}

function fill(element: HTMLElement, cell: Cell): void {
	if (cell === undefined) return;
	if (typeof cell === "string") {
		element.className = "word";
		element.append(cell);
	} else if (typeof cell === "number" || typeof cell === "bigint") {
		element.className = "number";
		element.append(numberText(cell));
	} else if (cell instanceof Uint8Array) element.append(bytesText(cell));
	else if ("pairs" in cell) {
		for (const [field, value] of cell.pairs) {
			element.append(
				make("div", {}, make("span", { class: "json-key" }, bytesText(field)), " ", bytesText(value)),
			);
		}
	} else if ("id" in cell) {
		element.className = "word";
		element.append(cell.id);
		if (cell.note) element.append(make("div", { class: "faint" }, cell.note));
	} else if ("expires_ms" in cell) {
		element.className = "number";
		element.dataset.expires = String(cell.expires_ms);
		element.append(formatTtl(cell.expires_ms - Date.now()));
	} else {
		element.className = "number share";
		element.style.setProperty("--share", `${(cell.share * 100).toFixed(1)}%`);
		element.append(numberText(cell.number));
	}
}

/** Shows a table. */
export function showTable(table: Table, body: HTMLElement): void {
	const head = make("tr");
	for (const column of table.columns) head.append(make("th", { scope: "col" }, column));
	const rows = make("tbody");
	for (const row of table.rows) {
		const line = make("tr");
		for (const cell of row) {
			const element = make("td");
			fill(element, cell);
			line.append(element);
		}
		rows.append(line);
	}
	const caption = make("caption", {}, table.caption);
	body.classList.add("cells-body");
	body.append(make("table", { class: "cells" }, caption, make("thead", {}, head), rows));
}

/** Moves the countdowns of a table on; whether one has come to its end. */
export function tickTable(body: ParentNode, now_ms: number): boolean {
	let hasEnded = false;
	for (const element of body.querySelectorAll<HTMLElement>("[data-expires]")) {
		const left_ms = Number(element.dataset.expires) - now_ms;
		hasEnded ||= left_ms <= 0;
		element.textContent = formatTtl(left_ms);
	}
	return hasEnded;
}
