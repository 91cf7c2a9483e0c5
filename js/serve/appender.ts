/**
 * The end of an append-only file: bytes go in whole or not at all, and are made durable when the policy says so.
 *
 * Counts are of bytes since the recording began, over all files of it. The file under way may be exchanged once it is
 * durable: a power cut must not tear one in the middle.
 */

import { closeSync, fdatasync, fdatasyncSync } from "node:fs";
import { appendAll, ShortWrite, systemText } from "../storage/node-files.ts";
import type { Log } from "./log.ts";

export type SyncPolicy = "always" | "everysec" | "no";

export interface AppenderEvents {
	/** Of the bytes appended so far, so many are in files, and so many survive a power cut. */
	onStored(written_bytes: number, durable_bytes: number): void;
	/** Nothing can be written, or made durable, for now. */
	onFailed(why: string): void;
	/** {@link Appender.append} should be tried again, with or without more. */
	onRetry(): void;
	/** There is no going on; does not return. */
	onFatal(text: string): never;
}

const NOTHING = new Uint8Array(0);
const SYNC_PAUSE_MS = 1000;
const RETRY_PAUSE_MS = 1000;
/** A failure that goes on is written into the log so often. */
const LOG_PAUSE_MS = 30_000;

export class Appender {
	private readonly log: Log;
	private readonly events: AppenderEvents;
	private file: number;
	/** Where the file under way ends. */
	private end_bytes: number;
	/** Files before it that are being synced; durable they are already. */
	private readonly old: number[] = [];
	private written_bytes = 0;
	private durable_bytes = 0;
	/** What could not be written. */
	private pending: Uint8Array = NOTHING;
	private writeError: string | undefined;
	private syncError: string | undefined;
	private logged_ms = Number.NEGATIVE_INFINITY;
	private isSyncing = false;
	private synced_ms = 0;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private retryTimer: ReturnType<typeof setTimeout> | undefined;
	private isClosed = false;

	constructor(file: number, end_bytes: number, log: Log, events: AppenderEvents) {
		this.file = file;
		this.end_bytes = end_bytes;
		this.log = log;
		this.events = events;
	}

	/** Length of the file under way. */
	get fileLength_bytes(): number {
		return this.end_bytes;
	}

	/** Whether something still waits to be written. */
	get isBehind(): boolean {
		return this.pending.length > 0;
	}

	/** Writes what waited and `bytes`. False when that failed: it is tried again, and `bytes` are kept for that. */
	append(bytes: Uint8Array, policy: SyncPolicy): boolean {
		const all = this.pending.length === 0 ? bytes : joined(this.pending, bytes);
		if (all.length === 0 && (policy !== "always" || this.durable_bytes === this.written_bytes)) return true;
		try {
			appendAll(this.file, all, this.end_bytes);
		} catch (error) {
			this.failed(error, all, policy);
			return false;
		}
		this.end_bytes += all.length;
		this.written_bytes += all.length;
		this.pending = NOTHING;
		if (this.writeError !== undefined) {
			this.writeError = undefined;
			this.log.write("warning", "AOF write error looks solved, Redis can write again.");
		}
		if (policy === "always") this.syncAlways();
		else if (policy === "everysec") this.syncEverySecond();
		this.tell();
		return true;
	}

	private failed(error: unknown, bytes: Uint8Array, policy: SyncPolicy): void {
		const why = systemText(error);
		const now_ms = performance.now();
		const left = error instanceof ShortWrite ? error.written : 0;
		if (now_ms - this.logged_ms >= LOG_PAUSE_MS) {
			this.logged_ms = now_ms;
			this.log.write("warning", `Error writing to the AOF file: ${why}`);
			if (left > 0) {
				this.log.write(
					"warning",
					"Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.",
				);
			}
		}
		if (policy === "always") {
			this.events.onFatal(
				"Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
			);
		}
		this.end_bytes += left;
		this.written_bytes += left;
		this.pending = bytes.slice(left);
		this.writeError = why;
		this.events.onFailed(why);
		clearTimeout(this.retryTimer);
		this.retryTimer = setTimeout(() => this.events.onRetry(), RETRY_PAUSE_MS).unref();
	}

	/** Tells again what is stored. */
	report(): void {
		this.tell();
	}

	private tell(): void {
		if (this.writeError !== undefined || this.syncError !== undefined) return;
		this.events.onStored(this.written_bytes, this.durable_bytes);
	}

	private syncAlways(): void {
		try {
			this.sync();
		} catch (error) {
			this.events.onFatal(
				`Can't persist AOF for fsync error when the AOF fsync policy is 'always': ${systemText(error)}. Exiting...`,
			);
		}
	}

	/** Makes everything durable that is written, before it returns. */
	sync(): void {
		if (this.durable_bytes < this.written_bytes) fdatasyncSync(this.file);
		this.durable_bytes = this.written_bytes;
		this.syncError = undefined;
	}

	private closeOld(): void {
		for (const file of this.old.splice(0)) closeSync(file);
	}

	/** One call of fdatasync a second, while there is something for it to do. */
	private syncEverySecond(): void {
		if (this.timer !== undefined || this.isSyncing) return;
		const wait_ms = this.synced_ms + SYNC_PAUSE_MS - performance.now();
		if (wait_ms <= 0) void this.syncAside();
		else {
			this.timer = setTimeout(() => {
				this.timer = undefined;
				void this.syncAside();
			}, wait_ms).unref();
		}
	}

	/** Makes durable what is written by now, in the background. */
	private async syncAside(): Promise<void> {
		if (this.isSyncing || this.isClosed) return;
		this.isSyncing = true;
		this.synced_ms = performance.now();
		try {
			const until_bytes = this.written_bytes;
			if (this.durable_bytes < until_bytes) await synced(this.file);
			this.durable_bytes = Math.max(this.durable_bytes, until_bytes);
			this.syncError = undefined;
		} catch (error) {
			this.syncError = systemText(error);
			this.log.write("warning", `Fail to fsync the AOF file: ${this.syncError}`);
			if (!this.isClosed) this.events.onFailed(this.syncError);
		}
		this.isSyncing = false;
		this.closeOld();
		if (this.isClosed) {
			closeSync(this.file);
			return;
		}
		this.tell();
		if (this.durable_bytes < this.written_bytes) this.syncEverySecond();
	}

	/** Resolves when most of what is written is durable: what is left is quickly synced. */
	async settle(): Promise<void> {
		if (this.durable_bytes < this.written_bytes) await this.syncAside();
	}

	/** What comes from now on goes into another file, empty so far. Only after {@link sync}. */
	exchange(file: number): void {
		this.old.push(this.file);
		if (!this.isSyncing) this.closeOld();
		this.file = file;
		this.end_bytes = 0;
	}

	/** Nothing is written any more. */
	close(): void {
		if (this.isClosed) return;
		this.isClosed = true;
		clearTimeout(this.timer);
		clearTimeout(this.retryTimer);
		if (!this.isSyncing) closeSync(this.file);
	}
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
	const both = new Uint8Array(first.length + second.length);
	both.set(first);
	both.set(second, first.length);
	return both;
}

const synced = (file: number) =>
	new Promise<void>((resolve, reject) => {
		fdatasync(file, (error) => (error ? reject(error) : resolve()));
	});
