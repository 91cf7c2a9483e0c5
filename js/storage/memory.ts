/** Storage in memory: for tests, and for datasets that should outlive an engine but not the process. */

import { fenced, formerSegment, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

/** What several openings share; the stand-in for a disk. */
export interface MemoryDisk {
	epoch: number;
	manifest: Manifest | null;
	readonly objects: Map<string | number, Uint8Array>;
}

export function memoryDisk(): MemoryDisk {
	return { epoch: 0, manifest: null, objects: new Map() };
}

const EMPTY = new Uint8Array(0);

export class MemoryStorage implements Storage {
	readonly chunkLimit_bytes = 1 << 20;
	readonly hasAof = true;
	private readonly disk: MemoryDisk;
	private epoch = -1;
	/** The last segment of former owners. */
	private lastFormer = -1;
	/** Of segments this owner appends to: what is on the disk, and the array it is the beginning of, with room for more. */
	private readonly growing = new Map<number, { stored: Uint8Array; room: Uint8Array }>();

	constructor(disk: MemoryDisk = memoryDisk()) {
		this.disk = disk;
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		if (!isReader) {
			this.epoch = ++this.disk.epoch;
			this.lastFormer = -1;
			for (const name of this.disk.objects.keys()) {
				if (typeof name === "number" && name > this.lastFormer) this.lastFormer = name;
			}
		}
		return { epoch: this.disk.epoch, manifest: this.disk.manifest };
	}

	private own(): void {
		if (this.epoch < 0) throw readOnly();
		if (this.epoch !== this.disk.epoch) throw fenced();
	}

	async append(segment: number, bytes: Uint8Array): Promise<void> {
		this.own();
		if (segment <= this.lastFormer) throw formerSegment(segment);
		const { objects } = this.disk;
		const before = objects.get(segment) ?? EMPTY;
		const length = before.length + bytes.length;
		const known = this.growing.get(segment);
		let room = known?.stored === before ? known.room : before;
		if (room.length < length) {
			room = new Uint8Array(Math.max(2 * before.length, length));
			room.set(before);
		}
		room.set(bytes, before.length);
		const stored = room.subarray(0, length);
		this.growing.set(segment, { stored, room });
		objects.set(segment, stored);
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
		for (const name of names) {
			this.disk.objects.delete(name);
			if (typeof name === "number") this.growing.delete(name);
		}
	}

	async close(): Promise<void> {
		this.epoch = -1;
	}
}
