/** Damaged files in wasm, where addresses have 32 bits: an error each time, never a trap, and the data as it was. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReplyError } from "../../js/errors.ts";
import { open } from "./open.ts";

const file = new Uint8Array(readFileSync(new URL("../data/rdb/redis-8.2.3-modules.rdb", import.meta.url)));
/** Lengths of 4 GiB and more. */
const FAR = [
	[0x80, 0xff, 0xff, 0xff, 0xff],
	[0x80, 0x7f, 0xff, 0xff, 0xff],
	[0x81, 0, 0, 0, 1, 0, 0, 0, 0],
	[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

describe("damaged files in wasm", () => {
	it("are refused, and the data stays", async () => {
		const db = await open();
		await db.importRdb(file, { modules: "skip" });
		expect(db.get("string")).toBe("x");
		for (let at = 0; at < file.length; at += 3) {
			const damaged = file.slice();
			damaged[at] = (damaged[at] ?? 0) ^ 0xff;
			await expect(db.importRdb(damaged, { modules: "skip" })).rejects.toThrow(ReplyError);
			await expect(db.importRdb(file.subarray(0, at), { modules: "skip" })).rejects.toThrow(ReplyError);
		}
		expect(db.get("string")).toBe("x");
	});

	it("do not make the engine believe in lengths", async () => {
		const db = await open();
		db.set("k", "v");
		const header = new TextEncoder().encode("REDIS0012");
		for (const length of FAR) {
			for (let kind = 0; kind < 256; kind++) {
				for (const before of [[], [1], [0xc3], [0xc3, 5], [1, 0xc3, 5]]) {
					const item = kind < 200 ? [kind, 1, 107, ...before, ...length] : [kind, ...before, ...length];
					const damaged = new Uint8Array([
						...header,
						...item,
						...Array(30).fill(97),
						0xff,
						...Array(8).fill(0),
					]);
					await db.importRdb(damaged, { modules: "skip" }).then(
						() => db.set("k", "v"),
						(error) => expect(error).toBeInstanceOf(ReplyError),
					);
				}
			}
		}
		expect(db.get("k")).toBe("v");
	});
});
