/**
 * A disk that fails when told to: the n-th operation that writes, and every one after it as a dead process would. It also
 * knows what a power cut leaves.
 */

import { type MemoryDisk, MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
import { type Append, WriteQueue } from "../../js/storage/queue.ts";
import type { Manifest, Storage } from "../../js/storage/storage.ts";

export class FaultyStorage implements Storage {
	readonly chunkLimit_bytes: number;
	readonly hasAof = true;
	readonly disk: MemoryDisk;
	/** Writing operations until the first failure; Infinity for none. An append is one, however it is written. */
	failAfter = Number.POSITIVE_INFINITY;
	/** Only the next failure fails: a full disk that is emptied, not a crash. */
	isOnce = false;
	/** What was done, in order. */
	readonly done: string[] = [];
	/** Storage answers when this resolves. */
	gate: Promise<void> = Promise.resolve();
	private readonly inner: MemoryStorage;
	private readonly queue = new WriteQueue((appends, isDurable) => this.writeAppends(appends, isDurable));
	/** Appends since the last durable step, in order. */
	private volatile: Append[] = [];

	constructor(disk = memoryDisk(), chunkLimit_bytes = 1 << 20) {
		this.disk = disk;
		this.inner = new MemoryStorage(disk);
		this.chunkLimit_bytes = chunkLimit_bytes;
	}

	/** What a power cut leaves of the disk: of the appends since the last durable step the first `kept`, and no others. */
	afterPowerCut(kept = 0): MemoryDisk {
		const objects = new Map(this.disk.objects);
		for (const { segment, bytes } of this.volatile.slice(kept)) {
			const whole = objects.get(segment) ?? new Uint8Array(0);
			const left = whole.subarray(0, Math.max(whole.length - bytes.length, 0));
			if (left.length === 0) objects.delete(segment);
			else objects.set(segment, left);
		}
		return { epoch: this.disk.epoch, manifest: this.disk.manifest, objects };
	}

	private async write(what: string, work: () => Promise<void>): Promise<void> {
		await this.gate;
		if (this.failAfter <= 0) {
			if (this.isOnce) this.failAfter = Number.POSITIVE_INFINITY;
			throw new Error(`disk full at ${what}`);
		}
		this.failAfter--;
		await work();
		this.done.push(what);
	}

	/** All or none: the disk may fill up in the middle. */
	private async writeAppends(appends: readonly Append[], isDurable: boolean): Promise<void> {
		const before = appends.map(({ segment }) => [segment, this.disk.objects.get(segment)] as const);
		try {
			for (const { segment, bytes } of appends) {
				await this.write(`append ${segment}`, () => this.inner.append(segment, bytes));
			}
		} catch (error) {
			for (const [segment, bytes] of before) {
				if (bytes) this.disk.objects.set(segment, bytes);
				else this.disk.objects.delete(segment);
			}
			throw error;
		}
		this.volatile = isDurable ? [] : [...this.volatile, ...appends];
	}

	load(isReader?: boolean): Promise<{ epoch: number; manifest: Manifest | null }> {
		return this.inner.load(isReader);
	}

	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		return this.queue.append(segment, bytes, isDurable);
	}

	put(name: string, bytes: Uint8Array): Promise<void> {
		return this.write(`put ${name}`, () => this.inner.put(name, bytes));
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		return this.queue.inTurn(async () => {
			await this.write("commit", () => this.inner.commit(manifest, needs));
			this.volatile = [];
		});
	}

	read(name: string | number): Promise<Uint8Array | null> {
		return this.inner.read(name);
	}

	list(): Promise<(string | number)[]> {
		return this.inner.list();
	}

	remove(names: readonly (string | number)[]): Promise<void> {
		return this.write(`remove ${names.join(" ")}`, () => this.inner.remove(names));
	}

	async close(): Promise<void> {
		await this.queue.settled();
		await this.inner.close();
	}
}
