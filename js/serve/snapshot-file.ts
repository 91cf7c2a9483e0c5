/** A snapshot on its way into a file: in slices between other work, or in one go. */

import { closeSync, fdatasync, fsync, fsyncSync, openSync } from "node:fs";
import type { Dataset, Purpose } from "../dataset.ts";
import { removeFile, writeAll } from "../storage/node-files.ts";

const BUFFER_BYTES = 1 << 20;
/** So much is written before it is handed to the disk, so that the last step finds little to do. */
const SYNC_STEP_BYTES = 4 << 20;
/** So long is a slice; the clients have as long between two of them while they ask for anything. */
const SLICE_MS = 1;

export class SnapshotFile {
	readonly path: string;
	private readonly dataset: Dataset;
	private readonly isSyncedOnTheWay: boolean;
	private readonly file: number;
	private readonly buffer = new Uint8Array(BUFFER_BYTES);
	private used = 0;
	private written_bytes = 0;
	private unsynced_bytes = 0;
	private syncing: Promise<void> | undefined;
	private isOpen = true;

	/** Begins the snapshot. Throws when the file cannot be made. */
	constructor(dataset: Dataset, path: string, purpose: Purpose, isSyncedOnTheWay: boolean) {
		this.dataset = dataset;
		this.path = path;
		this.isSyncedOnTheWay = isSyncedOnTheWay;
		this.file = openSync(path, "w", 0o644);
		try {
			dataset.beginSnapshot(purpose);
		} catch (error) {
			this.abandon();
			throw error;
		}
	}

	/** Length of the file. */
	get length_bytes(): number {
		return this.written_bytes + this.used;
	}

	/** Writes for about a slice; true when nothing is left. */
	private slice(): boolean {
		const until_ms = performance.now() + SLICE_MS;
		do {
			const piece = this.dataset.nextPiece();
			if (!piece) {
				this.flush();
				return true;
			}
			// Nothing to write at the moment.
			if (piece.length === 0) return false;
			this.add(piece);
		} while (performance.now() < until_ms);
		return false;
	}

	private add(piece: Uint8Array): void {
		if (this.used + piece.length > BUFFER_BYTES) this.flush();
		if (piece.length > BUFFER_BYTES) this.write(piece);
		else {
			this.buffer.set(piece, this.used);
			this.used += piece.length;
		}
	}

	private flush(): void {
		const { used } = this;
		this.used = 0;
		this.write(this.buffer.subarray(0, used));
	}

	private write(bytes: Uint8Array): void {
		writeAll(this.file, bytes);
		this.written_bytes += bytes.length;
		this.unsynced_bytes += bytes.length;
	}

	/**
	 * Writes it all in slices, a turn of the loop between them, and makes it durable. `traffic` counts what clients ask for.
	 * False when it was abandoned, or finished by {@link runWhole}, meanwhile.
	 */
	async run(traffic: () => number): Promise<boolean> {
		for (let before = -1; this.isOpen && !this.slice(); ) {
			const now = traffic();
			await new Promise<void>((resolve) => {
				if (now === before) setImmediate(resolve);
				else setTimeout(resolve, SLICE_MS);
			});
			before = now;
			if (this.isOpen && this.isSyncedOnTheWay && this.unsynced_bytes >= SYNC_STEP_BYTES) this.syncAside();
		}
		await this.syncing?.catch(() => undefined);
		if (!this.isOpen) return false;
		await this.sync(fsync);
		if (!this.isOpen) return false;
		this.close();
		return true;
	}

	private syncAside(): void {
		if (this.syncing) return;
		this.unsynced_bytes = 0;
		// What is wrong shows at the end.
		this.sync(fdatasync).catch(() => undefined);
	}

	private sync(call: typeof fsync): Promise<void> {
		this.syncing = new Promise((resolve, reject) => {
			call(this.file, (error) => {
				this.syncing = undefined;
				if (!this.isOpen) closeSync(this.file);
				if (error) reject(error);
				else resolve();
			});
		});
		return this.syncing;
	}

	/** Writes it all, and makes it durable, before it returns. */
	runWhole(): void {
		for (let piece = this.dataset.nextPiece(); piece; piece = this.dataset.nextPiece()) this.add(piece);
		this.flush();
		fsyncSync(this.file);
		this.close();
	}

	private close(): void {
		if (!this.isOpen) return;
		this.isOpen = false;
		if (!this.syncing) closeSync(this.file);
	}

	/** Stops, and leaves nothing behind. */
	abandon(): void {
		this.close();
		try {
			removeFile(this.path);
		} catch {
			// It counts for nothing where it is.
		}
	}
}
