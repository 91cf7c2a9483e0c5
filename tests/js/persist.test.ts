import { describe, expect, it, vi } from "vitest";
import { RedstartError } from "../../js/errors.ts";
import type { Redstart } from "../../js/redstart.ts";
import { crc32c } from "../../js/storage/crc32c.ts";
import type { MemoryDisk } from "../../js/storage/memory.ts";
import { FaultyStorage } from "./faulty-storage.ts";
import { open } from "./open.ts";

const raw = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Enough for several chunks of 1 MiB, incompressible. */
function fill(db: Redstart, keys = 40, length = 100_000): void {
	let state = 1;
	for (let i = 0; i < keys; i++) {
		const value = new Uint8Array(length);
		for (let j = 0; j < length; j++) {
			state = (Math.imul(state, 1103515245) + 12345) >>> 0;
			value[j] = state >>> 16;
		}
		db.set(`big:${i}`, value);
	}
}

/** Names of objects with what they hold, in short. */
function digest(disk: MemoryDisk): [string | number, number][] {
	return [...disk.objects].map(([name, bytes]) => [name, crc32c(bytes)]);
}

async function reopened(disk: MemoryDisk, options = {}): Promise<Redstart> {
	return open({ storage: new FaultyStorage(disk), ...options });
}

describe("a saved dataset", () => {
	it("is there at the next open: values, deadlines, databases", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		db.set("text", "caf\u00e9 \u{1f600}");
		db.set(raw, raw);
		db.set("soon", "x", { ex: 1000 });
		db.set("n", 12345);
		const other = db.session();
		other.select(5);
		other.set("five", "5");
		expect(await db.save()).toBe("OK");
		await db.close();
		const back = await reopened(storage.disk);
		expect(back.get("text")).toBe("caf\u00e9 \u{1f600}");
		expect(back.bytes.get(raw)).toEqual(raw);
		expect(back.ttl("soon")).toBeGreaterThan(990);
		expect(back.incr("n")).toBe(12346);
		expect(back.dbsize()).toBe(4);
		back.select(5);
		expect(back.get("five")).toBe("5");
	});

	it("is stored in chunks, the manifest last, the old base removed", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		fill(db);
		await db.save();
		const first = [...storage.done];
		expect(first.filter((what) => what.startsWith("put")).length).toBeGreaterThan(3);
		expect(first.at(-1)).toBe("commit");
		for (const bytes of storage.disk.objects.values()) expect(bytes.length).toBeLessThanOrEqual(1 << 20);
		const old = [...storage.disk.objects.keys()];
		db.set("more", 1);
		await db.save();
		for (const name of old) expect(storage.disk.objects.has(name)).toBe(false);
		expect((await reopened(storage.disk)).dbsize()).toBe(41);
	});

	it("is what it was when the save began", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		db.set("a", "before");
		let release = () => {};
		storage.gate = new Promise((resolve) => {
			release = resolve;
		});
		const saving = db.save();
		await new Promise((resolve) => setTimeout(resolve, 5));
		db.set("a", "after");
		release();
		await saving;
		expect(db.engine.dirty).toBe(1);
		const back = await reopened(structuredClone(storage.disk));
		expect(back.get("a")).toBe("before");
	});

	it("is saved at close when something changed, and only then", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		db.set("a", 1);
		await db.close();
		expect(storage.done.filter((what) => what === "commit")).toHaveLength(1);
		const back = new FaultyStorage(storage.disk);
		await (await open({ storage: back })).close();
		expect(back.done).toEqual([]);
	});

	it("is saved by the rules of `save`", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage, config: { save: "1 2" } });
		const saved = vi.fn();
		db.on("save", saved);
		db.set("a", 1);
		db.set("b", 1);
		await vi.waitFor(() => expect(saved).toHaveBeenCalledOnce(), 5000);
		expect(saved.mock.calls[0]?.[0].length_bytes).toBeGreaterThan(10);
		expect(db.engine.dirty).toBe(0);
		expect((await reopened(storage.disk)).dbsize()).toBe(2);
	});

	it("is saved in the background by BGSAVE", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		const saved = vi.fn();
		db.on("save", saved);
		db.set("a", 1);
		expect(db.bgsave()).toBe("Background saving started");
		await vi.waitFor(() => expect(saved).toHaveBeenCalledOnce());
		expect(db.lastsave()).toBeGreaterThan(Date.now() / 1000 - 5);
	});
});

describe("a save that fails", () => {
	it("at any operation leaves the old dataset or the new, never a mix", async () => {
		for (let failAfter = 0; ; failAfter++) {
			const storage = new FaultyStorage();
			const db = await open({ storage });
			db.on("persistence-lost", () => {});
			fill(db, 30);
			db.set("generation", "old");
			await db.save();
			for (let i = 0; i < 30; i += 2) db.del(`big:${i}`);
			db.set("generation", "new");
			storage.failAfter = failAfter;
			const outcome = await db.save().then(
				() => "stored",
				() => "failed",
			);
			// The process dies here: whatever it would have cleaned up stays.
			const back = await reopened(structuredClone(storage.disk));
			const generation = back.get("generation");
			expect([generation, back.dbsize()]).toEqual(generation === "new" ? ["new", 16] : ["old", 31]);
			if (outcome === "stored") expect(generation).toBe("new");
			back.set("works", 1);
			await back.save();
			if (storage.failAfter > 0) return;
		}
	});

	it("is told, stops writes with MISCONF, keeps reads, and is made good by the next", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage, config: { save: "3600 1" } });
		const lost = vi.fn();
		db.on("persistence-lost", lost);
		db.set("a", 1);
		storage.failAfter = 0;
		storage.isOnce = true;
		const error = await db.save().then(
			() => undefined,
			(reason: unknown) => reason,
		);
		expect(lost).toHaveBeenCalledOnce();
		expect(lost.mock.calls[0]?.[0]).toBeInstanceOf(RedstartError);
		// As in Redis; what is behind it is for whoever looks.
		expect(error).toMatchObject({ message: "ERR", code: "ERR", cause: lost.mock.calls[0]?.[0] });
		expect(() => db.set("b", 1)).toThrow(/^MISCONF/);
		expect(db.get("a")).toBe("1");
		await db.save();
		expect(db.set("b", 1)).toBe("OK");
		expect((await reopened(storage.disk)).get("a")).toBe("1");
	});

	it("because what it put is gone before it is committed begins anew, and not for ever", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		const lost = vi.fn();
		db.on("persistence-lost", lost);
		fill(db, 30);
		let clearings = 2;
		const put = storage.put.bind(storage);
		storage.put = async (name, bytes) => {
			await put(name, bytes);
			if (--clearings >= 0) storage.disk.objects.clear();
		};
		expect(await db.save()).toBe("OK");
		expect(lost).not.toHaveBeenCalled();
		expect((await reopened(structuredClone(storage.disk))).dbsize()).toBe(30);
		clearings = Number.POSITIVE_INFINITY;
		await expect(db.save()).rejects.toThrow();
		expect(lost.mock.calls[0]?.[0]).toMatchObject({ kind: "corrupt", message: /is missing/ });
	});

	it("to a former owner is refused, and the new owner's dataset stays", async () => {
		const storage = new FaultyStorage();
		const first = await open({ storage });
		const lost = vi.fn();
		first.on("persistence-lost", lost);
		first.set("who", "first");
		await first.save();
		const second = await reopened(storage.disk);
		second.set("who", "second");
		await second.save();
		first.set("who", "first again");
		await expect(first.save()).rejects.toThrow();
		expect(lost.mock.calls[0]?.[0]).toMatchObject({ kind: "storage", message: /taken over/ });
		expect((await reopened(storage.disk)).get("who")).toBe("second");
	});
});

describe("a snapshot that cannot be read", () => {
	/** A disk with one saved dataset, damaged. */
	async function damaged(damage: (disk: MemoryDisk, name: string) => void): Promise<MemoryDisk> {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		fill(db, 30);
		await db.save();
		await db.close();
		damage(storage.disk, `${storage.disk.manifest?.base?.name}.1`);
		return storage.disk;
	}

	const DAMAGES: [string, (disk: MemoryDisk, name: string) => void][] = [
		[
			"a flipped bit",
			(disk, name) => {
				const bytes = disk.objects.get(name) as Uint8Array;
				bytes.set([(bytes[5000] as number) ^ 1], 5000);
			},
		],
		[
			"a short chunk",
			(disk, name) => disk.objects.set(name, (disk.objects.get(name) as Uint8Array).slice(0, -1)),
		],
		["a missing chunk", (disk, name) => disk.objects.delete(name)],
		[
			"garbage with the right checksum",
			(disk) => {
				const base = { name: "fake", chunks: 1, seq: 1, crc: 0x8a9136aa, length_bytes: 32 };
				disk.objects.set("fake.0", new Uint8Array(32));
				disk.manifest = { version: 1, replid: "", base, incr: [], offset: 0 };
			},
		],
		[
			"a version of the future",
			(disk) => {
				disk.manifest = { ...(disk.manifest as object), version: 2 } as never;
			},
		],
	];

	it.each(DAMAGES)("%s: is refused and kept", async (_, damage) => {
		const disk = await damaged(damage);
		const before = digest(disk);
		const storage = new FaultyStorage(disk);
		await expect(open({ storage })).rejects.toMatchObject({ name: "RedstartError", kind: "corrupt" });
		expect(digest(disk)).toEqual(before);
		expect(storage.done).toEqual([]);
	});

	it("is set aside on request, and survives later saves", async () => {
		const disk = await damaged((d, name) => (d.objects.get(name) as Uint8Array).fill(0, 100, 200));
		const before = digest(disk);
		const db = await open({ storage: new FaultyStorage(disk), onCorrupt: "keep" });
		expect(db.dbsize()).toBe(0);
		for (const value of ["one", "two"]) {
			db.set("k", value);
			await db.save();
		}
		await db.close();
		const back = await reopened(disk);
		expect(back.get("k")).toBe("two");
		expect(digest(disk)).toEqual(expect.arrayContaining(before));
	});
});

describe("after a trap", () => {
	/** Makes the next call into the engine trap, as a bug in it would. */
	function breakEngine(db: Redstart): void {
		const engine = db.engine as unknown as { exports: Record<string, unknown> };
		const broken = () => {
			throw new WebAssembly.RuntimeError("unreachable");
		};
		engine.exports = { ...engine.exports, rs_f1: broken };
	}

	it("the database comes back from storage, and says what happened", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		const [reopenedAs, heard] = [vi.fn(), vi.fn()];
		db.on("reopen", reopenedAs);
		db.subscribe("c", heard);
		const session = db.session();
		db.set("saved", 1);
		await db.save();
		db.set("unsaved", 1);
		breakEngine(db);
		expect(() => db.get("saved")).toThrow(/the engine stopped/);
		await db.ready;
		expect(reopenedAs).toHaveBeenCalledOnce();
		expect(db.get("saved")).toBe("1");
		expect(db.get("unsaved")).toBe(null);
		expect(() => session.ping()).toThrow(/rebuilt/);
		db.publish("c", "still heard");
		await vi.waitFor(() => expect(heard).toHaveBeenCalledWith("still heard", "c", undefined));
		expect(db.session().ping()).toBe("PONG");
	});

	it("a database without storage starts empty at once", async () => {
		const db = await open({ config: { "maxmemory-samples": 9 } });
		db.set("k", 1);
		breakEngine(db);
		expect(() => db.get("k")).toThrow(RedstartError);
		expect(db.get("k")).toBe(null);
		expect(db.configGet("maxmemory-samples")).toEqual({ "maxmemory-samples": "9" });
	});

	it("who waits in a blocked call is told", async () => {
		const storage = new FaultyStorage();
		const db = await open({ storage });
		storage.gate = new Promise(() => {});
		const waiting = db.save();
		breakEngine(db);
		expect(() => db.get("k")).toThrow(RedstartError);
		await expect(waiting).rejects.toThrow(/rebuilt/);
	});
});
