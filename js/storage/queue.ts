/**
 * Writes in the order of their calls, one step at a time. Appends that pile up while a step runs share the next one, which
 * is durable when one of them is to be. When a step of appends fails, so does what stands behind it: what remains is a
 * prefix, whoever waits for what.
 */

import { RedstartError } from "../errors.ts";

export interface Append {
	readonly segment: number;
	readonly bytes: Uint8Array;
	readonly isDurable: boolean;
}

interface Entry {
	/** An append, or else something to do in its turn. */
	readonly append?: Append;
	readonly work?: () => Promise<void>;
	resolve(): void;
	reject(error: unknown): void;
}

/** Writes all of them, or none. */
export type WriteAppends = (
	appends: readonly Append[],
	isDurable: boolean,
) => Promise<Settle | undefined> | Promise<void>;

/** What a writer does once its end counts: that of a step whose appends were taken over does not. Throws if it failed. */
export type Settle = () => void;

export class WriteQueue {
	private readonly write: WriteAppends;
	private waiting: Entry[] = [];
	/** The appends of the step that runs, unless they were taken out of it. */
	private appending: Entry[] = [];
	/** Segments to which an append was rejected. */
	private readonly incomplete = new Set<number>();
	private steps = 0;
	private idle: (() => void)[] = [];

	constructor(write: WriteAppends) {
		this.write = write;
	}

	/** Its step begins before this returns when nothing else is under way. */
	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		return this.add({ append: { segment, bytes, isDurable } });
	}

	/** Does `work` after what was called before, and before what is called later. */
	inTurn(work: () => Promise<void>): Promise<void> {
		return this.add({ work });
	}

	/**
	 * Appends at once and durably, with `write`, which also gets what has not resolved yet; the step that has the first of it
	 * counts no more. Rejected when an append to the segment was.
	 */
	appendNow(segment: number, bytes: Uint8Array, write: WriteAppends): Promise<void> {
		if (this.incomplete.has(segment)) {
			return Promise.reject(new RedstartError("storage", `an append to segment ${segment} has failed`));
		}
		return new Promise((resolve, reject) => {
			const append = { segment, bytes, isDurable: true };
			const entries = [...this.appending, ...this.waiting.filter((entry) => entry.append)];
			entries.push({ append, resolve, reject });
			this.waiting = this.waiting.filter((entry) => !entry.append);
			this.appending = entries;
			void this.step(entries, () => write(appendsOf(entries), true));
		});
	}

	/** Resolves when everything is done. */
	settled(): Promise<void> {
		if (this.steps === 0) return Promise.resolve();
		return new Promise((resolve) => this.idle.push(resolve));
	}

	private add(what: Pick<Entry, "append" | "work">): Promise<void> {
		return new Promise((resolve, reject) => {
			this.waiting.push({ ...what, resolve, reject });
			if (this.steps === 0) this.next();
		});
	}

	private next(): void {
		const { waiting } = this;
		const [first] = waiting;
		if (!first) {
			for (const resolve of this.idle.splice(0)) resolve();
			return;
		}
		if (first.work) {
			void this.step(waiting.splice(0, 1), first.work);
			return;
		}
		const other = waiting.findIndex((entry) => entry.work);
		const entries = waiting.splice(0, other < 0 ? waiting.length : other);
		this.appending = entries;
		const appends = appendsOf(entries);
		void this.step(entries, () =>
			this.write(
				appends,
				appends.some(({ isDurable }) => isDurable),
			),
		);
	}

	private async step(entries: readonly Entry[], work: () => ReturnType<WriteAppends>): Promise<void> {
		this.steps++;
		const isAppending = entries === this.appending;
		let settle: Settle = () => undefined;
		try {
			settle = (await work()) ?? settle;
		} catch (error) {
			settle = () => {
				throw error;
			};
		}
		// Else somebody has taken the appends over, and tells who waits for them.
		if (!isAppending || entries === this.appending) {
			if (isAppending) this.appending = [];
			this.tell(entries, isAppending, settle);
		}
		this.steps--;
		if (this.steps === 0) this.next();
	}

	private tell(entries: readonly Entry[], isAppending: boolean, settle: Settle): void {
		try {
			settle();
			for (const entry of entries) entry.resolve();
		} catch (error) {
			const rejected = isAppending ? [...entries, ...this.waiting.splice(0)] : entries;
			for (const { append, reject } of rejected) {
				if (append) this.incomplete.add(append.segment);
				reject(error);
			}
		}
	}
}

function appendsOf(entries: readonly Entry[]): Append[] {
	return entries.flatMap(({ append }) => append ?? []);
}

/** What `appends` come to as records of at most `limit_bytes`, those of one segment in a row one after another. */
export function recordsOf(
	appends: readonly Append[],
	limit_bytes: number,
): { segment: number; bytes: Uint8Array }[] {
	const records: { segment: number; bytes: Uint8Array }[] = [];
	for (let from = 0; from < appends.length; ) {
		const { segment } = appends[from] as Append;
		let to = from;
		while (appends[to]?.segment === segment) to++;
		const whole = concatenated(appends.slice(from, to).map(({ bytes }) => bytes));
		for (let at = 0; at < whole.length; at += limit_bytes) {
			records.push({ segment, bytes: owned(whole.subarray(at, at + limit_bytes)) });
		}
		from = to;
	}
	return records;
}

/** One array of all; the given one when there is only one. */
export function concatenated(parts: readonly Uint8Array[]): Uint8Array {
	if (parts.length === 1) return parts[0] as Uint8Array;
	const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** An array with a buffer of its own: a view is stored with all that it is a view of. */
export function owned(bytes: Uint8Array): Uint8Array {
	return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
}
