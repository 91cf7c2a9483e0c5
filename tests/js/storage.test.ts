import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crc32c } from "../../js/storage/crc32c.ts";
import { type KeyValue, KvStorage } from "../../js/storage/kv.ts";
import { MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
import { type Append, WriteQueue } from "../../js/storage/queue.ts";
import { FaultyStorage } from "./faulty-storage.ts";
import { CASES, type Place } from "./storage.conformance.ts";
import { conforms } from "./storage.suite.ts";

conforms("memory storage", () => {
	const disk = memoryDisk();
	return { open: () => new MemoryStorage(disk), isFenced: true, hasLog: true };
});

function faultyPlace(disk = memoryDisk()): Place {
	return {
		open: () => new FaultyStorage(disk),
		isFenced: true,
		hasLog: true,
		failAppend(storage, after) {
			(storage as FaultyStorage).failAfter = after;
			(storage as FaultyStorage).isOnce = true;
		},
		afterPowerCut: (storage, kept) => faultyPlace((storage as FaultyStorage).afterPowerCut(kept)),
	};
}

conforms("the disk that fails when told to", () => faultyPlace());

describe("KV storage, in workerd", () => {
	let host: Miniflare;
	let kv: KeyValue;

	beforeAll(async () => {
		host = new Miniflare({ modules: true, script: "export default {}", kvNamespaces: ["KV"] });
		kv = (await host.getKVNamespace("KV")) as unknown as KeyValue;
	});
	afterAll(() => host.dispose());

	it.each(CASES.map((one) => [one.name, one] as const))("%s", async (name, { run }) => {
		await run({ open: () => new KvStorage(kv, name, 0), isFenced: false, hasLog: false });
	});

	it("takes chunks as large as it says", async () => {
		const storage = new KvStorage(kv, "large");
		const chunk = new Uint8Array(storage.chunkLimit_bytes).fill(7);
		await storage.put("chunk", chunk);
		const back = await storage.read("chunk");
		expect(back?.length).toBe(chunk.length);
		expect(back?.every((byte) => byte === 7)).toBe(true);
	});

	it("writes the manifest last, and not twice a second, which the service refuses", async () => {
		const written: string[] = [];
		const last = new Map<string, number>();
		const strict = {
			...({ get: async () => null, delete: async () => undefined } as Pick<KeyValue, "get" | "delete">),
			list: async () => ({ keys: [], list_complete: true }),
			async put(key: string) {
				// A clock is not exact to the millisecond.
				if (performance.now() - (last.get(key) ?? -1000) < 990) throw new Error("429 Too Many Requests");
				last.set(key, performance.now());
				written.push(key);
			},
		};
		const storage = new KvStorage(strict, "k");
		await storage.load();
		const manifest = { version: 1 as const, replid: "", base: null, incr: [], offset: 0 };
		await storage.put("base-1.0", new Uint8Array(1));
		const first = storage.commit(manifest);
		const second = storage.commit(manifest);
		await Promise.all([first, second]);
		await storage.put("base-2.0", new Uint8Array(1));
		await storage.commit(manifest);
		expect(written).toEqual(["k/base-1.0", "k/meta", "k/meta", "k/base-2.0", "k/meta"]);
	});
});

describe("Durable Object storage, in workerd", () => {
	let host: Miniflare;

	beforeAll(async () => {
		const { outputFiles } = await build({
			entryPoints: [fileURLToPath(new URL("./storage.object.ts", import.meta.url))],
			bundle: true,
			format: "esm",
			target: "es2022",
			write: false,
		});
		host = new Miniflare({
			modules: [{ type: "ESModule", path: "/main.js", contents: outputFiles[0]?.text ?? "" }],
			modulesRoot: "/",
			compatibilityDate: "2026-07-01",
			durableObjects: { BOX: { className: "Box", useSQLite: true } },
		});
		await host.ready;
	});
	afterAll(() => host.dispose());

	it.each(CASES.map(({ name }) => name))("%s", async (name) => {
		const response = await host.dispatchFetch("http://localhost/", { method: "POST", body: name });
		expect(await response.text()).toBe("");
	});
});

describe("the queue of writes", () => {
	it("hands nothing over behind an append that failed, whoever has heard of that by now", async () => {
		const outcomes = new Set<string>();
		for (let turns = 0; turns < 10; turns++) {
			const queue = new WriteQueue(async () => {
				await undefined;
				throw new Error("disk full");
			});
			const written: number[] = [];
			const write = async (appends: readonly Append[]) => {
				for (const { bytes } of appends) written.push(...bytes);
			};
			const first = queue.append(1, Uint8Array.of(1), false);
			first.catch(() => undefined);
			for (let i = 0; i < turns; i++) await undefined;
			const ends = await Promise.allSettled([first, queue.appendNow(1, Uint8Array.of(2), write)]);
			outcomes.add(`${ends.map(({ status }) => status)}: ${written}`);
		}
		expect([...outcomes].sort()).toEqual(["fulfilled,fulfilled: 1,2", "rejected,rejected: "]);
	});
});

describe("CRC-32C", () => {
	it("is the one of RFC 3720", () => {
		expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
		expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
		expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
	});

	it("continues where it stopped, wherever that is", () => {
		const all = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
		for (let at = 0; at <= all.length; at++) {
			expect(crc32c(all.subarray(at), crc32c(all.subarray(0, at)))).toBe(crc32c(all));
		}
	});
});
