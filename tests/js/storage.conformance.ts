/**
 * What every storage driver must do, as plain functions: they run under Node, in a page and against Workers KV.
 * Each case gets a place of its own that `open` opens again and again, as tabs and restarts would.
 */

import type { Manifest, Storage } from "../../js/storage/storage.ts";

export interface Place {
	open(): Storage;
	/** Whether a former owner is kept from writing. */
	isFenced: boolean;
	/** Whether there is a log. */
	hasLog: boolean;
}

export interface Case {
	name: string;
	run(place: Place): Promise<void>;
}

function check(isTrue: boolean, what: string): void {
	if (!isTrue) throw new Error(what);
}

function same(actual: unknown, expected: unknown, what: string): void {
	const text = (value: unknown) =>
		JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? { bytes: [...v] } : v));
	check(text(actual) === text(expected), `${what}: ${text(actual)} instead of ${text(expected)}`);
}

async function refuses(work: () => Promise<unknown>, what: string): Promise<void> {
	const error = await work().then(
		() => undefined,
		(reason: unknown) => reason,
	);
	check(error instanceof Error, `${what} should be refused`);
}

function manifest(seq: number, chunks = 1): Manifest {
	const base = { name: `base-${seq}`, chunks, seq, crc: 1, length_bytes: 2 };
	return { version: 1, replid: "r", base, incr: [], offset: 0 };
}

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

export const CASES: readonly Case[] = [
	{
		name: "a new place is empty",
		async run({ open }) {
			const storage = open();
			same((await storage.load()).manifest, null, "manifest");
			same(await storage.read("base-1.0"), null, "object");
			same(await storage.list(), [], "list");
			await storage.close();
		},
	},
	{
		name: "a committed base is there for the next owner",
		async run({ open }) {
			const storage = open();
			await storage.load();
			await storage.put("base-1.0", bytes(1000));
			await storage.put("base-1.1", bytes(0));
			await storage.commit(manifest(1, 2), ["base-1.0", "base-1.1"]);
			await storage.close();
			const next = open();
			same((await next.load()).manifest, manifest(1, 2), "manifest");
			same(await next.read("base-1.0"), bytes(1000), "chunk 0");
			same(await next.read("base-1.1"), bytes(0), "chunk 1");
			await next.close();
		},
	},
	{
		name: "what is put is invisible until it is committed",
		async run({ open }) {
			const storage = open();
			await storage.load();
			await storage.put("base-1.0", bytes(10));
			await storage.commit(manifest(1), ["base-1.0"]);
			await storage.put("base-2.0", bytes(20));
			await storage.close();
			const next = open();
			same((await next.load()).manifest, manifest(1), "manifest");
			await next.close();
		},
	},
	{
		name: "a chunk of the largest size survives",
		async run({ open }) {
			const storage = open();
			await storage.load();
			const large = bytes(Math.min(storage.chunkLimit_bytes, 4 << 20));
			await storage.put("large", large);
			const back = await storage.read("large");
			check(back?.length === large.length && back.every((byte, i) => byte === large[i]), "the chunk differs");
			await storage.close();
		},
	},
	{
		name: "an object is what was last put, and not the caller's array",
		async run({ open }) {
			const storage = open();
			await storage.load();
			const mine = bytes(100, 1);
			await storage.put("x", mine);
			mine.fill(0);
			same(await storage.read("x"), bytes(100, 1), "after the caller's change");
			await storage.put("x", bytes(50, 2));
			same(await storage.read("x"), bytes(50, 2), "after a second put");
			await storage.close();
		},
	},
	{
		name: "removal takes what it names and nothing else",
		async run({ open }) {
			const storage = open();
			await storage.load();
			for (const name of ["a", "b", "c"]) await storage.put(name, bytes(3));
			await storage.remove(["a", "c", "never there"]);
			same(await storage.list(), ["b"], "list");
			same(await storage.read("a"), null, "removed");
			same(await storage.read("b"), bytes(3), "kept");
			await storage.close();
		},
	},
	{
		name: "a list has everything, many objects too",
		async run({ open }) {
			const storage = open();
			await storage.load();
			const names = Array.from({ length: 40 }, (_, i) => `object-${i}`);
			for (const name of names) await storage.put(name, bytes(1));
			same([...(await storage.list())].sort(), [...names].sort(), "list");
			await storage.close();
		},
	},
	{
		name: "a reader sees, and cannot commit",
		async run({ open }) {
			const owner = open();
			await owner.load();
			await owner.put("base-1.0", bytes(5));
			await owner.commit(manifest(1), ["base-1.0"]);
			const reader = open();
			same((await reader.load(true)).manifest, manifest(1), "manifest");
			same(await reader.read("base-1.0"), bytes(5), "chunk");
			await refuses(() => reader.commit(manifest(2), []), "a reader's commit");
			await owner.put("base-2.0", bytes(6));
			await owner.commit(manifest(2), ["base-2.0"]);
			await owner.close();
			await reader.close();
		},
	},
	{
		name: "a former owner is fenced",
		async run({ open, isFenced, hasLog }) {
			if (!isFenced) return;
			const first = open();
			const { epoch } = await first.load();
			await first.put("base-1.0", bytes(5));
			await first.commit(manifest(1), ["base-1.0"]);
			const second = open();
			same((await second.load()).epoch, epoch + 1, "epoch");
			await first.put("base-9.0", bytes(9));
			await refuses(() => first.commit(manifest(9), ["base-9.0"]), "the former owner's commit");
			if (hasLog) await refuses(() => first.append(1, bytes(1), true), "the former owner's append");
			await second.put("base-2.0", bytes(6));
			await second.commit(manifest(2), ["base-2.0"]);
			const third = open();
			same((await third.load()).manifest, manifest(2), "manifest");
			await Promise.all([first.close(), second.close(), third.close()]);
		},
	},
	{
		name: "a commit that needs what was never put is refused",
		async run({ open, isFenced }) {
			if (!isFenced) return;
			const storage = open();
			await storage.load();
			await storage.put("base-1.0", bytes(5));
			await storage.commit(manifest(1), ["base-1.0"]);
			await refuses(() => storage.commit(manifest(2), ["base-2.0"]), "the commit");
			await storage.close();
			const next = open();
			same((await next.load()).manifest, manifest(1), "manifest");
			await next.close();
		},
	},
	{
		name: "segments are appended in order, and removed whole",
		async run({ open, hasLog }) {
			const storage = open();
			await storage.load();
			if (!hasLog) {
				await refuses(() => storage.append(1, bytes(1), true), "an append without a log");
				return storage.close();
			}
			const appends = [1, 2, 3, 4, 5].map((seed) => storage.append(7, bytes(3, seed), seed === 5));
			await Promise.all([...appends, storage.append(8, bytes(2), true)]);
			const whole = Uint8Array.from([1, 2, 3, 4, 5].flatMap((seed) => [...bytes(3, seed)]));
			same(await storage.read(7), whole, "segment 7");
			same(await storage.read(8), bytes(2), "segment 8");
			same([...(await storage.list())].sort(), [7, 8], "list");
			await storage.remove([7]);
			same(await storage.read(7), null, "removed segment");
			same(await storage.read(8), bytes(2), "other segment");
			await storage.close();
		},
	},
];
