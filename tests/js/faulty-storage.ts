/** A disk that fails when told to: the n-th operation that writes, and every one after it as a dead process would. */

import { type MemoryDisk, MemoryStorage, memoryDisk } from "../../js/storage/memory.ts";
import type { Manifest, Storage } from "../../js/storage/storage.ts";

export class FaultyStorage implements Storage {
	readonly chunkLimit_bytes: number;
	readonly hasAof = true;
	readonly disk: MemoryDisk;
	/** Writing operations until the first failure; Infinity for none. */
	failAfter = Number.POSITIVE_INFINITY;
	/** Only the next failure fails: a full disk that is emptied, not a crash. */
	isOnce = false;
	/** What was done, in order. */
	readonly done: string[] = [];
	/** Storage answers when this resolves. */
	gate: Promise<void> = Promise.resolve();
	private readonly inner: MemoryStorage;

	constructor(disk = memoryDisk(), chunkLimit_bytes = 1 << 20) {
		this.disk = disk;
		this.inner = new MemoryStorage(disk);
		this.chunkLimit_bytes = chunkLimit_bytes;
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

	load(isReader?: boolean): Promise<{ epoch: number; manifest: Manifest | null }> {
		return this.inner.load(isReader);
	}

	append(segment: number, bytes: Uint8Array): Promise<void> {
		return this.write(`append ${segment}`, () => this.inner.append(segment, bytes));
	}

	put(name: string, bytes: Uint8Array): Promise<void> {
		return this.write(`put ${name}`, () => this.inner.put(name, bytes));
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		return this.write("commit", () => this.inner.commit(manifest, needs));
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

	close(): Promise<void> {
		return this.inner.close();
	}
}
