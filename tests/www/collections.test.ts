/** What the key browser reads of collections, on the engine in Node. */

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Redstart } from "../../js/index.ts";
import { bytesText, type Cell, numberText } from "../../www/browser/cells.ts";
import { nameOf } from "../../www/browser/names.ts";
import { KeySession } from "../../www/browser/session.ts";
import { READERS, type View } from "../../www/browser/viewers.ts";
import { loadPackage } from "./package.ts";

let db: Redstart;
let session: KeySession;

beforeEach(async () => {
	const { Redstart } = await loadPackage();
	db = await Redstart.open("memory://", { now: () => 1_790_000_000_000 });
	session = new KeySession(db, 0);
});

afterEach(() => db.close());

const plain = (cell: Cell): unknown => {
	if (cell instanceof Uint8Array) return bytesText(cell);
	if (typeof cell === "object" && "pairs" in cell)
		return cell.pairs.map((pair) => pair.map(bytesText).join("="));
	if (typeof cell === "object" && "id" in cell) return `${cell.id} ${cell.note}`;
	return cell;
};
const tables = (view: View | undefined) =>
	view?.tables?.map(({ columns, rows }) => [columns, ...rows.map((row) => row.map(plain))]);
const read = (key: string, most = 100) =>
	READERS[session.text("TYPE", key)]?.(session, nameOf(Buffer.from(key)), most);

test("lists", () => {
	db.call("RPUSH", "l", "a", "b", "\u0000", "");
	const contents = read("l");
	expect(contents?.facts).toEqual(["4 elements"]);
	expect(tables(contents?.best)).toEqual([
		[
			["index", "element"],
			[0, "a"],
			[1, "b"],
			[2, '"\\x00"'],
			[3, '""'],
		],
	]);
	expect(contents?.isCut).toBe(false);
	db.call("DEL", "l");
	db.call("RPUSH", "l", ...Array.from({ length: 300 }, (_, i) => i));
	expect([read("l")?.isCut, read("l", 300)?.isCut]).toEqual([true, false]);
	expect(read("l")?.best.tables?.[0]?.rows.length).toBe(100);
});

test("sets", () => {
	db.call("SADD", "s", "one");
	expect(read("s")?.facts).toEqual(["1 member"]);
	expect(tables(read("s")?.best)).toEqual([[["member"], ["one"]]]);
	db.call("SADD", "many", ...Array.from({ length: 1000 }, (_, i) => `m${i}`));
	const contents = read("many", 250);
	expect(new Set(contents?.best.tables?.[0]?.rows.map(([member]) => plain(member))).size).toBe(250);
	expect(contents?.isCut).toBe(true);
});

test("hashes, with times to live", () => {
	db.call("HSET", "h", "name", "Ada", "age", "36");
	expect(tables(read("h")?.best)).toEqual([
		[
			["field", "value"],
			["name", "Ada"],
			["age", "36"],
		],
	]);
	db.call("HPEXPIRE", "h", 5000, "FIELDS", 1, "age");
	expect(tables(read("h")?.best)).toEqual([
		[
			["field", "value", "expires"],
			["age", "36", { expires_ms: 1_790_000_005_000 }],
			["name", "Ada", ""],
		],
	]);
});

test("sorted sets, from both ends", () => {
	db.call("ZADD", "z", 10, "low", 40, "high", 20.5, "middle");
	const contents = read("z");
	expect(contents?.views.map((view) => view.title)).toEqual(["Highest", "Lowest"]);
	expect(tables(contents?.best)).toEqual([
		[
			["rank", "member", "score"],
			[0, "high", { number: 40, share: 1 }],
			[1, "middle", { number: 20.5, share: 0.5125 }],
			[2, "low", { number: 10, share: 0.25 }],
		],
	]);
	expect(contents?.views[1]?.tables?.[0]?.rows.map((row) => plain(row[1]))).toEqual([
		"low",
		"middle",
		"high",
	]);
	db.call("ZADD", "inf", "inf", "a", "-inf", "b", 0, "c");
	expect(read("inf")?.best.tables?.[0]?.rows.map((row) => (row[2] as { share: number }).share)).toEqual([
		1, 0, 0,
	]);
});

test("streams, with groups and consumers", () => {
	db.call("XADD", "x", "1-1", "a", "1", "b", "2");
	db.call("XADD", "x", "1790000000000-0", "a", "3");
	expect(read("x")?.facts).toEqual(["2 entries"]);
	expect(tables(read("x")?.best)).toEqual([
		[
			["id", "fields"],
			["1790000000000-0 2026-09-21 14:13:20", ["a=3"]],
			["1-1 ", ["a=1", "b=2"]],
		],
	]);
	db.call("XGROUP", "CREATE", "x", "g", "0");
	db.call("XREADGROUP", "GROUP", "g", "alice", "COUNT", 1, "STREAMS", "x", ">");
	const contents = read("x");
	expect(contents?.facts).toEqual(["2 entries", "1 group"]);
	expect(tables(contents?.views[1])).toEqual([
		[
			["group", "readers", "pending", "lag", "last delivered"],
			["g", 1, 1, 1, "1-1"],
		],
		[
			["group", "consumer", "pending", "idle"],
			["g", "alice", 1, "0 s"],
		],
	]);
});

test("arrays, and how they are stored", () => {
	db.call("ARMSET", "a", 0, "x", 5, "y", "18446744073709551614", "z");
	const contents = read("a");
	expect(contents?.facts).toEqual(["3 values", "length 18,446,744,073,709,551,615"]);
	expect(tables(contents?.best)).toEqual([
		[
			["index", "value"],
			[0, "x"],
			[5, "y"],
			[18_446_744_073_709_551_614n, "z"],
		],
	]);
	expect(contents?.views[1]?.tables?.[0]?.rows.slice(0, 2)).toEqual([
		["count", 3],
		["len", 18_446_744_073_709_551_615n],
	]);
});

test("cells", () => {
	expect(bytesText(Buffer.from("caf\u00e9"))).toBe("caf\u00e9");
	expect(bytesText(new Uint8Array([0xff]))).toBe('"\\xff"');
	expect(bytesText(Buffer.from("x".repeat(1000)))).toBe(`${"x".repeat(600)}\u2026`);
	expect(bytesText(Buffer.from("\u00e9".repeat(1000)))).toBe(`${"\u00e9".repeat(300)}\u2026`);
	expect(bytesText(Buffer.from(`x${"\u00e9".repeat(1000)}`))).toBe(`x${"\u00e9".repeat(299)}\u2026`);
	expect([1.5, -0, Number.POSITIVE_INFINITY, 10n].map(numberText)).toEqual(["1.5", "-0", "inf", "10"]);
});
