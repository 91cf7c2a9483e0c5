/** The crash fuzz, for as long as a test may take, and that it finds what it is there to find. */

import { describe, expect, it } from "vitest";
import type { Persistence } from "../../js/persist/persist.ts";
import type { Manifest } from "../../js/storage/storage.ts";
import { fuzz, type Trial, Violation } from "./crash-model.ts";
import { type ModelStorage, namesIn } from "./model-storage.ts";

const SEED = Number(process.env.CRASH_SEED ?? 20_261_121);
const TIME_MS = 12_000;

describe("a database on a disk that loses power", () => {
	it("has what it acknowledged, and a beginning of what was written, after any crash", async () => {
		const until_ms = Date.now() + TIME_MS;
		const sum = { recoveries: 0, crashes: 0, crashesInRecovery: 0 };
		let trials = 0;
		for (; Date.now() < until_ms; trials += 50) {
			const part = await fuzz(SEED + trials, 50);
			for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += part[key];
		}
		console.log(`${trials} trials from seed ${SEED}: ${JSON.stringify(sum)}`);
		expect(sum.crashes).toBeGreaterThan(trials / 2);
		expect(sum.crashesInRecovery).toBeGreaterThan(trials / 20);
	}, 60_000);
});

/** Runs trials until one shows what is wrong. */
async function isFound(bugs: Trial["bugs"], trials = 3000): Promise<boolean> {
	try {
		await fuzz(1, trials, bugs, { isStrict: false, faults: 0.1 });
	} catch (error) {
		if (error instanceof Violation) return true;
		throw error;
	}
	return false;
}

/** A storage whose methods are those of another, but for some. */
function changed(storage: ModelStorage, methods: Partial<ModelStorage>): ModelStorage {
	return new Proxy(storage, {
		get(target, name) {
			const own = methods[name as keyof ModelStorage];
			if (own !== undefined) return own;
			const value = target[name as keyof ModelStorage];
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
}

describe("the crash fuzz finds", () => {
	it("nothing where there is nothing to find", async () => {
		expect(await isFound({}, 300)).toBe(false);
	}, 60_000);

	it("a commit that comes before what it names", async () => {
		const wrap = (storage: ModelStorage) => {
			const late: [string, Uint8Array][] = [];
			return changed(storage, {
				put: async (name: string, bytes: Uint8Array) => {
					late.push([name, bytes.slice()]);
				},
				commit: async (manifest: Manifest, needs: readonly string[]) => {
					await storage.commit(manifest, needs);
					for (const [name, bytes] of late.splice(0)) await storage.put(name, bytes);
				},
			});
		};
		expect(await isFound({ wrap })).toBe(true);
	}, 60_000);

	it("a removal that comes before the commit", async () => {
		const wrap = (storage: ModelStorage) =>
			changed(storage, {
				commit: async (manifest: Manifest, needs: readonly string[]) => {
					const named = namesIn(manifest);
					await storage.remove((await storage.list()).filter((name) => !named.has(name)));
					await storage.commit(manifest, needs);
				},
			});
		expect(await isFound({ wrap })).toBe(true);
	}, 60_000);

	it("an append behind a torn write", async () => {
		/** Goes on in the last segment, whoever began it and however it ends. */
		const spoil = (persistence: Persistence) => {
			const own = persistence as unknown as {
				newLog(...args: unknown[]): { isOpen: boolean; tail: unknown };
			};
			const newLog = own.newLog.bind(persistence);
			own.newLog = (...args) => {
				const log = newLog(...args);
				if (log.tail) log.isOpen = true;
				return log;
			};
		};
		expect(await isFound({ spoil })).toBe(true);
	}, 60_000);

	it("an answer that does not wait for its append", async () => {
		const wrap = (storage: ModelStorage) =>
			changed(storage, {
				append: async (segment: number, bytes: Uint8Array, isDurable: boolean) => {
					storage.append(segment, bytes, isDurable).catch(() => undefined);
				},
			});
		expect(await isFound({ wrap })).toBe(true);
	}, 60_000);
});
