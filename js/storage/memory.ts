/** Storage in memory: for tests, and for datasets that should outlive an engine but not the process. */

import { fenced, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

/** What several openings share; the stand-in for a disk. */
export interface MemoryDisk {
	epoch: number;
	manifest: Manifest | null;
	readonly objects: Map<string | number, Uint8Array>;
}

export function memoryDisk(): MemoryDisk {
	return { epoch: 0, manifest: null, objects: new Map() };
}

export class MemoryStorage implements Storage {
	readonly chunkLimit_bytes = 1 << 20;
	readonly hasAof = true;
	private readonly disk: MemoryDisk;
	private epoch = -1;

	constructor(disk: MemoryDisk = memoryDisk()) {
		this.disk = disk;
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		if (!isReader) this.epoch = ++this.disk.epoch;
		return { epoch: this.disk.epoch, manifest: this.disk.manifest };
	}

	private own(): void {
		if (this.epoch < 0) throw readOnly();
		if (this.epoch !== this.disk.epoch) throw fenced();
	}

	async append(segment: number, bytes: Uint8Array): Promise<void> {
		this.own();
		const before = this.disk.objects.get(segment) ?? new Uint8Array(0);
		const after = new Uint8Array(before.length + bytes.length);
		after.set(before);
		after.set(bytes, before.length);
		this.disk.objects.set(segment, after);
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		this.disk.objects.set(name, bytes.slice());
	}

	async commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		this.own();
		for (const name of needs) if (!this.disk.objects.has(name)) throw missing(name);
		this.disk.manifest = structuredClone(manifest);
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		return this.disk.objects.get(name)?.slice() ?? null;
	}

	async list(): Promise<(string | number)[]> {
		return [...this.disk.objects.keys()];
	}

	async remove(names: readonly (string | number)[]): Promise<void> {
		for (const name of names) this.disk.objects.delete(name);
	}

	async close(): Promise<void> {
		this.epoch = -1;
	}
}
