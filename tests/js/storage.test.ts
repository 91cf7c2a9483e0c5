import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crc32c } from "../../js/storage/crc32c.ts";
import { type KeyValue, KvStorage } from "../../js/storage/kv.ts";
import { MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
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
		await run({ open: () => new KvStorage(kv, name), isFenced: false, hasLog: false });
	});
});

describe("CRC-32C", () => {
	it("is the one of RFC 3720", () => {
		expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
		expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
		expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
	});

	it("continues where it stopped", () => {
		const all = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
		expect(crc32c(all.subarray(300), crc32c(all.subarray(0, 300)))).toBe(crc32c(all));
	});
});
