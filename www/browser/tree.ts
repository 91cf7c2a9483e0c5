/** Keys as rows: a plain list, or a tree along the colons in their names. */

import type { KeyName } from "./names.ts";

export type Row =
	| { readonly kind: "key"; readonly key: KeyName; readonly text: string; readonly depth: number }
	| {
			readonly kind: "folder";
			/** The path with its closing colon. */
			readonly path: string;
			readonly text: string;
			readonly depth: number;
			readonly count: number;
			readonly isOpen: boolean;
	  };

/** Rows of a list; `keys` are sorted by label. */
export function listRows(keys: readonly KeyName[]): Row[] {
	return keys.map((key) => ({ kind: "key", key, text: key.label, depth: 0 }));
}

/**
 * Rows of a tree. A folder is a prefix up to a colon that at least two keys share; `isOpen` tells which show what is in
 * them. O(keys shown), plus one pass over a closed folder's keys.
 */
export function treeRows(keys: readonly KeyName[], isOpen: (path: string, count: number) => boolean): Row[] {
	const rows: Row[] = [];
	addLevel(rows, keys, 0, keys.length, "", 0, isOpen);
	return rows;
}

function addLevel(
	rows: Row[],
	keys: readonly KeyName[],
	from: number,
	to: number,
	prefix: string,
	depth: number,
	isOpen: (path: string, count: number) => boolean,
): void {
	let at = from;
	while (at < to) {
		const key = keys[at] as KeyName;
		const colon = key.label.indexOf(":", prefix.length);
		const path = colon < 0 ? "" : key.label.slice(0, colon + 1);
		const end = path ? endOf(keys, at, to, path) : at + 1;
		if (end - at < 2) {
			rows.push({ kind: "key", key, text: key.label.slice(prefix.length) || key.label, depth });
			at++;
			continue;
		}
		const count = end - at;
		const open = isOpen(path, count);
		rows.push({ kind: "folder", path, text: path.slice(prefix.length), depth, count, isOpen: open });
		if (open) addLevel(rows, keys, at, end, path, depth + 1, isOpen);
		at = end;
	}
}

/** The end of the keys that begin with `path`, which keys[from] does; they are neighbours. O(log n). */
function endOf(keys: readonly KeyName[], from: number, to: number, path: string): number {
	let low = from + 1;
	let high = to;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((keys[middle] as KeyName).label.startsWith(path)) low = middle + 1;
		else high = middle;
	}
	return low;
}
