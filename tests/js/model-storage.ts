/**
 * A disk that can lose power, and a storage driver on it, without any real time: the test double for every crash.
 *
 * What a driver may do by its contract, this one does, as a generator of random numbers decides:
 * - each operation takes some turns of the microtask queue, and takes effect in one of them;
 * - the death of the process keeps what took effect; a power cut keeps a prefix of the relaxed appends, any of the puts that
 *   no commit needed, and may bring back what was removed;
 * - the crash comes before an operation takes effect, after it (nobody hears of it), or amid an append;
 * - `raw` segments may end in a part of an append (node fs); `framed` ones are frames with a checksum, behind which a
 *   power cut may leave anything (OPFS);
 * - an operation may fail, an append then leaving a part behind, a commit having taken effect all the same.
 */

import { crc32c } from "../../js/storage/crc32c.ts";
import { fenced, formerSegment, type Manifest, missing, type Storage } from "../../js/storage/storage.ts";

/** Small, quick and good enough (mulberry32). */
export class Rng {
	private state: number;

	constructor(seed: number) {
		this.state = seed >>> 0;
	}

	next(): number {
		this.state = (this.state + 0x6d2b79f5) >>> 0;
		let t = this.state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	}

	/** 0 to `count` - 1. */
	below(count: number): number {
		return Math.floor(this.next() * count);
	}

	chance(part: number): boolean {
		return this.next() < part;
	}
}

interface Piece {
	readonly bytes: Uint8Array;
}

export interface ModelOptions {
	/** How segments are kept. */
	layout: "raw" | "framed";
	/** Part of the writing operations that fails. */
	faults: number;
	/** Whether the driver looks: without, a mistake of its user shows as lost data only. */
	isStrict: boolean;
}

/** One for each who waits: it would keep them all. */
const never = () => new Promise<never>(() => undefined);

export class ModelDisk {
	epoch = 0;
	manifest: Manifest | null = null;
	readonly objects = new Map<string, Uint8Array>();
	readonly segments = new Map<number, Piece[]>();
	/** Relaxed appends, in their order. */
	private journal: { segment: number; piece: Piece }[] = [];
	/** Puts that no commit needed yet. */
	private readonly loose = new Set<string>();
	/** Removed since the last commit; a power cut may bring it back. */
	private removed: [string | number, Uint8Array | Piece[]][] = [];
	/** Operations so far, of all drivers. */
	operations = 0;
	/** The operation that crashes. */
	crashAt = Number.POSITIVE_INFINITY;
	/** Drivers of this generation are alive. */
	generation = 0;
	onCrash: (() => void) | undefined;
	readonly rng: Rng;
	readonly options: ModelOptions;

	constructor(rng: Rng, options: ModelOptions) {
		this.rng = rng;
		this.options = options;
	}

	/** Whether the operation that begins now is the last one. */
	isLast(): boolean {
		return ++this.operations === this.crashAt;
	}

	/** Ends every process. */
	crash(): void {
		this.generation++;
		this.crashAt = Number.POSITIVE_INFINITY;
		this.onCrash?.();
	}

	append(segment: number, payload: Uint8Array, isDurable: boolean, part = payload.length): void {
		const bytes = this.options.layout === "framed" ? frame(payload) : payload;
		const length = part === payload.length ? bytes.length : Math.min(part, bytes.length - 1);
		const piece = { bytes: bytes.slice(0, length) };
		const pieces = this.segments.get(segment) ?? [];
		pieces.push(piece);
		this.segments.set(segment, pieces);
		this.journal.push({ segment, piece });
		if (isDurable) this.journal = [];
	}

	put(name: string, bytes: Uint8Array): void {
		this.objects.set(name, bytes.slice());
		this.loose.add(name);
	}

	commit(manifest: Manifest, needs: readonly string[]): void {
		this.manifest = structuredClone(manifest);
		for (const name of needs) this.loose.delete(name);
		this.journal = [];
	}

	remove(name: string | number): void {
		const kept = typeof name === "number" ? this.segments.get(name) : this.objects.get(name);
		if (kept === undefined) return;
		this.removed.push([name, kept]);
		if (typeof name === "number") this.segments.delete(name);
		else this.objects.delete(name);
	}

	/** The site's data is cleared: nothing is left. */
	clear(): void {
		this.manifest = null;
		this.objects.clear();
		this.segments.clear();
		this.journal = [];
		this.removed = [];
	}

	read(segment: number): Uint8Array | null {
		const pieces = this.segments.get(segment);
		if (!pieces) return null;
		const all = concat(pieces.map(({ bytes }) => bytes));
		return this.options.layout === "framed" ? unframe(all) : all;
	}

	/** What the power cut leaves. */
	cutPower(): void {
		const { rng, journal } = this;
		const kept = rng.below(journal.length + 1);
		for (const [i, { segment, piece }] of journal.entries()) {
			if (i < kept) continue;
			const pieces = this.segments.get(segment);
			const at = pieces?.indexOf(piece) ?? -1;
			if (at < 0) continue;
			pieces?.splice(at, 1);
			// The one that was being written may be there in part, or as anything where a checksum tells.
			if (i !== kept || !rng.chance(0.5)) continue;
			const part = piece.bytes.slice(0, rng.below(piece.bytes.length));
			if (this.options.layout === "framed" && rng.chance(0.5)) {
				const garbage = Uint8Array.from({ length: rng.below(20) }, () => rng.below(256));
				pieces?.push({ bytes: concat([part, garbage]) });
			} else pieces?.push({ bytes: part });
		}
		this.journal = [];
		for (const name of this.loose) if (rng.chance(0.5)) this.objects.delete(name);
		this.loose.clear();
		for (const [name, kept] of this.removed) {
			if (rng.chance(0.5)) continue;
			if (typeof name === "number") this.segments.set(name, kept as Piece[]);
			else this.objects.set(name, kept as Uint8Array);
		}
		this.removed = [];
	}
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}

/** u32 length, u32 CRC-32C, payload. */
function frame(payload: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(8 + payload.length);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, payload.length, true);
	view.setUint32(4, crc32c(payload), true);
	bytes.set(payload, 8);
	return bytes;
}

function unframe(bytes: Uint8Array): Uint8Array {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const whole: Uint8Array[] = [];
	for (let at = 0; at + 8 <= bytes.length; ) {
		const end = at + 8 + view.getUint32(at, true);
		const payload = bytes.subarray(at + 8, end);
		if (end > bytes.length || crc32c(payload) !== view.getUint32(at + 4, true)) break;
		whole.push(payload);
		at = end;
	}
	return concat(whole);
}

/** Whether a manifest can be the first of all: it names nothing that must have been stored before. */
function standsAlone({ base, incr, kept }: Manifest, needs: readonly string[]): boolean {
	if (kept?.length) return false;
	if (base) return incr.length === 0 && needs.includes(`${base.name}.0`);
	return incr.every(({ length_bytes }) => length_bytes === undefined);
}

/** Everything a manifest names. */
export function namesIn({ base, incr }: Manifest): Set<string | number> {
	const chunks = Array.from({ length: base?.chunks ?? 0 }, (_, i) => `${base?.name}.${i}`);
	return new Set<string | number>([...chunks, ...incr.map(({ id }) => id)]);
}

interface Pending {
	readonly append: { segment: number; bytes: Uint8Array } | undefined;
	/** It took effect, by itself or with an `appendNow`, or failed, or was given up. */
	fate: "open" | "done" | "failed" | "givenUp";
}

/** A process' way to the disk. */
export class ModelStorage implements Storage {
	readonly chunkLimit_bytes = 64;
	readonly hasAof = true;
	readonly disk: ModelDisk;
	private readonly generation: number;
	private epoch = -1;
	/** Segments up to this number belong to former owners. */
	private former = 0;
	private queue: Promise<void> = Promise.resolve();
	private readonly pending: Pending[] = [];
	/** Segments in which an append failed. */
	private readonly incomplete = new Set<number>();

	constructor(disk: ModelDisk) {
		this.disk = disk;
		this.generation = disk.generation;
	}

	private get isDead(): boolean {
		return this.generation !== this.disk.generation;
	}

	private async ticks(): Promise<void> {
		for (let i = this.disk.rng.below(4); i > 0; i--) await undefined;
	}

	/** An operation: it takes a while, and its effect comes at once. */
	private async operate<T>(effect: () => T, tear?: () => void): Promise<T> {
		const { disk } = this;
		if (this.isDead) return never();
		const isLast = disk.isLast();
		await this.ticks();
		if (this.isDead) return never();
		if (isLast) {
			try {
				if (tear && disk.rng.chance(0.4)) tear();
				else if (disk.rng.chance(0.5)) effect();
			} catch {
				// A refused operation crashes as well.
			}
			disk.crash();
			return never();
		}
		const value = effect();
		await this.ticks();
		return this.isDead ? never() : value;
	}

	private fails(): boolean {
		const { faults } = this.disk.options;
		return faults > 0 && this.disk.rng.chance(faults);
	}

	private own(): void {
		if (this.epoch !== this.disk.epoch) throw fenced();
	}

	/** Appends and commits take effect in the order of their calls. */
	private inTurn(pending: Pending, work: () => Promise<void>): Promise<void> {
		this.pending.push(pending);
		const run = this.queue.then(async () => {
			try {
				if (pending.fate === "open") await work();
			} finally {
				this.pending.splice(this.pending.indexOf(pending), 1);
			}
			if (pending.fate === "givenUp") throw new Error("given up for a newer one");
		});
		this.queue = run.catch(() => undefined);
		return run;
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		return this.operate(() => {
			const { disk } = this;
			if (!isReader) {
				this.epoch = ++disk.epoch;
				this.former = Math.max(
					0,
					...disk.segments.keys(),
					...(disk.manifest?.incr ?? []).map(({ id }) => id),
				);
			}
			return { epoch: disk.epoch, manifest: structuredClone(disk.manifest) };
		});
	}

	private check(segment: number): void {
		const { disk } = this;
		this.own();
		if (!disk.options.isStrict) return;
		if (segment <= this.former) throw formerSegment(segment);
		if (!disk.manifest?.incr.some(({ id }) => id === segment)) throw missing(`segment ${segment}`);
	}

	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		const { disk } = this;
		const pending: Pending = { append: { segment, bytes }, fate: "open" };
		const tear = () => {
			if (pending.fate !== "open") return;
			this.check(segment);
			if (bytes.length > 0) disk.append(segment, bytes, false, disk.rng.below(bytes.length));
		};
		return this.inTurn(pending, () =>
			this.operate(() => {
				if (pending.fate !== "open") return;
				try {
					this.check(segment);
					if (this.fails()) {
						if (disk.rng.chance(0.5)) tear();
						throw new Error("disk full");
					}
				} catch (error) {
					pending.fate = "failed";
					this.incomplete.add(segment);
					throw error;
				}
				disk.append(segment, bytes, isDurable);
				pending.fate = "done";
			}, tear),
		);
	}

	appendNow(segment: number, bytes: Uint8Array): Promise<void> {
		if (this.isDead) return never();
		if (this.incomplete.has(segment)) return Promise.reject(new Error("an append has failed"));
		for (const one of this.pending) {
			if (!one.append || one.fate !== "open") continue;
			this.disk.append(one.append.segment, one.append.bytes, true);
			one.fate = "done";
		}
		this.disk.append(segment, bytes, true);
		return this.operate(() => undefined);
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		await this.operate(() => {
			if (this.fails()) throw new Error("disk full");
			this.disk.put(name, bytes);
		});
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		const { disk } = this;
		const pending: Pending = { append: undefined, fate: "open" };
		return this.inTurn(pending, () =>
			this.operate(() => {
				if (pending.fate !== "open") return;
				this.own();
				if (disk.options.isStrict && !disk.manifest && !standsAlone(manifest, needs)) {
					throw missing("the manifest");
				}
				for (const name of needs) {
					if (disk.options.isStrict && !disk.objects.has(name)) throw missing(name);
				}
				const fails = this.fails();
				if (!fails || disk.rng.chance(0.5)) disk.commit(manifest, needs);
				if (fails) throw new Error("lost connection");
				pending.fate = "done";
			}),
		);
	}

	replace(
		manifest: Manifest,
		objects: ReadonlyMap<string, Uint8Array>,
		old: readonly string[],
	): Promise<void> {
		if (this.isDead) return never();
		for (const one of this.pending) if (one.fate === "open") one.fate = "givenUp";
		for (const [name, bytes] of objects) this.disk.put(name, bytes);
		this.disk.commit(manifest, [...objects.keys()]);
		for (const name of old) this.disk.remove(name);
		return this.operate(() => undefined);
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		return this.operate(() =>
			typeof name === "number" ? this.disk.read(name) : (this.disk.objects.get(name)?.slice() ?? null),
		);
	}

	async list(): Promise<(string | number)[]> {
		return this.operate(() => [...this.disk.objects.keys(), ...this.disk.segments.keys()]);
	}

	async remove(names: readonly (string | number)[]): Promise<void> {
		for (const name of names) await this.operate(() => this.disk.remove(name));
	}

	async close(): Promise<void> {
		if (this.isDead) return never();
		this.epoch = -1;
	}
}
