/** What is read of lists, sets, hashes, sorted sets, streams and arrays, as tables. */

import { formatCount } from "../dom.ts";
import { type Cell, showTable, type Table } from "./cells.ts";
import type { KeyName } from "./names.ts";
import type { KeySession } from "./session.ts";
import type { Contents, Reader, View } from "./viewers.ts";

type Bytes = Uint8Array;
type Facts = Readonly<Record<string, unknown>>;

const LAST_INDEX = "18446744073709551614";
const utf8 = new TextDecoder();

function view(title: string, ...tables: Table[]): View {
	return {
		title,
		tables,
		show(body) {
			for (const table of tables) showTable(table, body);
		},
	};
}

function counted(count: number, one: string, many: string): string {
	return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A collection of `all` elements, of which the first view shows `shown`. */
function contents(facts: readonly string[], views: readonly View[], shown: number, all: number): Contents {
	return { facts, views, best: views[0] as View, isCut: shown < all };
}

/** What a scan of one key finds, up to so many items. */
function scanned(session: KeySession, name: string, key: KeyName, most: number): Bytes[] {
	const items: Bytes[] = [];
	let cursor: Bytes | string = "0";
	do {
		const [next, found]: [Bytes, Bytes[]] = session.call(name, key.arg, cursor, "COUNT", most);
		items.push(...found);
		cursor = next;
	} while (utf8.decode(cursor) !== "0" && items.length < most);
	return items.slice(0, most);
}

const list: Reader = (session, key, most) => {
	const all = session.call<number>("LLEN", key.arg);
	const items = session.call<Bytes[]>("LRANGE", key.arg, 0, most - 1);
	if (all === 0) return undefined;
	const rows = items.map((item, index) => [index, item]);
	const table = { caption: "Elements", columns: ["index", "element"], rows };
	return contents([counted(all, "element", "elements")], [view("Elements", table)], items.length, all);
};

const set: Reader = (session, key, most) => {
	const all = session.call<number>("SCARD", key.arg);
	if (all === 0) return undefined;
	const members = scanned(session, "SSCAN", key, most);
	const rows = members.map((member) => [member]);
	const table = { caption: "Members", columns: ["member"], rows };
	return contents([counted(all, "member", "members")], [view("Members", table)], members.length, all);
};

/** When each field expires, in ms since 1970; undefined where none of them does. */
function fieldExpiries(session: KeySession, key: KeyName, fields: readonly Bytes[]): number[] | undefined {
	if (fields.length === 0) return undefined;
	const times = session.optional<number[]>("HPEXPIRETIME", key.arg, "FIELDS", fields.length, ...fields);
	return times?.some((time) => time > 0) ? times : undefined;
}

const hash: Reader = (session, key, most) => {
	const all = session.call<number>("HLEN", key.arg);
	if (all === 0) return undefined;
	const items = scanned(session, "HSCAN", key, most * 2);
	const fields = items.filter((_, i) => i % 2 === 0);
	const expiries = fieldExpiries(session, key, fields);
	const rows = fields.map((field, i): Cell[] => {
		const expires_ms = expiries?.[i] ?? -1;
		const expiry = expires_ms > 0 ? { expires_ms } : "";
		return [field, items[i * 2 + 1], ...(expiries ? [expiry] : [])];
	});
	const columns = ["field", "value", ...(expiries ? ["expires"] : [])];
	const facts = [counted(all, "field", "fields")];
	return contents(facts, [view("Fields", { caption: "Fields", columns, rows })], fields.length, all);
};

/** Members with their scores, and ranks from the end they are read from; each score with its share of the range that is seen. */
function ranked(pairs: readonly (readonly [Bytes, number])[]): Table {
	const finite = pairs.map(([, score]) => score).filter(Number.isFinite);
	const low = Math.min(0, ...finite);
	const span = Math.max(...finite, 0) - low;
	const share = (score: number) =>
		score === Number.POSITIVE_INFINITY ? 1 : span > 0 && Number.isFinite(score) ? (score - low) / span : 0;
	const rows = pairs.map(([member, score], at): Cell[] => [
		at,
		member,
		{ number: score, share: share(score) },
	]);
	return { caption: "Members by score", columns: ["rank", "member", "score"], rows };
}

const sortedSet: Reader = (session, key, most) => {
	const all = session.call<number>("ZCARD", key.arg);
	if (all === 0) return undefined;
	const read = (...order: string[]) =>
		session.call<[Bytes, number][]>("ZRANGE", key.arg, 0, most - 1, ...order, "WITHSCORES");
	const highest = read("REV");
	const views = [view("Highest", ranked(highest)), view("Lowest", ranked(read()))];
	return contents([counted(all, "member", "members")], views, highest.length, all);
};

type Entry = readonly [Bytes, readonly Bytes[] | null];

/** When an entry with a usual id was added. */
function idTime(id: string): string {
	const time = new Date(Number(id.split("-")[0]));
	const isUsual = time.getTime() > 1e12 && time.getTime() < 1e13;
	return isUsual ? time.toISOString().replace("T", " ").slice(0, 19) : "";
}

function entryRow([id, items]: Entry): Cell[] {
	const pairs: [Bytes, Bytes][] = [];
	for (let i = 0; items && i + 1 < items.length; i += 2)
		pairs.push([items[i] as Bytes, items[i + 1] as Bytes]);
	const text = utf8.decode(id);
	return [{ id: text, note: idTime(text) }, { pairs }];
}

/** The groups of a stream, and who reads in them. */
function groupTables(session: KeySession, key: KeyName): Table[] {
	const groups = session.optional<Facts[]>("XINFO", "GROUPS", key.arg) ?? [];
	if (groups.length === 0) return [];
	const columns = ["group", "readers", "pending", "lag", "last delivered"];
	const rows = groups.map((group) => [
		group.name as Bytes,
		group.consumers as number,
		group.pending as number,
		(group.lag as number | null) ?? "",
		utf8.decode(group["last-delivered-id"] as Bytes),
	]);
	const readers = groups.flatMap((group) => {
		const found = session.optional<Facts[]>("XINFO", "CONSUMERS", key.arg, group.name as Bytes) ?? [];
		return found.map((reader): Cell[] => [
			group.name as Bytes,
			reader.name as Bytes,
			reader.pending as number,
			`${Math.round(Number(reader.idle) / 1000)} s`,
		]);
	});
	const table = { caption: "Groups", columns, rows };
	if (readers.length === 0) return [table];
	return [table, { caption: "Consumers", columns: ["group", "consumer", "pending", "idle"], rows: readers }];
}

const stream: Reader = (session, key, most) => {
	const all = session.call<number>("XLEN", key.arg);
	const entries = session.call<Entry[]>("XREVRANGE", key.arg, "+", "-", "COUNT", most);
	const table = {
		caption: "Entries, the newest first",
		columns: ["id", "fields"],
		rows: entries.map(entryRow),
	};
	const groups = groupTables(session, key);
	const count = groups[0]?.rows.length ?? 0;
	const facts = [counted(all, "entry", "entries"), ...(count > 0 ? [counted(count, "group", "groups")] : [])];
	const views = [view("Entries", table), ...(count > 0 ? [view("Groups", ...groups)] : [])];
	return contents(facts, views, entries.length, all);
};

const array: Reader = (session, key, most) => {
	const all = session.call<number>("ARCOUNT", key.arg);
	if (all === 0) return undefined;
	const pairs = session.call<[number | bigint, Bytes][]>("ARSCAN", key.arg, 0, LAST_INDEX, "LIMIT", most);
	const length = session.call<number | bigint>("ARLEN", key.arg);
	const values = { caption: "Values", columns: ["index", "value"], rows: pairs };
	const layout = session.optional<Facts>("ARINFO", key.arg, "FULL") ?? {};
	const rows = Object.entries(layout).map(([name, number]): Cell[] => [name, number as number]);
	const facts = [counted(all, "value", "values"), `length ${length.toLocaleString("en")}`];
	const views = [view("Values", values), view("Layout", { caption: "Layout", columns: ["", ""], rows })];
	return contents(facts, views, pairs.length, all);
};

/** By the word TYPE answers. */
export const COLLECTIONS: Readonly<Record<string, Reader>> = {
	list,
	set,
	hash,
	zset: sortedSet,
	stream,
	array,
};
