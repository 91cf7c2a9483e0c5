/**
 * Storage in a folder, under Node: the files of redis-server's multi-part append-only file. Either opens what the other has
 * left, though not at the same time.
 *
 *     folder/appendonlydir/appendonly.aof.manifest      what counts, in Redis' text
 *                          appendonly.aof.1.base.rdb    the base
 *                          appendonly.aof.2.incr.aof    segments, by their numbers
 *                          redstart.json                the same manifest with what Redis' text has no place for
 *                          redstart.lock                who owns the folder
 *
 * Where the two manifests disagree, redis-server was here, and its text counts. A segment may end in a torn write only while
 * it is the last one; when it is sealed, what is too much is cut off, since redis-server knows no lengths.
 */

import {
	closeSync,
	existsSync,
	fdatasync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	renameSync,
	statSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { RedstartError } from "../errors.ts";
import {
	type AofFile,
	baseName,
	formatManifest,
	incrName,
	ManifestError,
	manifestName,
	parseManifest,
} from "./aof-manifest.ts";
import { crc32c } from "./crc32c.ts";
import { FolderLock } from "./fs-lock.ts";
import {
	appendAll,
	piecesOf,
	removeFile,
	replaceFile,
	syncFolder,
	systemText,
	writeAll,
} from "./node-files.ts";
import { type Append, recordsOf, WriteQueue } from "./queue.ts";
import {
	type Base,
	fenced,
	formerSegment,
	type Manifest,
	missing,
	readOnly,
	type Storage,
} from "./storage.ts";

const CHUNK_BYTES = 1 << 20;
const SIDE_NAME = "redstart.json";
/** A manifest without files, which redis-server takes for a new one. */
const NO_FILES = "# no files\n";
/** The number of a base that is no RDB file: it is read as a segment. */
const BASE_SEGMENT = 0;

export interface FileStorageOptions {
	/** The folder within the folder, as Redis' `appenddirname`. */
	folder?: string;
	/** What the files' names begin with, as Redis' `appendfilename`. */
	name?: string;
}

/** A segment of this owner. */
interface OpenSegment {
	file: number;
	length_bytes: number;
}

/** A base: one file made of chunks, one behind another. */
interface BaseFile {
	file: string;
	/** Lengths of the chunks. */
	chunks: number[];
}

/** Chunks that are put and not committed. */
interface Staged {
	path: string;
	file: number;
	end_bytes: number;
	chunks: Map<number, { from: number; length: number }>;
}

/** What the second manifest holds. */
interface Side {
	version: 1;
	/** Manifests by the text that Redis' manifest has then; the one before is there for a crash between the two. */
	states: { text: string; manifest: Manifest }[];
	bases: Record<string, BaseFile>;
}

const CHUNK_NAME = /^(.+)\.(\d+)$/s;

export class FileStorage implements Storage {
	readonly chunkLimit_bytes = CHUNK_BYTES;
	readonly hasAof = true;
	private readonly dir: string;
	private readonly path: string;
	private readonly stem: string;
	private readonly lock: FolderLock;
	private isOwner = false;
	/** The last segment of former owners. */
	private lastFormer = -1;
	private readonly queue = new WriteQueue((appends, isDurable) => this.write(appends, isDurable));
	private readonly open = new Map<number, OpenSegment>();
	/** Segments with bytes that a power cut may take. */
	private readonly unsynced = new Set<number>();
	private readonly staged = new Map<string, Staged>();
	private bases: Record<string, BaseFile> = {};
	/** Names of segments that are not called by their number. */
	private names = new Map<number, string>();
	private current: { text: string; manifest: Manifest | null } = { text: "", manifest: null };

	/** A folder, by its path or its URL; it is made when it is not there. */
	constructor(dir: string | URL, options: FileStorageOptions = {}) {
		const { folder = "appendonlydir", name = "appendonly.aof" } = options;
		this.dir = dir instanceof URL || dir.startsWith("file:") ? fileURLToPath(dir) : resolve(dir);
		this.path = join(this.dir, folder);
		this.stem = name;
		this.lock = new FolderLock(this.path);
	}

	private at(name: string): string {
		return join(this.path, Buffer.from(name, "latin1").toString());
	}

	private segmentName(id: number): string {
		return this.names.get(id) ?? incrName(this.stem, id);
	}

	private objectName(name: string): string {
		return `redstart-object-${encodeURIComponent(name)}`;
	}

	// ---- loading ----

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		try {
			return this.loadNow(isReader);
		} catch (error) {
			throw asStorageError(error);
		}
	}

	private loadNow(isReader: boolean): { epoch: number; manifest: Manifest | null } {
		let epoch = 0;
		if (isReader) epoch = this.lock.epoch;
		else {
			mkdirSync(this.path, { recursive: true, mode: 0o755 });
			epoch = this.lock.take();
			this.isOwner = true;
			for (const base of [...this.staged.keys()]) this.dropStaged(base);
			this.removeLeftovers();
		}
		this.readManifests();
		if (!isReader) this.lastFormer = Math.max(-1, ...this.segments());
		return { epoch, manifest: this.current.manifest };
	}

	/** What a crash has left half done. */
	private removeLeftovers(): void {
		for (const name of readdirSync(this.path)) {
			if (/^temp-.*\.(part|manifest|json|lock)$/.test(name)) removeFile(join(this.path, name));
		}
	}

	private readManifests(): void {
		const text = readIfThere(this.at(manifestName(this.stem)));
		const side = this.readSide();
		this.bases = side?.bases ?? {};
		for (const [name, { file }] of Object.entries(this.bases)) {
			if (!existsSync(this.at(file))) delete this.bases[name];
		}
		if (text === undefined) {
			this.refuseOld();
			this.current = { text: "", manifest: null };
			return;
		}
		const known = side?.states.find((state) => state.text === text);
		this.current = { text, manifest: known ? known.manifest : this.derive(text) };
		if (known) this.learnNames(text);
	}

	private readSide(): Side | undefined {
		const text = readIfThere(join(this.path, SIDE_NAME));
		if (text === undefined) return undefined;
		const side = JSON.parse(Buffer.from(text, "latin1").toString()) as Side;
		if (side.version !== 1) {
			throw new RedstartError(
				"corrupt",
				`${SIDE_NAME} has version ${side.version}, which this build cannot read`,
			);
		}
		return side;
	}

	/** The single file of a redis-server before 7 is no folder of files. */
	private refuseOld(): void {
		const old = join(this.dir, this.stem);
		if (!statSync(old, { throwIfNoEntry: false })?.isFile()) return;
		throw new RedstartError(
			"storage",
			`${old} is an append-only file of a Redis before 7: a start of redis-server 7 or of npx redstart with --appendonly yes converts it`,
		);
	}

	/** The manifest that redis-server's text comes to. */
	private derive(text: string): Manifest {
		const { base, incr } = parseManifest(text);
		this.names = new Map();
		const segments: { id: number; length_bytes?: number }[] = [];
		let made: Base | null = null;
		if (base?.name.endsWith(".rdb")) made = this.deriveBase(base);
		else if (base) segments.push(this.deriveSegment({ name: base.name, seq: BASE_SEGMENT }));
		for (const file of incr) segments.push(this.deriveSegment(file));
		const last = segments.at(-1);
		if (last && incr.length > 0) delete last.length_bytes;
		return { version: 1, replid: "", base: made, incr: segments, offset: 0 };
	}

	private deriveSegment({ name, seq }: AofFile): { id: number; length_bytes: number } {
		if (name !== incrName(this.stem, seq)) this.names.set(seq, name);
		return { id: seq, length_bytes: this.lengthOf(name) };
	}

	private deriveBase({ name, seq }: AofFile): Base {
		let crc = 0;
		const length_bytes = this.lengthOf(name);
		for (const piece of piecesOf(this.at(name))) crc = crc32c(piece, crc);
		const chunks: number[] = [];
		for (let left = length_bytes; left > 0; left -= CHUNK_BYTES) chunks.push(Math.min(left, CHUNK_BYTES));
		this.bases[name] = { file: name, chunks };
		return { name, chunks: chunks.length, seq, crc, length_bytes };
	}

	private lengthOf(name: string): number {
		try {
			return statSync(this.at(name)).size;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missing(name);
			throw error;
		}
	}

	private learnNames(text: string): void {
		const { base, incr } = parseManifest(text);
		this.names = new Map();
		if (base && !base.name.endsWith(".rdb")) this.names.set(BASE_SEGMENT, base.name);
		for (const { name, seq } of incr) {
			if (name !== incrName(this.stem, seq)) this.names.set(seq, name);
		}
	}

	/** Numbers of the segments that are there. */
	private segments(): number[] {
		const found = new Set<number>();
		for (const [id, name] of this.names) if (existsSync(this.at(name))) found.add(id);
		const all = existsSync(this.path) ? readdirSync(this.path) : [];
		const [before, after] = incrName(this.stem, 0).split("0.incr") as [string, string];
		for (const name of all) {
			if (!name.startsWith(before) || !name.endsWith(`.incr${after}`)) continue;
			const digits = name.slice(before.length, -".incr".length - after.length);
			if (/^\d+$/.test(digits)) found.add(Number(digits));
		}
		return [...found];
	}

	// ---- writing ----

	private own(): void {
		if (!this.isOwner) throw readOnly();
		if (!this.lock.isOurs) throw fenced();
	}

	async append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		if (!this.isOwner) throw readOnly();
		if (segment <= this.lastFormer) throw formerSegment(segment);
		await this.queue.append(segment, bytes, isDurable).catch(refuse);
	}

	/** Writes all of them, or none. */
	private async write(appends: readonly Append[], isDurable: boolean): Promise<void> {
		this.own();
		const before = new Map<number, number>();
		try {
			for (const { segment, bytes } of recordsOf(appends, Number.MAX_SAFE_INTEGER)) {
				// A later one must not be there without an earlier one.
				await this.sync((other) => other !== segment);
				const open = this.openSegment(segment);
				if (!before.has(segment)) before.set(segment, open.length_bytes);
				this.unsynced.add(segment);
				appendAll(open.file, bytes, open.length_bytes);
				open.length_bytes += bytes.length;
			}
			if (isDurable) await this.sync(() => true);
		} catch (error) {
			for (const [segment, length_bytes] of before) this.cutBack(segment, length_bytes);
			throw error;
		}
	}

	/** Nothing of what failed remains, or the segment takes no more. */
	private cutBack(segment: number, length_bytes: number): void {
		const open = this.open.get(segment);
		if (!open) return;
		try {
			ftruncateSync(open.file, length_bytes);
			open.length_bytes = length_bytes;
		} catch {
			this.lastFormer = Math.max(this.lastFormer, segment);
		}
	}

	private openSegment(segment: number): OpenSegment {
		const known = this.open.get(segment);
		if (known) return known;
		const path = this.at(this.segmentName(segment));
		const isNew = !existsSync(path);
		const file = openSync(path, "a", 0o644);
		const open = { file, length_bytes: fstatSync(file).size };
		this.open.set(segment, open);
		if (isNew) syncFolder(this.path);
		return open;
	}

	/** Makes the segments durable that are not, and that `isWanted` names. */
	private async sync(isWanted: (segment: number) => boolean): Promise<void> {
		for (const segment of [...this.unsynced]) {
			if (!isWanted(segment)) continue;
			const open = this.open.get(segment);
			if (open) await synced(open.file);
			this.unsynced.delete(segment);
		}
	}

	put(name: string, bytes: Uint8Array): Promise<void> {
		return this.inTurn(async () => {
			const chunk = CHUNK_NAME.exec(name);
			if (chunk) this.stage(chunk[1] as string, Number(chunk[2]), bytes);
			else {
				const path = join(this.path, this.objectName(name));
				replaceFile(path, join(this.path, `temp-${process.pid}.part`), bytes);
			}
		});
	}

	/** The chunks of a base go into one file, in the order they come. */
	private stage(base: string, index: number, bytes: Uint8Array): void {
		let staged = this.staged.get(base);
		if (!staged) {
			const path = join(this.path, `temp-${encodeURIComponent(base)}.part`);
			staged = { path, file: openSync(path, "w+", 0o644), end_bytes: 0, chunks: new Map() };
			this.staged.set(base, staged);
		}
		appendAll(staged.file, bytes, staged.end_bytes);
		staged.chunks.set(index, { from: staged.end_bytes, length: bytes.length });
		staged.end_bytes += bytes.length;
	}

	private dropStaged(base: string): void {
		const staged = this.staged.get(base);
		if (!staged) return;
		this.staged.delete(base);
		closeSync(staged.file);
		removeFile(staged.path);
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		const wanted = structuredClone(manifest);
		return this.inTurn(async () => {
			this.own();
			for (const name of needs) if (!this.isThere(name)) throw missing(name);
			await this.sync(() => true);
			const base = wanted.base ? this.settleBase(wanted.base) : undefined;
			for (const kept of [wanted.previous, ...(wanted.kept ?? [])]) if (kept) this.settleBase(kept);
			const segments = wanted.incr.map((segment) => this.settleSegment(segment.id, segment.length_bytes));
			syncFolder(this.path);
			this.writeManifests(wanted, base, segments);
		});
	}

	private isThere(name: string): boolean {
		const chunk = CHUNK_NAME.exec(name);
		if (!chunk) return existsSync(join(this.path, this.objectName(name)));
		const [base, index] = [chunk[1] as string, Number(chunk[2])];
		if (this.staged.get(base)?.chunks.has(index)) return true;
		const settled = this.bases[base];
		return settled !== undefined && index < settled.chunks.length && existsSync(this.at(settled.file));
	}

	/** Makes the chunks of a base one file of their own; its entry in Redis' manifest, unless it has none. */
	private settleBase({ name, chunks: count, seq }: Base): AofFile | undefined {
		const staged = this.staged.get(name);
		if (staged) {
			const file = baseName(this.stem, seq);
			const order = Array.from({ length: count }, (_, index) => staged.chunks.get(index));
			let end_bytes = 0;
			const isInOrder = order.every((chunk) => {
				const isNext = chunk?.from === end_bytes;
				end_bytes += chunk?.length ?? 0;
				return isNext;
			});
			if (!isInOrder || end_bytes !== staged.end_bytes) this.reorder(staged, order);
			fsyncSync(staged.file);
			renameSync(staged.path, this.at(file));
			closeSync(staged.file);
			this.staged.delete(name);
			this.bases[name] = { file, chunks: order.map((chunk) => chunk?.length ?? 0) };
		}
		const settled = this.bases[name];
		return settled && settled.chunks.length > 0 ? { name: settled.file, seq } : undefined;
	}

	/** Some were put again, or not one after another. */
	private reorder(staged: Staged, order: readonly ({ from: number; length: number } | undefined)[]): void {
		const parts = order.map((chunk) =>
			chunk ? readPart(staged.file, chunk.from, chunk.length) : new Uint8Array(0),
		);
		closeSync(staged.file);
		staged.file = openSync(staged.path, "w+", 0o644);
		for (const part of parts) writeAll(staged.file, part);
	}

	/** Every segment a manifest names is a file, no longer than it counts. */
	private settleSegment(id: number, length_bytes: number | undefined): AofFile {
		const { file, length_bytes: have_bytes } = this.openSegment(id);
		if (length_bytes !== undefined) {
			if (have_bytes > length_bytes) {
				ftruncateSync(file, length_bytes);
				fsyncSync(file);
			}
			// Nobody appends to it any more.
			closeSync(file);
			this.open.delete(id);
		}
		return { name: this.segmentName(id), seq: id };
	}

	private writeManifests(manifest: Manifest, base: AofFile | undefined, segments: readonly AofFile[]): void {
		const first = segments[0]?.seq === BASE_SEGMENT ? segments[0] : undefined;
		const inText = {
			base: base ?? (first && { name: first.name, seq: 1 }),
			history: [],
			incr: first ? segments.slice(1) : segments,
		};
		const text = formatManifest(inText) || NO_FILES;
		const { current } = this;
		const states = [{ text, manifest }];
		if (current.manifest && current.text !== text)
			states.push({ text: current.text, manifest: current.manifest });
		const side: Side = { version: 1, states, bases: this.bases };
		const fresh = join(this.path, `temp-${SIDE_NAME}`);
		replaceFile(join(this.path, SIDE_NAME), fresh, Buffer.from(JSON.stringify(side)));
		if (text !== current.text) {
			const name = manifestName(this.stem);
			replaceFile(this.at(name), this.at(`temp-${name}`), Buffer.from(text, "latin1"));
		}
		this.current = { text, manifest };
	}

	// ---- reading and removing ----

	async read(name: string | number): Promise<Uint8Array | null> {
		try {
			if (typeof name === "number") return await readWhole(this.at(this.segmentName(name)));
			const chunk = CHUNK_NAME.exec(name);
			if (!chunk) return await readWhole(join(this.path, this.objectName(name)));
			return this.readChunk(chunk[1] as string, Number(chunk[2]));
		} catch (error) {
			throw asStorageError(error);
		}
	}

	private readChunk(base: string, index: number): Uint8Array | null {
		const staged = this.staged.get(base);
		const chunk = staged?.chunks.get(index);
		if (staged && chunk) return readPart(staged.file, chunk.from, chunk.length);
		const settled = this.bases[base];
		const length = settled?.chunks[index];
		if (!settled || length === undefined || !existsSync(this.at(settled.file))) return null;
		const from = settled.chunks.slice(0, index).reduce((sum, part) => sum + part, 0);
		const file = openSync(this.at(settled.file), "r");
		try {
			return readPart(file, from, length);
		} finally {
			closeSync(file);
		}
	}

	async list(): Promise<(string | number)[]> {
		await this.queue.settled();
		const names: (string | number)[] = this.segments();
		for (const [base, { chunks }] of this.staged) {
			for (const index of chunks.keys()) names.push(`${base}.${index}`);
		}
		for (const [base, { chunks }] of Object.entries(this.bases)) {
			if (this.staged.has(base)) continue;
			for (const index of chunks.keys()) names.push(`${base}.${index}`);
		}
		const [prefix] = this.objectName("|").split("%7C") as [string];
		for (const name of existsSync(this.path) ? readdirSync(this.path) : []) {
			if (name.startsWith(prefix)) names.push(decodeURIComponent(name.slice(prefix.length)));
		}
		return names;
	}

	remove(names: readonly (string | number)[]): Promise<void> {
		return this.inTurn(async () => {
			for (const name of names) {
				if (typeof name === "number") this.removeSegment(name);
				else this.removeObject(name);
			}
		});
	}

	private removeSegment(id: number): void {
		const open = this.open.get(id);
		if (open) closeSync(open.file);
		this.open.delete(id);
		this.unsynced.delete(id);
		removeFile(this.at(this.segmentName(id)));
		this.names.delete(id);
	}

	private removeObject(name: string): void {
		const chunk = CHUNK_NAME.exec(name);
		if (!chunk) {
			removeFile(join(this.path, this.objectName(name)));
			return;
		}
		const [base, index] = [chunk[1] as string, Number(chunk[2])];
		const staged = this.staged.get(base);
		if (staged?.chunks.delete(index) && staged.chunks.size === 0) this.dropStaged(base);
		const settled = this.bases[base];
		// A base goes as a whole, with the first of its chunks.
		if (!settled || index >= settled.chunks.length) return;
		removeFile(this.at(settled.file));
		delete this.bases[base];
	}

	private inTurn(work: () => Promise<void>): Promise<void> {
		if (!this.isOwner) return Promise.reject(readOnly());
		return this.queue.inTurn(work).catch(refuse);
	}

	async close(): Promise<void> {
		await this.queue.settled();
		for (const base of [...this.staged.keys()]) this.dropStaged(base);
		for (const { file } of this.open.values()) closeSync(file);
		this.open.clear();
		this.unsynced.clear();
		if (this.isOwner) this.lock.release();
		this.isOwner = false;
	}
}

function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "latin1");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

async function readWhole(path: string): Promise<Uint8Array | null> {
	try {
		const bytes = await readFile(path);
		return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
}

function readPart(file: number, from: number, length: number): Uint8Array {
	const bytes = new Uint8Array(length);
	for (let at = 0; at < length; ) {
		const got = readSync(file, bytes, at, length - at, from + at);
		if (got === 0) return bytes.slice(0, at);
		at += got;
	}
	return bytes;
}

const synced = (file: number) =>
	new Promise<void>((resolve, reject) => {
		fdatasync(file, (error) => (error ? reject(error) : resolve()));
	});

function asStorageError(error: unknown): unknown {
	if (error instanceof RedstartError) return error;
	if (error instanceof ManifestError || error instanceof SyntaxError) {
		return new RedstartError("corrupt", `the manifest cannot be read: ${error.message}`, error);
	}
	if ((error as NodeJS.ErrnoException).code === undefined) return error;
	return new RedstartError("storage", systemText(error), error);
}

function refuse(error: unknown): never {
	throw asStorageError(error);
}
