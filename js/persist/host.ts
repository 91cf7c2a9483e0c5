/** What persistence needs of its surroundings: an engine, time, and turns of the loop. Tests bring their own. */

import type { Dataset } from "../dataset.ts";
import type { RedstartError } from "../errors.ts";
import { soon } from "../soon.ts";

/** The engine as persistence sees it. */
export interface Persisted {
	readonly dataset: Pick<
		Dataset,
		| "beginSnapshot"
		| "nextPiece"
		| "endSnapshot"
		| "beginLoad"
		| "setAof"
		| "takeAof"
		| "aofDb"
		| "aofStored"
		| "aofFailed"
		| "beginReplay"
	>;
	/** There is something to take for the append-only file. */
	readonly hasAof: boolean;
	/** How much, roughly. */
	readonly aofPending: number;
	/** Told at the end of the turn in which {@link hasAof} came true. */
	onAof: (() => void) | undefined;
	/** Where whoever answers a client asks what to wait for. */
	whenStored: (() => Promise<void> | undefined) | undefined;
	readonly dirty: number;
	readonly writeVersion: number;
	readonly isBusy: boolean;
	whenIdle(): Promise<void>;
}

/** Time and chance. */
export interface Host {
	now_ms(): number;
	/** Lets others work: input, timers, the page. */
	turn(): Promise<void>;
	/** Calls `task` after a while; what is returned forgets it. */
	later(wait_ms: number, task: () => void): () => void;
	/** A word that nobody else comes upon. */
	word(): string;
	/** More than this is not kept for storage that does not keep up: a new base then holds what was dropped. */
	readonly pileLimit_bytes: number;
}

interface Scheduler {
	postTask?(task: () => void, options: { priority: string }): Promise<void>;
}

export const HOST: Host = {
	now_ms: () => performance.now(),
	turn() {
		const { scheduler } = globalThis as { scheduler?: Scheduler };
		if (scheduler?.postTask) return scheduler.postTask(() => undefined, { priority: "user-visible" });
		return new Promise(soon);
	},
	later(wait_ms, task) {
		try {
			const timer = setTimeout(task, wait_ms);
			(timer as { unref?(): void }).unref?.();
			return () => clearTimeout(timer);
		} catch {
			// Workers have no timers outside a request.
			return () => undefined;
		}
	},
	pileLimit_bytes: 64 << 20,
	word: () => Math.random().toString(36).slice(2, 10),
};

/** How often the append-only file is made to survive a power cut. */
export type Fsync = "always" | "everysec" | "no";

/** A promise that is settled from outside. Nobody has to wait for it. */
export class Deferred {
	readonly promise: Promise<void>;
	resolve!: () => void;
	reject!: (error: RedstartError) => void;

	constructor() {
		this.promise = new Promise((resolve, reject) => {
			this.resolve = resolve;
			this.reject = reject;
		});
		this.promise.catch(() => undefined);
	}
}
