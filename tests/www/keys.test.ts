/** The parts of the key browser that need no page. */

import { expect, test } from "vitest";
import { type KeyName, nameOf, patternOf } from "../../www/browser/names.ts";
import { formatTtl } from "../../www/browser/rows.ts";
import { sortLike } from "../../www/browser/scanner.ts";
import { listRows, type Row, treeRows } from "../../www/browser/tree.ts";
import { asText, hexRows } from "../../www/browser/viewers.ts";

const names = (...labels: string[]): KeyName[] => labels.sort().map((label) => ({ label, arg: label }));
const outline = (rows: Row[]) =>
	rows.map((row) => `${"  ".repeat(row.depth)}${row.text}${row.kind === "folder" ? ` ${row.count}` : ""}`);

test("a tree along colons, folders for two and more", () => {
	const keys = names(
		"a",
		"user:1:name",
		"user:1:age",
		"user:2:name",
		"user",
		"one:only",
		"x::y",
		"x::z",
		"x:",
	);
	expect(outline(treeRows(keys, () => true))).toEqual([
		"a",
		"one:only",
		"user",
		"user: 3",
		"  1: 2",
		"    age",
		"    name",
		"  2:name",
		"x: 3",
		"  x:",
		"  : 2",
		"    y",
		"    z",
	]);
	expect(outline(treeRows(keys, (path) => path !== "user:")).slice(3, 5)).toEqual(["user: 3", "x: 3"]);
	expect(outline(listRows(keys))).toEqual(keys.map((key) => key.label));
});

test("every key is in the tree exactly once", () => {
	let seed = 7;
	const random = (limit: number) => {
		seed = (seed * 1103515245 + 12345) & 0x7fffffff;
		return seed % limit;
	};
	for (let round = 0; round < 50; round++) {
		const labels = Array.from({ length: 60 }, () =>
			Array.from({ length: 1 + random(4) }, () => "ab:"[random(3)]).join(""),
		);
		const keys = names(...new Set(labels));
		const shown = treeRows(keys, () => true).flatMap((row) => (row.kind === "key" ? [row.key.label] : []));
		expect(shown).toEqual(keys.map((key) => key.label));
	}
});

test("new keys are merged, gone ones left out, the same ones stay the same array", () => {
	const before = names("b", "d", "f");
	const found = (...labels: string[]) => new Map(labels.map((label) => [label, { label, arg: label }]));
	const labels = (keys: readonly KeyName[]) => keys.map((key) => key.label).join("");
	expect(sortLike(before, found("f", "d", "b"))).toBe(before);
	expect(labels(sortLike(before, found("f", "a", "g", "e", "b")))).toBe("abefg");
	expect(labels(sortLike(before, found("d")))).toBe("d");
	expect(labels(sortLike([], found("c", "a", "b")))).toBe("abc");
	expect(labels(sortLike(before, found()))).toBe("");
});

test("names, patterns and times", () => {
	expect(nameOf(Buffer.from("caf\u00e9"))).toEqual({ label: "caf\u00e9", arg: "caf\u00e9" });
	expect(nameOf(new Uint8Array([0xff, 65])).label).toBe('"\\xffA"');
	expect(nameOf(new Uint8Array([0xef, 0xbb, 0xbf, 65])).arg).toBeInstanceOf(Uint8Array);
	expect(patternOf("")).toBeUndefined();
	expect(patternOf("a]b\\")).toBe("*a\\]b\\\\*");
	expect(patternOf("user:*")).toBe("user:*");
	expect([0, 1, 119_001, 7_199_000, 7_200_000, 172_800_000].map(formatTtl)).toEqual([
		"0s",
		"1s",
		"2m 00s",
		"119m 59s",
		"2h 0m",
		"2d",
	]);
});

test("text and hex", () => {
	expect(asText(Buffer.from("a\n\t\u00e9"))).toBe("a\n\t\u00e9");
	expect(asText(new Uint8Array([65, 0]))).toBeUndefined();
	expect(asText(new Uint8Array([0xc3]))).toBeUndefined();
	expect(hexRows(Buffer.from("12345678\n"))).toEqual([
		"0000  31 32 33 34 35 36 37 38  12345678",
		"0008  0a                       .",
	]);
});
