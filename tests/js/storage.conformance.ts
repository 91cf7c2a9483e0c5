/**
 * What every storage driver must do, as plain functions: they run under Node, in a page, in workers of one and in workerd.
 * Each case gets a place of its own that `open` opens again and again, as tabs and restarts would.
 */

import type { Manifest, Storage } from "../../js/storage/storage.ts";

export interface Place {
	open(): Storage;
	/** Whether a former owner is kept from writing. */
	isFenced: boolean;
	/** Whether there is a log. */
	hasLog: boolean;
	/** Whether objects may have any name, not only such as bases have. */
	takesAnyName?: boolean;
	/** Lets the n-th append from now on fail, and only that. */
	failAppend?(storage: Storage, after: number): void;
	/** The place after a power cut that leaves `kept` of the appends that were not durable. */
	afterPowerCut?(storage: Storage, kept: number): Place;
}

export interface Case {
	name: string;
	run(place: Place): Promise<void>;
}

function check(isTrue: boolean, what: string): void {
	if (!isTrue) throw new Error(what);
}

function same(actual: unknown, expected: unknown, what: string): void {
	if (actual instanceof Uint8Array && expected instanceof Uint8Array && expected.length > 100) {
		check(actual.length === expected.length, `${what}: ${actual.length} bytes instead of ${expected.length}`);
		const at = actual.findIndex((byte, i) => byte !== expected[i]);
		check(at < 0, `${what} differs at ${at}`);
		return;
	}
	// An object's fields have no order.
	const text = (value: unknown) =>
		JSON.stringify(value, (_, v) => {
			if (v instanceof Uint8Array) return { bytes: [...v] };
			if (v === null || typeof v !== "object" || Array.isArray(v)) return v;
			return Object.fromEntries(Object.entries(v).sort(([one], [other]) => (one < other ? -1 : 1)));
		});
	check(text(actual) === text(expected), `${what}: ${text(actual)} instead of ${text(expected)}`);
}

async function refuses(work: () => Promise<unknown>, what: string): Promise<void> {
	const error = await work().then(
		() => undefined,
		(reason: unknown) => reason,
	);
	check(error instanceof Error, `${what} should be refused`);
}

function manifest(seq: number, chunks = 1, incr: Manifest["incr"] = []): Manifest {
	const base = { name: `base-${seq}`, chunks, seq, crc: 1, length_bytes: 2 };
	return { version: 1, replid: "r", base, incr, offset: 0 };
}

/** Of names and numbers, whatever their order. */
async function listed(storage: Storage): Promise<(string | number)[]> {
	const inOrder = (name: string | number) => String(name).padStart(20, "0");
	return [...(await storage.list())].sort((a, b) => (inOrder(a) < inOrder(b) ? -1 : 1));
}

/** One array of all. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

/** A case about segments; without a log it is only asked that an append is refused. */
function logCase(name: string, run: (place: Place) => Promise<void>): Case {
	return {
		name,
		async run(place) {
			if (place.hasLog) return run(place);
			const storage = place.open();
			await storage.load();
			await refuses(() => storage.append(1, bytes(1), true), "an append without a log");
			await storage.close();
		},
	};
}

const LOG_CASES: readonly Case[] = [
	logCase("segments are appended in order, and removed whole", async ({ open }) => {
		const storage = open();
		await storage.load();
		const appends = [1, 2, 3, 4, 5].map((seed) => storage.append(7, bytes(3, seed), seed === 5));
		await Promise.all([...appends, storage.append(8, bytes(2), true)]);
		const whole = joined([1, 2, 3, 4, 5].map((seed) => bytes(3, seed)));
		same(await storage.read(7), whole, "segment 7");
		same(await storage.read(8), bytes(2), "segment 8");
		same(await listed(storage), [7, 8], "list");
		await storage.remove([7]);
		same(await storage.read(7), null, "removed segment");
		same(await storage.read(8), bytes(2), "other segment");
		await storage.close();
	}),
	logCase("appends, puts and commits that nobody awaits take effect in their order", async ({ open }) => {
		const storage = open();
		await storage.load();
		const written: Record<number, Uint8Array[]> = { 1: [], 2: [], 3: [] };
		const work: Promise<void>[] = [];
		for (let i = 0; i < 300; i++) {
			const segment = 1 + ((i * 7) % 3);
			const some = bytes(1 + ((i * 37) % 200), i);
			written[segment]?.push(some);
			work.push(storage.append(segment, some, i % 50 === 0));
			if (i % 60 === 30) work.push(storage.put(`object-${i}`, bytes(300, i)));
			if (i % 100 === 99) work.push(storage.commit(manifest(i, 0, [{ id: 1 }, { id: 2 }, { id: 3 }]), []));
		}
		await Promise.all(work);
		const readBack = async (from: Storage) => {
			for (const segment of [1, 2, 3]) {
				same(await from.read(segment), joined(written[segment] ?? []), `segment ${segment}`);
			}
			same(await from.read("object-90"), bytes(300, 90), "object");
		};
		await readBack(storage);
		// An object that nobody needs may go.
		await storage.commit(manifest(300, 0, [{ id: 1 }, { id: 2 }, { id: 3 }]), ["object-90"]);
		await storage.close();
		const next = open();
		same((await next.load()).manifest, manifest(300, 0, [{ id: 1 }, { id: 2 }, { id: 3 }]), "manifest");
		await readBack(next);
		await next.close();
	}),
	logCase("close waits for what was called before", async ({ open }) => {
		const storage = open();
		await storage.load();
		const work = [0, 1, 2, 3].map((seed) => storage.append(1, bytes(1000, seed), false));
		work.push(storage.commit(manifest(1, 0, [{ id: 1, length_bytes: 4000 }]), []));
		await storage.close();
		await Promise.all(work);
		const next = open();
		same((await next.load()).manifest, manifest(1, 0, [{ id: 1, length_bytes: 4000 }]), "manifest");
		same(await next.read(1), joined([0, 1, 2, 3].map((seed) => bytes(1000, seed))), "segment");
		await next.close();
	}),
	logCase("an append without bytes makes durable what is there, and adds nothing", async ({ open }) => {
		const storage = open();
		await storage.load();
		await storage.append(3, bytes(0), true);
		check(((await storage.read(3))?.length ?? 0) === 0, "the segment should be empty");
		await storage.append(3, bytes(10), false);
		await storage.append(3, bytes(0), true);
		await storage.append(3, bytes(0), false);
		await storage.append(3, bytes(5, 2), false);
		same(await storage.read(3), joined([bytes(10), bytes(5, 2)]), "segment");
		await storage.close();
	}),
	logCase("an append may be larger than a chunk, and a part of a larger array", async ({ open }) => {
		const storage = open();
		await storage.load();
		const large = bytes(3_500_000, 5);
		await storage.append(1, bytes(10, 9), false);
		await storage.append(1, large.subarray(1_000, 3_400_000), true);
		await storage.append(1, large.subarray(5, 15), true);
		const whole = joined([bytes(10, 9), large.subarray(1_000, 3_400_000), large.subarray(5, 15)]);
		same(await storage.read(1), whole, "segment");
		await storage.close();
		const next = open();
		await next.load();
		same(await next.read(1), whole, "segment of the former owner");
		await next.close();
	}),
	logCase("what is read is a copy", async ({ open }) => {
		const storage = open();
		await storage.load();
		const mine = bytes(20);
		await storage.append(1, mine, false);
		mine.fill(0);
		(await storage.read(1))?.fill(1);
		same(await storage.read(1), bytes(20), "segment");
		await storage.put("x", bytes(20));
		(await storage.read("x"))?.fill(1);
		same(await storage.read("x"), bytes(20), "object");
		await storage.close();
	}),
	logCase("each owner appends to segments of its own, and all remain", async ({ open }) => {
		for (let owner = 1; owner <= 4; owner++) {
			const storage = open();
			await storage.load();
			for (let before = 1; before < owner; before++) {
				same(
					await storage.read(before),
					joined([bytes(9, before), bytes(before, before)]),
					`segment ${before}`,
				);
			}
			same((await listed(storage)).length, owner - 1, "how many segments there are");
			await storage.append(owner, bytes(9, owner), false);
			await storage.append(owner, bytes(owner, owner), true);
			await storage.close();
		}
	}),
	logCase("many segments are listed, and removed together", async ({ open }) => {
		const storage = open();
		await storage.load();
		const ids = Array.from({ length: 60 }, (_, i) => i + 1);
		await Promise.all(ids.map((id) => storage.append(id, bytes(id, id), false)));
		await storage.put("object", bytes(1));
		await storage.commit(manifest(1, 0), ["object"]);
		same(await listed(storage), [...ids, "object"], "list");
		await storage.remove([...ids.filter((id) => id % 2 === 0), 1000]);
		const odd = ids.filter((id) => id % 2 === 1);
		same(await listed(storage), [...odd, "object"], "list after the removal");
		await storage.close();
		const next = open();
		await next.load();
		same(await listed(next), [...odd, "object"], "list of the next owner");
		for (const id of odd) same(await next.read(id), bytes(id, id), `segment ${id}`);
		await next.close();
	}),
	logCase("10,000 appends are all there, in order", async ({ open }) => {
		const storage = open();
		await storage.load();
		const parts: Uint8Array[] = [];
		for (let i = 0; i < 10_000; ) {
			const group: Promise<void>[] = [];
			for (let end = i + 100; i < end; i++) {
				const some = bytes(20 + (i % 60), i);
				parts.push(some);
				group.push(storage.append(1, some, i % 5000 === 0));
			}
			await Promise.all(group);
		}
		same(await storage.read(1), joined(parts), "segment");
		await storage.close();
		const next = open();
		await next.load();
		same(await next.read(1), joined(parts), "segment of the former owner");
		await next.close();
	}),
	logCase("a reader sees what was appended, and cannot append", async ({ open }) => {
		const owner = open();
		await owner.load();
		await owner.commit(manifest(1, 0, [{ id: 1 }]), []);
		await owner.append(1, bytes(30), true);
		const reader = open();
		same((await reader.load(true)).manifest, manifest(1, 0, [{ id: 1 }]), "manifest");
		same(await reader.read(1), bytes(30), "segment");
		await refuses(() => reader.append(1, bytes(1), true), "a reader's append");
		await refuses(() => reader.append(2, bytes(1), true), "a reader's append to a new segment");
		await owner.append(1, bytes(5, 2), true);
		same(await owner.read(1), joined([bytes(30), bytes(5, 2)]), "segment of the owner");
		await reader.close();
		await owner.close();
	}),
	logCase("nothing of a former owner's appends is there after the next one has come", async (place) => {
		if (!place.isFenced) return;
		const first = place.open();
		await first.load();
		await first.append(1, bytes(4), true);
		const second = place.open();
		await second.load();
		const late = [5, 6, 7].map((seed) => first.append(1, bytes(4, seed), seed === 7));
		const outcomes = await Promise.allSettled([...late, first.append(2, bytes(1), true)]);
		same(
			outcomes.map(({ status }) => status),
			["rejected", "rejected", "rejected", "rejected"],
			"the former owner's appends",
		);
		same(await second.read(1), bytes(4), "segment 1");
		await second.append(2, bytes(2, 2), true);
		same(await second.read(2), bytes(2, 2), "segment 2");
		await Promise.all([first.close(), second.close()]);
	}),
	logCase(
		"when an append fails, what was called behind it fails, too; a later one does not",
		async (place) => {
			if (!place.failAppend) return;
			const storage = place.open();
			await storage.load();
			await storage.append(1, bytes(3, 1), true);
			place.failAppend(storage, 2);
			const work = [2, 3, 4, 5, 6].map((seed) => storage.append(1, bytes(3, seed), false));
			const commit = storage.commit(manifest(1, 0, [{ id: 1, length_bytes: 18 }]), []);
			const outcomes = await Promise.allSettled([...work, commit]);
			const firstFailed = outcomes.findIndex(({ status }) => status === "rejected");
			check(firstFailed >= 0, "one should have failed");
			check(
				outcomes.slice(firstFailed).every(({ status }) => status === "rejected"),
				"an append took effect although one before it failed",
			);
			await storage.append(1, bytes(2, 9), true);
			const kept = [1, 2, 3, 4, 5, 6].slice(0, firstFailed + 1).map((seed) => bytes(3, seed));
			same(await storage.read(1), joined([...kept, bytes(2, 9)]), "segment");
			await storage.close();
			const next = place.open();
			same((await next.load()).manifest, null, "manifest");
			await next.close();
		},
	),
	logCase("a power cut leaves what was durable, and a prefix of the rest", async (place) => {
		if (!place.afterPowerCut) return;
		for (const kept of [0, 1, 2]) {
			const storage = place.open();
			const { epoch } = await storage.load();
			const segment = epoch * 10;
			await storage.append(segment, bytes(3, 1), false);
			await storage.append(segment + 1, bytes(3, 2), true);
			await storage.append(segment, bytes(3, 3), false);
			await storage.append(segment, bytes(3, 4), false);
			const next = place.afterPowerCut(storage, kept).open();
			await next.load();
			const parts = [1, 3, 4].slice(0, 1 + kept).map((seed) => bytes(3, seed));
			same(await next.read(segment), joined(parts), `segment with ${kept}`);
			same(await next.read(segment + 1), bytes(3, 2), "the other segment");
		}
	}),
];

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
			// An object that nobody names does no harm.
			await first.put("base-9.0", bytes(9)).catch(() => undefined);
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
		name: "a manifest keeps all it says",
		async run({ open }) {
			const storage = open();
			await storage.load();
			for (const name of ["base-1.0", "base-2.0", "base-3.0"]) await storage.put(name, bytes(2));
			const { base } = manifest(1);
			const whole: Manifest = {
				...manifest(3, 1, [{ id: 4, length_bytes: 17 }, { id: 5 }]),
				replid: "0123456789abcdef0123456789abcdef01234567",
				offset: 2 ** 40 + 1,
				previous: manifest(2).base ?? undefined,
				kept: base ? [base] : [],
			};
			await storage.commit(whole, ["base-3.0"]);
			await storage.close();
			const next = open();
			same((await next.load(true)).manifest, whole, "manifest");
			await next.close();
		},
	},
	{
		name: "puts that nobody awaits are there for the commit behind them",
		async run({ open }) {
			const storage = open();
			await storage.load();
			const names = Array.from({ length: 20 }, (_, i) => `base-1.${i}`);
			const puts = names.map((name, i) => storage.put(name, bytes(5000 + i, i)));
			await Promise.all(puts);
			await storage.commit(manifest(1, 20), names);
			await storage.close();
			const next = open();
			await next.load();
			for (const [i, name] of names.entries()) same(await next.read(name), bytes(5000 + i, i), name);
			await next.close();
		},
	},
	{
		name: "names are names, whatever is in them",
		async run({ open, takesAnyName = true }) {
			if (!takesAnyName) return;
			const storage = open();
			await storage.load();
			const names = ["", ".", "..", "a/b", "a\\b", "7", "caf\u00e9 \u{1f600}", "%2e", "x".repeat(200)];
			for (const [i, name] of names.entries()) await storage.put(name, bytes(3, i));
			for (const [i, name] of names.entries()) same(await storage.read(name), bytes(3, i), `"${name}"`);
			same(await storage.read(7), null, "segment 7");
			same((await storage.list()).length, names.length, "how many are listed");
			await storage.remove(names);
			same(await storage.list(), [], "list");
			await storage.close();
		},
	},
	{
		name: "nothing is removed by removing nothing",
		async run({ open }) {
			const storage = open();
			await storage.load();
			await storage.put("a", bytes(1));
			await storage.remove([]);
			same(await storage.list(), ["a"], "list");
			await storage.close();
		},
	},
	{
		name: "who has not loaded cannot write",
		async run({ open, hasLog }) {
			const storage = open();
			await refuses(() => storage.commit(manifest(1), []), "a commit");
			if (hasLog) await refuses(() => storage.append(1, bytes(1), true), "an append");
			await storage.close();
			const next = open();
			same((await next.load()).manifest, null, "manifest");
			same(await next.list(), [], "list");
			await next.close();
		},
	},
	{
		name: "who reads can become the owner",
		async run({ open, hasLog }) {
			const owner = open();
			await owner.load();
			await owner.put("base-1.0", bytes(5));
			await owner.commit(manifest(1, 1, [{ id: 1 }]), ["base-1.0"]);
			const heir = open();
			await heir.load(true);
			if (hasLog) await owner.append(1, bytes(9), true);
			await owner.close();
			same((await heir.load(true)).manifest, manifest(1, 1, [{ id: 1 }]), "manifest");
			await heir.load();
			if (hasLog) {
				same(await heir.read(1), bytes(9), "segment 1");
				await heir.append(2, bytes(4), true);
			}
			await heir.commit(manifest(1, 1, [{ id: 1, length_bytes: 9 }, { id: 2 }]), []);
			same(await heir.read("base-1.0"), bytes(5), "chunk");
			await heir.close();
		},
	},
	...LOG_CASES,
];
