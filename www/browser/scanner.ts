/** All keys that a filter lets through, found by SCAN in slices that leave the page responsive. */

import { type KeyName, nameOf } from "./names.ts";
import type { KeySession } from "./session.ts";

/** More keys than these nobody scrolls through; the filter finds the others. */
export const MOST_KEYS = 200_000;
const PER_STEP = 1000;
const SLICE_MS = 6;

export interface Scan {
	readonly keys: readonly KeyName[];
	/** There are more than the list takes. */
	readonly isCut: boolean;
}

const nextTurn = () =>
	new Promise<void>((resolve) => {
		const { port1, port2 } = new MessageChannel();
		port2.onmessage = () => {
			port1.close();
			resolve();
		};
		port1.postMessage(0);
	});

/** Keys sorted by label, those of `before` where they are the same; undefined when `isStale` says that nobody wants them any more. */
export async function scanKeys(
	session: KeySession,
	options: { match: string | undefined; type: string },
	before: Scan,
	isStale: () => boolean,
): Promise<Scan | undefined> {
	const words: string[] = ["COUNT", String(PER_STEP)];
	if (options.match !== undefined) words.push("MATCH", options.match);
	if (options.type) words.push("TYPE", options.type);
	const found = new Map<string, KeyName>();
	let cursor: string | Uint8Array = "0";
	let slice_ms = performance.now();
	do {
		const [next, names]: [Uint8Array, Uint8Array[]] = session.call("SCAN", cursor, ...words);
		for (const bytes of names) {
			const key = nameOf(bytes);
			found.set(key.label, key);
		}
		cursor = next;
		if (performance.now() - slice_ms > SLICE_MS) {
			await nextTurn();
			if (isStale()) return undefined;
			slice_ms = performance.now();
		}
	} while (!isZero(cursor) && found.size < MOST_KEYS);
	return { keys: sortLike(before.keys, found), isCut: !isZero(cursor) };
}

const byLabel = (a: KeyName, b: KeyName) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);

/**
 * The keys of `found`, sorted. Most of them stand in `sorted` already: only new ones are sorted, and merged in. When
 * they are the same keys it is the same array. O(n) plus the sorting of new keys.
 */
export function sortLike(
	sorted: readonly KeyName[],
	found: ReadonlyMap<string, KeyName>,
): readonly KeyName[] {
	const kept = sorted.filter(({ label }) => found.has(label));
	if (kept.length === found.size) return kept.length === sorted.length ? sorted : kept;
	const old = new Set<string>();
	for (const { label } of kept) old.add(label);
	const fresh: KeyName[] = [];
	for (const key of found.values()) if (!old.has(key.label)) fresh.push(key);
	fresh.sort(byLabel);
	const merged: KeyName[] = [];
	let next = 0;
	for (const key of kept) {
		while (next < fresh.length && (fresh[next] as KeyName).label < key.label)
			merged.push(fresh[next++] as KeyName);
		merged.push(key);
	}
	for (; next < fresh.length; next++) merged.push(fresh[next] as KeyName);
	return merged;
}

function isZero(cursor: string | Uint8Array): boolean {
	return cursor.length === 1 && (cursor[0] === 48 || cursor[0] === "0");
}
