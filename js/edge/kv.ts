/**
 * A database in the isolate of a Worker, filled from a KV namespace and saved to it now and then. It is a cache: each
 * isolate has its own copy, one that is evicted loses what it had not saved, and of several the last to save wins.
 */

import { type OpenOptions, Redstart } from "../redstart.ts";
import { type KeyValue, KvStorage } from "../storage/kv.ts";

export interface IsolateOptions extends OpenOptions {
	/** Tells several databases in one namespace apart. Default `redstart`. */
	name?: string;
	/** Between two saves. KV takes one write a second for a key, and bills each. Default 10 s. */
	leastPause_ms?: number;
}

/** The part of a Worker's context that is used. */
export interface WaitUntil {
	waitUntil(work: Promise<unknown>): void;
}

export interface IsolateDatabase {
	readonly db: Redstart;
	/** Call it at the end of a request: changes are saved after the response, seldom enough for KV. */
	saveLater(context: WaitUntil): void;
}

/** Opens the database of this isolate. Call it within a request: outside of one a Worker may do no I/O. */
export async function openInIsolate(kv: KeyValue, options: IsolateOptions = {}): Promise<IsolateDatabase> {
	const { name, leastPause_ms = 10_000, ...open } = options;
	const db = await Redstart.open("memory://", {
		broadcast: false,
		onCorrupt: "keep",
		// A timer belongs to the request that set it, so time is looked at in each call instead.
		timers: false,
		...open,
		storage: new KvStorage(kv, name),
		config: { save: "", ...open.config },
	});
	let isPlanned = false;
	let notBefore_ms = 0;
	const save = async () => {
		const wait_ms = notBefore_ms - Date.now();
		if (wait_ms > 0) await new Promise((resolve) => setTimeout(resolve, wait_ms));
		isPlanned = false;
		notBefore_ms = Date.now() + leastPause_ms;
		await db.save();
	};
	return {
		db,
		saveLater(context) {
			if (isPlanned || db.engine.dirty === 0) return;
			isPlanned = true;
			context.waitUntil(
				save().catch((error) => {
					console.warn("redstart: not saved:", error);
				}),
			);
		},
	};
}
