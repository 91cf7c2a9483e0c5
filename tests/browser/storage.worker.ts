/**
 * Runs the storage suite in a dedicated worker, on OPFS, and what can be done to its files. Each message is the name of a
 * case or of a function below with its arguments; each answer `{ value }` or `{ error }`.
 */

import { RedstartError } from "../../js/errors.ts";
import { OpfsStorage } from "../../js/storage/opfs.ts";
import type { Manifest } from "../../js/storage/storage.ts";
import { CASES } from "../js/storage.conformance.ts";

const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

const manifestOf = (seq: number, incr: Manifest["incr"] = []): Manifest => ({
	version: 1,
	replid: "",
	base: { name: `base-${seq}`, chunks: 1, seq, crc: 0, length_bytes: 0 },
	incr,
	offset: 0,
});

async function outcome(work: Promise<unknown>): Promise<string> {
	return work.then(
		() => "done",
		(error: Error) => (error instanceof RedstartError ? `${error.kind}: ${error.message}` : String(error)),
	);
}

interface Handle {
	getSize(): number;
	read(into: Uint8Array, options: { at: number }): number;
	write(bytes: Uint8Array, options: { at: number }): number;
	truncate(length: number): void;
	close(): void;
}

/** The files of a database that nobody has open. */
class Files {
	private readonly folder: FileSystemDirectoryHandle;

	private constructor(folder: FileSystemDirectoryHandle) {
		this.folder = folder;
	}

	static async of(name: string): Promise<Files> {
		const root = await navigator.storage.getDirectory();
		return new Files(await (await root.getDirectoryHandle("redstart")).getDirectoryHandle(`db-${name}`));
	}

	async names(): Promise<string[]> {
		const names: string[] = [];
		for await (const name of this.folder.keys()) names.push(name);
		return names.sort();
	}

	private async handle(name: string): Promise<Handle> {
		const file = (await this.folder.getFileHandle(name)) as unknown as {
			createSyncAccessHandle(): Promise<Handle>;
		};
		return file.createSyncAccessHandle();
	}

	async read(name: string): Promise<Uint8Array> {
		const handle = await this.handle(name);
		const all = new Uint8Array(handle.getSize());
		handle.read(all, { at: 0 });
		handle.close();
		return all;
	}

	async write(name: string, all: Uint8Array): Promise<void> {
		const handle = await this.handle(name);
		handle.truncate(0);
		handle.write(all, { at: 0 });
		handle.close();
	}
}

const generationIn = (slot: Uint8Array) =>
	JSON.parse(new TextDecoder().decode(slot.subarray(12))).generation as number;

/** What an owner and a reader see with these slots. */
async function seen(name: string): Promise<string> {
	const storage = new OpfsStorage(name);
	try {
		const { manifest } = await storage.load(true);
		return String(manifest?.base?.seq);
	} catch (error) {
		return (error as RedstartError).kind;
	} finally {
		await storage.close();
	}
}

/** Spoils either slot in every way: how often each state came out. */
async function slots(): Promise<unknown> {
	const storage = new OpfsStorage("slots");
	await storage.load();
	for (const seq of [1, 2]) {
		await storage.put(`base-${seq}`, bytes(10, seq));
		await storage.commit(manifestOf(seq), [`base-${seq}`]);
	}
	await storage.close();
	const files = await Files.of("slots");
	const both = await Promise.all(["a", "b"].map(async (name) => ({ name, all: await files.read(name) })));
	both.sort((one, other) => generationIn(other.all) - generationIn(one.all));
	const [newer, older] = both as [(typeof both)[0], (typeof both)[0]];
	const counts: Record<string, number> = {};
	const count = async (what: string) => {
		const found = `${what}: ${await seen("slots")}`;
		counts[found] = (counts[found] ?? 0) + 1;
	};
	for (const { name, all } of [newer, older]) {
		const which = name === newer.name ? "newer" : "older";
		for (let at = 0; at < all.length; at += 7) {
			const flipped = all.slice();
			flipped[at] = (flipped[at] as number) ^ 0x10;
			await files.write(name, flipped);
			await count(`${which} garbled`);
			await files.write(name, all.slice(0, at));
			await count(`${which} cut`);
		}
		await files.write(name, all);
	}
	await files.write(newer.name, newer.all.slice(0, -1));
	await files.write(older.name, older.all.slice(0, -1));
	await count("both cut");
	const owner = new OpfsStorage("slots");
	counts[(await outcome(owner.load())).split(":")[0] as string] = 1;
	await files.write(newer.name, newer.all);
	await count("nothing was written over");
	return counts;
}

/** Cuts and garbles a log everywhere: what is read must be a prefix of whole appends, and all before the damage. */
async function torn(): Promise<unknown> {
	const storage = new OpfsStorage("torn");
	await storage.load();
	const parts = [bytes(5, 1), bytes(1, 2), bytes(40, 3), bytes(12, 4)];
	for (const part of parts) await storage.append(3, part, true);
	await storage.close();
	const files = await Files.of("torn");
	let log = "";
	for (const name of await files.names()) {
		if (name.startsWith("pool-") && (await files.read(name)).length > 0) log = name;
	}
	const all = await files.read(log);
	const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, { length }) => sum + 16 + length, 0));
	const problems: string[] = [];
	const expect = async (what: string, damage: number) => {
		const whole = ends.filter((end) => end <= damage).length;
		const wanted = parts.slice(0, whole).flatMap((part) => [...part]);
		const reader = new OpfsStorage("torn");
		await reader.load(true);
		const found = await reader.read(3);
		await reader.close();
		if (String([...(found ?? [])]) !== String(wanted)) problems.push(`${what}: ${found?.length} bytes`);
	};
	for (let at = 0; at <= all.length; at++) {
		await files.write(log, all.slice(0, at));
		await expect(`cut at ${at}`, at);
	}
	for (let at = 0; at < all.length; at++) {
		const flipped = all.slice();
		flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
		await files.write(log, flipped);
		await expect(`flipped at ${at}`, at);
	}
	// Whatever was in the file before: garbage, zeros, and frames of another segment.
	for (const garbage of [bytes(100, 9), new Uint8Array(100), all.slice(0, 37)]) {
		await files.write(log, Uint8Array.from([...all, ...garbage]));
		await expect("garbage behind", all.length);
	}
	return { length: all.length, problems };
}

/** A segment whose first frame is damaged is not taken for a free file, nor is one that nobody knows before a commit. */
async function damaged(): Promise<unknown> {
	const storage = new OpfsStorage("damaged");
	await storage.load();
	await storage.append(1, bytes(50, 1), true);
	await storage.commit(manifestOf(1, [{ id: 1, length_bytes: 50 }]), []);
	await storage.append(2, bytes(50, 2), true);
	await storage.close();
	const files = await Files.of("damaged");
	const logs: [string, Uint8Array][] = [];
	for (const name of await files.names()) {
		if (!name.startsWith("pool-")) continue;
		const all = await files.read(name);
		if (all.length === 0) continue;
		all[20] = (all[20] as number) ^ 1;
		logs.push([name, all]);
		await files.write(name, all);
	}
	const next = new OpfsStorage("damaged");
	const { manifest } = await next.load();
	const list = await next.list();
	await next.append(3, bytes(5, 3), true);
	await next.close();
	let kept = 0;
	for (const [name, all] of logs) if (String(await files.read(name)) === String(all)) kept++;
	return { list, incr: manifest?.incr, kept, of: logs.length };
}

/** The same few files serve for ever. */
async function rewritten(): Promise<unknown> {
	const storage = new OpfsStorage("rewritten");
	await storage.load();
	for (let seq = 1; seq <= 30; seq++) {
		await storage.append(seq, bytes(1000, seq), true);
		for (const part of [0, 1, 2]) await storage.put(`base-${seq}.${part}`, bytes(10_000, seq + part));
		await storage.commit(manifestOf(seq, [{ id: seq }]), [`base-${seq}.0`]);
		await storage.remove([0, 1, 2].map((part) => `base-${seq - 1}.${part}`));
		await storage.remove([seq - 1]);
	}
	const list = (await storage.list()).map(String).sort();
	await storage.close();
	const files = await Files.of("rewritten");
	const names = (await files.names()).filter((name) => name.startsWith("pool-"));
	const used = await Promise.all(names.map(async (name) => (await files.read(name)).length));
	return { list, files: names.length, bytes: used.filter((length) => length > 0).sort((a, b) => a - b) };
}

let kept: OpfsStorage | undefined;

/** Opens a database and keeps it open. */
async function hold(name: string): Promise<unknown> {
	kept = new OpfsStorage(name);
	const { epoch } = await kept.load();
	await kept.append(epoch, bytes(10, epoch), true);
	return { epoch, list: (await kept.list()).sort() };
}

const appendKept = (segment: number) => outcome((kept as OpfsStorage).append(segment, bytes(10, 0), true));

/** Fills what the browser gives until it gives no more. */
async function fill(): Promise<unknown> {
	kept = new OpfsStorage("filled");
	await kept.load();
	const part = bytes(600_000, 1);
	for (let count = 0; count < 100; count++) {
		try {
			await kept.append(1, part, true);
		} catch (error) {
			const { kind, cause } = error as RedstartError;
			return {
				kind,
				cause: (cause as Error)?.name,
				isWhole: (await kept.read(1))?.length === count * part.length,
			};
		}
	}
	return "never full";
}

/** There is room again. */
async function fillOn(): Promise<unknown> {
	const before = (await kept?.read(1))?.length ?? 0;
	const told = await outcome((kept as OpfsStorage).append(1, bytes(7, 7), true));
	const after = (await kept?.read(1))?.length ?? 0;
	await kept?.close();
	return { told, more: after - before };
}

const FUNCTIONS: Record<string, (...args: never[]) => Promise<unknown>> = {
	appendKept,
	damaged,
	fill,
	fillOn,
	hold,
	rewritten,
	slots,
	torn,
};

addEventListener("message", async ({ data: [name, ...args] }: MessageEvent<[string, ...never[]]>) => {
	const one = CASES.find((other) => other.name === name);
	try {
		const value = one
			? await one.run({ open: () => new OpfsStorage(name), isFenced: true, hasLog: true })
			: await FUNCTIONS[name]?.(...args);
		postMessage({ value });
	} catch (error) {
		postMessage({ error: (error as Error).stack ?? String(error) });
	}
});
