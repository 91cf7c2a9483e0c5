// The manifest of an append-only file. Complaints are those of redis-server 8.2.3.

import { describe, expect, it } from "vitest";
import { formatManifest, ManifestError, parseManifest } from "../../js/storage/aof-manifest.ts";

const BASE = "file appendonly.aof.1.base.rdb seq 1 type b\n";
const INCR = "file appendonly.aof.1.incr.aof seq 1 type i\n";
const INVALID = "Invalid AOF manifest file format";

function complaint(text: string): [string, number | undefined] {
	try {
		parseManifest(text);
	} catch (error) {
		if (error instanceof ManifestError) return [error.message, error.at?.number];
	}
	throw new Error("it should be refused");
}

describe("a manifest", () => {
	it("comes back as it was", () => {
		const text = `file "my file.1.base.rdb" seq 12 type b\nfile a.0.incr.aof seq 3 type h\nfile "\\xc3\\xa4\\".5.incr.aof" seq 5 type i startoffset 7 endoffset 9\nfile a.6.incr.aof seq 6 type i startoffset 9\n`;
		const files = parseManifest(text);
		expect(files.base?.name).toBe("my file.1.base.rdb");
		expect(files.history).toEqual([{ name: "a.0.incr.aof", seq: 3 }]);
		expect(files.incr).toEqual([
			{ name: '\xc3\xa4".5.incr.aof', seq: 5, start: 7, end: 9 },
			{ name: "a.6.incr.aof", seq: 6, start: 9 },
		]);
		expect(formatManifest(files)).toBe(text);
	});

	it("may have comments, its fields in any order, and fields of later versions", () => {
		const files = parseManifest(
			`# a comment\n \tseq 1 type base file x.1.base.rdb \nfile x.1.incr.aof seq 1 type i foo bar\n`,
		);
		expect(files).toEqual({
			base: { name: "x.1.base.rdb", seq: 1 },
			history: [],
			incr: [{ name: "x.1.incr.aof", seq: 1 }],
		});
		expect(parseManifest("# only a comment\n")).toEqual({ history: [], incr: [] });
		expect(parseManifest(`${BASE.trim()} seq 2\n`).base?.seq).toBe(2);
	});

	it.each([
		["", "Found an empty AOF manifest", undefined],
		[BASE.trim(), "The AOF manifest file contains too long line", undefined],
		[`file ${"a".repeat(1100)} seq 1 type b\n`, "The AOF manifest file contains too long line", undefined],
		[`${BASE}file appendonly.aof.1.incr.aof seq 1\n`, INVALID, 2],
		["file appendonly.aof.1.base.rdb seq 1 type x\n", "Unknown AOF file type", 1],
		[`${BASE}${INCR.replaceAll("1", "2")}${INCR}`, "Found a non-monotonic sequence number", 3],
		[`${BASE}${BASE.replaceAll("1", "2")}`, "Found duplicate base file information", 2],
		["file a seq 0 type b\n", INVALID, 1],
		["file a seq abc type b\n", INVALID, 1],
		["file a seq 1 typ b\n", INVALID, 1],
		["file dir/x.aof seq 1 type b\n", "File can't be a path, just a filename", 1],
		["\n\n", INVALID, 1],
		[`${BASE}\n${INCR}`, INVALID, 2],
		["hello\n", INVALID, 1],
		['file "x seq 1 type b\n', INVALID, 1],
	])("%j is refused as redis-server does", (text, why, line) => {
		expect(complaint(text)).toEqual([why, line]);
	});
});
