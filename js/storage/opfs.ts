/**
 * Storage in the origin's private file system, for dedicated workers: only they have files that are written at once.
 *
 * A database is a folder with two files `a` and `b`, which take turns to hold the newest state (epoch, manifest, where
 * objects lie), and a pool: files that hold either objects or the frames of one segment, and are used again once nothing in
 * them counts. The pool is filled ahead, because a file may be gone after a power cut in the session that created it,
 * however well it was flushed; one of an earlier session is not.
 *
 * The owner has every file open, and nobody else can. Who loads takes ownership from a former owner by its lock.
 */

import { RedstartError } from "../errors.ts";
import { crc32c } from "./crc32c.ts";
import { frameOf, HEADER_BYTES, headerOf, partsOf } from "./frames.ts";
import { type Append, concatenated, recordsOf, WriteQueue } from "./queue.ts";
import { fenced, formerSegment, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

/** A file that is open for its owner alone. */
interface SyncHandle {
	read(into: Uint8Array, options: { at: number }): number;
	write(bytes: Uint8Array, options: { at: number }): number;
	truncate(length_bytes: number): void;
	getSize(): number;
	flush(): void;
	close(): void;
}

/** Where an object lies. It has no checksum here, because the base has one over all of its objects. */
type Extent = readonly [name: string, file: string, at: number, length_bytes: number];

/** What the files `a` and `b` hold, as JSON behind a header. */
interface State {
	generation: number;
	epoch: number;
	manifest: Manifest | null;
	objects: readonly Extent[];
	/** Which file a segment is in; one that was begun later says so by its frames. */
	segments: readonly (readonly [segment: number, file: string])[];
}

/** A file of the pool. */
interface PoolFile {
	readonly name: string;
	readonly handle: SyncHandle;
	/** What it is used for; `unknown`: there is something in it, and nobody knows what. */
	use: "free" | "objects" | "log" | "unknown";
	/** Created in this session. */
	readonly isYoung: boolean;
	/** Where the next write goes. */
	end: number;
	/** The number of the next frame. */
	seq: number;
	/** Written and not flushed. */
	isDirty: boolean;
}

const FOLDER = "redstart";
const SLOTS = ["a", "b"] as const;
const SLOT_MAGIC = 0x4f545352;
/** The header of a slot: magic, length and CRC-32C of the JSON. */
const SLOT_HEADER_BYTES = 12;
/** Free files there should be: for a base and a segment of the log, and again before the old ones are removed. */
const SPARE_FILES = 4;
/** How long to wait for a former owner to let go of its files. */
const PATIENCE_ms = 5000;
const PAUSE_ms = 10;
/** What browsers say of a file that somebody has open. */
const IN_USE: ReadonlySet<string> = new Set(["NoModificationAllowedError", "InvalidStateError"]);
/** How often to look whether the files are still there: they can be written to after site data was cleared. */
const LOOK_PAUSE_ms = 1000;

export class OpfsStorage implements Storage {
	readonly chunkLimit_bytes = 1 << 20;
	readonly hasAof = true;
	private readonly name: string;
	private readonly queue = new WriteQueue((appends, isDurable) => this.write(appends, isDurable));
	private folder: FileSystemDirectoryHandle | undefined;
	private slots: SyncHandle[] = [];
	private readonly pool = new Map<string, PoolFile>();
	private readonly segments = new Map<number, PoolFile>();
	private objects = new Map<string, Extent>();
	/** Names of objects that the newest state on disk has. */
	private stored = new Set<string>();
	/** Where objects are put until the next commit. */
	private open: PoolFile | undefined;
	private generation = 0;
	private manifest: Manifest | null = null;
	private epoch = -1;
	private isFenced = false;
	private isReader = false;
	/** Site data was cleared: a log without its base is worth nothing, so there is none until the next commit. */
	private isCleared = false;
	private lookedAt_ms = 0;
	private lastFormer = -1;
	private release: (() => void) | undefined;

	constructor(name: string) {
		this.name = name;
	}

	/** Throws where such files cannot be written: kind `unsupported` where a worker could, else `storage`. */
	static check(): void {
		if (typeof FileSystemFileHandle === "undefined" || !navigator.storage?.getDirectory) {
			throw new RedstartError("storage", "there is no OPFS here; the dataset is kept in memory only");
		}
		if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) {
			throw new RedstartError("unsupported", "OPFS wants a dedicated worker: open the database in one");
		}
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		OpfsStorage.check();
		await this.queue.settled();
		this.leave();
		this.isFenced = false;
		this.isReader = isReader;
		return translated(async () => {
			const folder = await this.enter();
			if (isReader) {
				const state = newest(await Promise.all(SLOTS.map((slot) => this.fileOf(slot))));
				return { epoch: state?.epoch ?? 0, manifest: state?.manifest ?? null };
			}
			try {
				await this.takeLock();
				await this.own(folder);
			} catch (error) {
				this.leave();
				throw error;
			}
			return { epoch: this.epoch, manifest: this.manifest };
		});
	}

	private async enter(): Promise<FileSystemDirectoryHandle> {
		const root = await navigator.storage.getDirectory();
		const all = await root.getDirectoryHandle(FOLDER, { create: true });
		this.folder = await all.getDirectoryHandle(folderName(this.name), { create: true });
		return this.folder;
	}

	/** Opens every file; the epoch is the next one. */
	private async own(folder: FileSystemDirectoryHandle): Promise<void> {
		for (const slot of SLOTS) this.slots.push(await openFile(folder, slot));
		const state = newest(this.slots.map((handle) => wholeOf(handle)));
		this.generation = state?.generation ?? 0;
		this.manifest = state?.manifest ?? null;
		this.epoch = (state?.epoch ?? 0) + 1;
		this.objects = new Map(state?.objects.map((extent) => [extent[0], extent]));
		for await (const name of folder.keys()) {
			if (name.startsWith("pool-")) this.add(name, await openFile(folder, name), false);
		}
		for (const extent of this.objects.values()) {
			const file = this.pool.get(extent[1]);
			if (file) file.use = "objects";
		}
		for (const file of this.pool.values()) this.recognise(file);
		for (const [segment, name] of state?.segments ?? []) {
			const file = this.pool.get(name);
			if (file?.use !== "unknown" || this.segments.has(segment)) continue;
			// Its first frame is damaged.
			file.use = "log";
			this.segments.set(segment, file);
		}
		this.lastFormer = Math.max(-1, ...this.segments.keys());
		this.writeState();
		let free = [...this.pool.values()].filter(({ use }) => use === "free").length;
		for (; free < SPARE_FILES; free++) await this.create();
		this.lookedAt_ms = Date.now();
		this.isCleared = false;
	}

	/** Throws {@link missing} once, with new files open, when those there were are gone. */
	private async look(): Promise<void> {
		try {
			await this.folder?.getFileHandle(SLOTS[0]);
			this.lookedAt_ms = Date.now();
		} catch (error) {
			if ((error as Error).name !== "NotFoundError") throw error;
			this.closeFiles();
			await this.own(await this.enter());
			this.isCleared = true;
			throw missing("the manifest");
		}
	}

	private add(name: string, handle: SyncHandle, isYoung: boolean): PoolFile {
		const end = handle.getSize();
		const file: PoolFile = { name, handle, use: "free", isYoung, end, seq: 0, isDirty: false };
		this.pool.set(name, file);
		return file;
	}

	private async create(): Promise<PoolFile> {
		if (!this.folder) throw this.refusal();
		let number = this.pool.size;
		while (this.pool.has(`pool-${number}`)) number++;
		const name = `pool-${number}`;
		return this.add(name, await openFile(this.folder, name), true);
	}

	/** Finds out what a file of a former session holds. */
	private recognise(file: PoolFile): void {
		if (file.use !== "free" || file.end === 0) return;
		const segment = segmentIn(file.end, (length_bytes) => bytesOf(file.handle, 0, length_bytes));
		file.use = segment === null ? "unknown" : "log";
		if (segment !== null) this.segments.set(segment, file);
	}

	/** A free file, one of an earlier session if there is one. */
	private async take(use: "objects" | "log"): Promise<PoolFile> {
		const free = [...this.pool.values()].filter((file) => file.use === "free");
		const file = free.find(({ isYoung }) => !isYoung) ?? free[0] ?? (await this.create());
		file.use = use;
		return file;
	}

	private free(file: PoolFile): void {
		file.use = "free";
		file.end = file.seq = 0;
		file.isDirty = false;
		file.handle.truncate(0);
		file.handle.flush();
	}

	/**
	 * Takes the lock from whoever has it. Its former owner learns that, closes its files and writes no more; until then none
	 * of them can be opened here.
	 */
	private async takeLock(): Promise<void> {
		if (!navigator.locks) return;
		await new Promise<void>((taken, failed) => {
			let letGo: (() => void) | undefined;
			const held = navigator.locks.request(`redstart-opfs:${this.name}`, { steal: true }, () => {
				const isHeld = new Promise<void>((release) => {
					letGo = this.release = release;
				});
				taken();
				return isHeld;
			});
			held.catch((error) => {
				failed(error);
				if (letGo === undefined || letGo !== this.release) return;
				this.isFenced = true;
				this.leave();
			});
		});
	}

	private closeFiles(): void {
		for (const handle of [...this.slots, ...[...this.pool.values()].map((file) => file.handle)]) {
			handle.close();
		}
		this.slots = [];
		this.pool.clear();
		this.segments.clear();
		this.objects.clear();
		this.stored.clear();
		this.open = undefined;
	}

	private leave(): void {
		this.closeFiles();
		this.epoch = -1;
		this.release?.();
		this.release = undefined;
	}

	private refusal(): RedstartError {
		return this.isFenced ? fenced() : readOnly();
	}

	/** In its turn, and by the owner only. */
	private owning(work: () => Promise<void> | void): Promise<void> {
		return this.queue.inTurn(() =>
			translated(async () => {
				if (this.epoch < 0) throw this.refusal();
				await work();
			}),
		);
	}

	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		if (segment <= this.lastFormer && this.epoch >= 0) return Promise.reject(formerSegment(segment));
		return this.queue.append(segment, bytes, isDurable);
	}

	private write(appends: readonly Append[], isDurable: boolean): Promise<void> {
		return translated(async () => {
			if (this.epoch < 0) throw this.refusal();
			if (Date.now() - this.lookedAt_ms > LOOK_PAUSE_ms) await this.look();
			if (this.isCleared) throw missing("the manifest");
			const before = new Map<PoolFile, readonly [end: number, seq: number]>();
			try {
				for (const { segment, bytes } of recordsOf(appends, Number.POSITIVE_INFINITY)) {
					let file = this.segments.get(segment);
					if (!file) {
						file = await this.take("log");
						this.segments.set(segment, file);
					}
					if (!before.has(file)) before.set(file, [file.end, file.seq]);
					writeAt(file, frameOf(segment, file.seq, bytes));
					file.seq++;
				}
				if (isDurable) this.flush();
			} catch (error) {
				for (const [file, [end, seq]] of before) {
					file.end = end;
					file.seq = seq;
					// There is room for less than there was.
					file.handle.truncate(end);
				}
				throw error;
			}
		});
	}

	private flush(): void {
		for (const file of this.pool.values()) {
			if (!file.isDirty) continue;
			file.handle.flush();
			file.isDirty = false;
		}
	}

	put(name: string, bytes: Uint8Array): Promise<void> {
		return this.owning(async () => {
			this.open ??= await this.take("objects");
			const { open } = this;
			const at = open.end;
			writeAt(open, bytes);
			this.objects.set(name, [name, open.name, at, bytes.length]);
		});
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		return this.owning(async () => {
			await this.look();
			for (const name of needs) if (!this.objects.has(name)) throw missing(name);
			this.flush();
			this.writeState(manifest);
			this.manifest = manifest;
			this.open = undefined;
			this.isCleared = false;
			this.freeUnused();
			// Whoever came to own this has seen it by now, and stored what counts.
			for (const file of this.pool.values()) if (file.use === "unknown") this.free(file);
		});
	}

	/** Writes the state to the file whose turn it is, durably. */
	private writeState(manifest = this.manifest): void {
		const generation = this.generation + 1;
		const objects = [...this.objects.values()];
		const { epoch } = this;
		const segments = [...this.segments].map(([segment, file]) => [segment, file.name] as const);
		const state: State = { generation, epoch, manifest, objects, segments };
		const json = new TextEncoder().encode(JSON.stringify(state));
		const bytes = new Uint8Array(SLOT_HEADER_BYTES + json.length);
		const view = new DataView(bytes.buffer);
		view.setUint32(0, SLOT_MAGIC, true);
		view.setUint32(4, json.length, true);
		view.setUint32(8, crc32c(json), true);
		bytes.set(json, SLOT_HEADER_BYTES);
		const handle = this.slots[generation % SLOTS.length] as SyncHandle;
		if (handle.write(bytes, { at: 0 }) < bytes.length) throw full();
		handle.truncate(bytes.length);
		handle.flush();
		this.generation = generation;
		this.stored = new Set(this.objects.keys());
	}

	/** Files without an object that counts are free now that the state on disk is without them. */
	private freeUnused(): void {
		const used = new Set<PoolFile | undefined>([this.open]);
		for (const extent of this.objects.values()) used.add(this.pool.get(extent[1]));
		for (const file of this.pool.values()) {
			if (file.use === "objects" && !used.has(file)) this.free(file);
		}
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		if (this.isReader) return translated(() => this.readAside(name));
		let found: Uint8Array | null = null;
		await this.owning(() => {
			found = typeof name === "number" ? this.readSegment(name) : this.readObject(name);
		});
		return found;
	}

	private readSegment(segment: number): Uint8Array | null {
		const file = this.segments.get(segment);
		if (!file) return null;
		return concatenated(partsOf(bytesOf(file.handle, 0, file.end), segment)).slice();
	}

	private readObject(name: string): Uint8Array | null {
		const extent = this.objects.get(name);
		const file = extent && this.pool.get(extent[1]);
		if (!file) return null;
		const [, , at, length_bytes] = extent;
		return whole(name, bytesOf(file.handle, at, length_bytes), length_bytes);
	}

	async list(): Promise<(string | number)[]> {
		if (this.isReader) {
			const { objects, segments } = await translated(() => this.lookAside());
			return [...objects.keys(), ...segments.keys()];
		}
		let names: (string | number)[] = [];
		await this.owning(() => {
			names = [...this.objects.keys(), ...this.segments.keys()];
		});
		return names;
	}

	remove(names: readonly (string | number)[]): Promise<void> {
		return this.owning(() => {
			let isStored = false;
			for (const name of names) {
				if (typeof name === "string") {
					this.objects.delete(name);
					isStored ||= this.stored.has(name);
					continue;
				}
				const file = this.segments.get(name);
				this.segments.delete(name);
				if (file) this.free(file);
			}
			// The state on disk must not name what is written over.
			if (isStored) this.writeState();
			this.freeUnused();
		});
	}

	// ---- a reader: the owner has the files open, but copies of them can be had ----

	private async fileOf(name: string): Promise<Uint8Array> {
		try {
			const handle = await this.folder?.getFileHandle(name);
			const file = await handle?.getFile();
			return new Uint8Array((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
		} catch (error) {
			if ((error as Error).name === "NotFoundError") return new Uint8Array(0);
			throw error;
		}
	}

	private async lookAside(): Promise<{ objects: Map<string, Extent>; segments: Map<number, string> }> {
		const state = newest(await Promise.all(SLOTS.map((slot) => this.fileOf(slot))));
		const objects = new Map(state?.objects.map((extent) => [extent[0], extent]));
		const holding = new Set(state?.objects.map((extent) => extent[1]));
		const segments = new Map<number, string>();
		for await (const [name, handle] of this.folder?.entries() ?? []) {
			if (!name.startsWith("pool-") || holding.has(name) || handle.kind !== "file") continue;
			const bytes = new Uint8Array(await (await (handle as FileSystemFileHandle).getFile()).arrayBuffer());
			const segment = segmentIn(bytes.length, (length_bytes) => bytes.subarray(0, length_bytes));
			if (segment !== null) segments.set(segment, name);
		}
		return { objects, segments };
	}

	private async readAside(name: string | number): Promise<Uint8Array | null> {
		const { objects, segments } = await this.lookAside();
		if (typeof name === "number") {
			const file = segments.get(name);
			return file === undefined ? null : concatenated(partsOf(await this.fileOf(file), name)).slice();
		}
		const extent = objects.get(name);
		if (!extent) return null;
		const [, file, at, length_bytes] = extent;
		return whole(name, (await this.fileOf(file)).slice(at, at + length_bytes), length_bytes);
	}

	async close(): Promise<void> {
		await this.queue.settled();
		this.leave();
	}
}

/** A folder's name may not have every character, and not be empty. */
function folderName(name: string): string {
	return `db-${encodeURIComponent(name).replaceAll(".", "%2E")}`;
}

/** Opens a file for its owner alone, creating it if need be. One who lets go of it may need a moment. */
async function openFile(folder: FileSystemDirectoryHandle, name: string): Promise<SyncHandle> {
	const file = (await folder.getFileHandle(name, { create: true })) as FileSystemFileHandle & {
		createSyncAccessHandle(): Promise<SyncHandle>;
	};
	for (let waited_ms = 0; ; waited_ms += PAUSE_ms) {
		try {
			return await file.createSyncAccessHandle();
		} catch (error) {
			if (!IN_USE.has((error as Error).name)) throw error;
			if (waited_ms >= PATIENCE_ms) {
				throw new RedstartError(
					"storage",
					"another worker has this database open and does not answer",
					error,
				);
			}
			await new Promise((resolve) => setTimeout(resolve, PAUSE_ms));
		}
	}
}

function bytesOf(handle: SyncHandle, at: number, length_bytes: number): Uint8Array {
	const bytes = new Uint8Array(length_bytes);
	return bytes.subarray(0, handle.read(bytes, { at }));
}

function wholeOf(handle: SyncHandle): Uint8Array {
	return bytesOf(handle, 0, handle.getSize());
}

function writeAt(file: PoolFile, bytes: Uint8Array): void {
	file.isDirty = true;
	if (file.handle.write(bytes, { at: file.end }) < bytes.length) throw full();
	file.end += bytes.length;
}

function whole(name: string, bytes: Uint8Array, length_bytes: number): Uint8Array {
	if (bytes.length === length_bytes) return bytes;
	throw new RedstartError("corrupt", `${name} is cut short`);
}

/** Whose frames a file has, if its first one is whole. */
function segmentIn(size_bytes: number, beginning: (length_bytes: number) => Uint8Array): number | null {
	const header = headerOf(beginning(Math.min(size_bytes, HEADER_BYTES)));
	if (!header || header.length_bytes > size_bytes) return null;
	return partsOf(beginning(header.length_bytes), header.segment).length === 1 ? header.segment : null;
}

/** The newer of the states that are whole; null in a new place. */
function newest(slots: readonly Uint8Array[]): State | null {
	let found: State | null = null;
	for (const bytes of slots) {
		const state = stateIn(bytes);
		if (state && state.generation > (found?.generation ?? 0)) found = state;
	}
	// Only the very first write can have left nothing else.
	if (!found && slots.every(({ length }) => length > 0)) {
		throw new RedstartError("corrupt", "the stored manifest cannot be read");
	}
	return found;
}

function stateIn(bytes: Uint8Array): State | null {
	if (bytes.length < SLOT_HEADER_BYTES) return null;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	const end = SLOT_HEADER_BYTES + view.getUint32(4, true);
	const json = bytes.subarray(SLOT_HEADER_BYTES, end);
	if (end > bytes.length) return null;
	if (view.getUint32(0, true) !== SLOT_MAGIC || view.getUint32(8, true) !== crc32c(json)) return null;
	return JSON.parse(new TextDecoder().decode(json)) as State;
}

function full(cause?: unknown): RedstartError {
	return new RedstartError("storage", "the browser gives this site no more storage", cause);
}

/** Does `work`; what the file system says becomes an error of this library. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (error instanceof RedstartError) throw error;
		const { name, message } = error as Error;
		if (name === "QuotaExceededError") throw full(error);
		throw new RedstartError("storage", `OPFS failed: ${message}`, error);
	}
}
