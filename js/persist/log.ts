/**
 * The append-only file as it grows. What commands write piles up in the engine; it is taken as one batch and appended,
 * and whatever piles up meanwhile goes with the next one: one append at a time, however many commands.
 *
 *     engine --take--> queue --> batch under way --> segment (the tail)
 *        |                                             |
 *        `-- waits: coming                            `-- waits: batch.done
 *
 * - Batches are stored in the order they were taken; each is in exactly one segment, within the length by which that
 *   segment is sealed. Sealing and naming the next segment is one commit, before the first append to it.
 * - Only a segment that this owner began, and in which no append has failed, is the open tail. After a failure the
 *   segment is sealed by what is known to be in it, and the batch goes to a new one: never twice, never behind a tear.
 * - Each segment selects its database itself, as redis-server reads them.
 * - `isBroken`: the segments in storage do not lead to the dataset as it is (changes were dropped, or made outside of
 *   the log). Then nothing is appended until a new base is committed.
 * - Who waits in {@link Log.stored} is told once everything recorded before is in storage, or that it is not.
 */

import { RedstartError } from "../errors.ts";
import { isFenced, type Segment } from "../storage/storage.ts";
import { Deferred, type Fsync, type Host, type Persisted } from "./host.ts";
import type { Ledger } from "./ledger.ts";

/** With `everysec`, written bytes survive a power cut after this time. */
const SYNC_PAUSE_MS = 1000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;
/** So many segments behind a base are read at the next open without delay. */
const MANY_SEGMENTS = 24;

const NO_BYTES = new Uint8Array(0);

/** Where a new base cuts the log: what was recorded before is part of the base. */
export interface Cut {
	/** Segments up to this number are older; undefined until the last of them is complete. */
	last: number | undefined;
	readonly taken_bytes: number;
	/** {@link Log.breaks} at that moment. */
	readonly breaks: number;
	/** Who waits for what was dropped. */
	readonly owed: Deferred[];
}

interface Batch {
	readonly bytes: Uint8Array;
	/** Of all that was taken, up to here. */
	readonly end_bytes: number;
	/** The database selected before it; -1 where it begins with that itself. */
	readonly db: number;
	readonly done: Deferred;
	/** The segment ends behind it. */
	readonly cut: Cut | undefined;
	/** It was handed to storage already, for this segment. */
	handed?: { to: Tail; end: Promise<void> };
}

/** The last segment that counts. */
export interface Tail {
	readonly id: number;
	/** What is known to be in it. */
	length_bytes: number;
}

export interface LogEvents {
	/** Nothing is stored for now, or for good. */
	onFailed(error: RedstartError): void;
	/** Everything is stored again. */
	onRecovered(): void;
	/** A new base is needed, or would be welcome. */
	onBaseWanted(): void;
}

export class Log {
	fsync: Fsync;
	isOn = false;
	/** Why nothing is stored at the moment. */
	failure: RedstartError | undefined;
	private readonly engine: Persisted;
	private readonly ledger: Ledger;
	private readonly events: LogEvents;
	private readonly host: Host;
	private tail: Tail | undefined;
	/** The tail may be appended to. */
	private isOpen = false;
	/** Somebody else owns the storage, or the database is closed. */
	private isOver = false;
	private broken = false;
	/** Counts how often the log broke. */
	private breaks = 0;
	/** What was taken before the engine's present recording began: it counts from there. */
	private origin_bytes = 0;
	/** Bytes taken from the engine, and what became of them. */
	private taken_bytes = 0;
	private written_bytes = 0;
	private durable_bytes = 0;
	private readonly queue: Batch[] = [];
	private flying: Batch | undefined;
	/** Where the segments of this owner begin, among all bytes that were taken. */
	private readonly starts = new Map<number, number>();
	/** Storage has it. */
	private isSent = false;
	/** For what is still in the engine, or was dropped. */
	private coming: Deferred | undefined;
	/** For what was dropped before. */
	private owed: Deferred[] = [];
	/** The end of the run under way. */
	private running: Promise<void> | undefined;
	/** The database selected at the end of what was taken; -1 where the next batch selects one. */
	private db = -1;
	/** What a base holds: batches up to here are not stored any more. */
	private covered_bytes = 0;
	/** Batches up to here are not stored because the file was turned off. */
	private dropped_bytes = 0;
	private failures = 0;
	private retryAt_ms = 0;
	private forgetRetry: (() => void) | undefined;
	private forgetSync: (() => void) | undefined;
	/** When the first of the bytes was written that a power cut would take. */
	private relaxedSince_ms = 0;

	/** `tail` is the last segment of the manifest with how much of it is good. */
	constructor(
		engine: Persisted,
		ledger: Ledger,
		events: LogEvents,
		host: Host,
		fsync: Fsync,
		tail: Tail | undefined,
	) {
		this.engine = engine;
		this.ledger = ledger;
		this.events = events;
		this.host = host;
		this.fsync = fsync;
		this.tail = tail;
	}

	// ---- on and off ----

	/** Records from now on. `isBroken` unless what storage holds leads to the dataset as it is. */
	start(isBroken: boolean): void {
		this.engine.dataset.setAof(true);
		this.origin_bytes = this.taken_bytes;
		this.db = -1;
		this.isOn = true;
		if (isBroken) this.break();
		if (!this.isOver) this.failure = undefined;
		else if (this.failure) this.engine.dataset.aofFailed(this.failure.message);
		this.engine.onAof = () => this.heard();
		this.engine.whenStored = () => this.stored();
	}

	/** Stores what is left, durably, and records no more. False when that could not be done: only a base can hold it now. */
	async stop(): Promise<boolean> {
		if (!this.isOn) return true;
		let isStored = !this.broken;
		try {
			// What is written meanwhile belongs to the file as well. Nobody makes it durable later.
			while (!this.broken && !(this.isAtRest && this.isDurable)) await this.drained();
		} catch {
			isStored = false;
		}
		isStored &&= !this.broken;
		const error = turnedOff();
		this.leave(error);
		// The next base holds what could not be stored.
		for (const { done } of this.queue.splice(0)) done.reject(error);
		this.dropped_bytes = this.taken_bytes;
		this.isOpen = false;
		this.broken = false;
		this.engine.dataset.setAof(false);
		return isStored;
	}

	/** The engine is gone: what was taken from it is stored, what was not is lost. Resolves when storage is at rest. */
	async abandon(error: RedstartError): Promise<void> {
		this.leave(error);
		await this.run();
	}

	private leave(error: RedstartError): void {
		this.isOn = false;
		this.engine.onAof = undefined;
		this.engine.whenStored = undefined;
		this.forgetRetry?.();
		this.forgetSync?.();
		for (const one of this.waiters()) one.reject(error);
	}

	/** Nobody is waited for any more: those who wait for what is not under way. */
	private *waiters(): Generator<Deferred> {
		yield* this.owed.splice(0);
		if (this.coming) yield this.coming;
		this.coming = undefined;
	}

	// ---- recording ----

	/** Whether a new base must be committed before anything is stored. */
	get isBroken(): boolean {
		return this.broken;
	}

	/** Changes came about outside of the log, or are not to be had any more. */
	break(): void {
		this.breaks++;
		this.broken = true;
		this.isOpen = false;
		for (const { done } of this.queue.splice(0)) this.owed.push(done);
	}

	/** Nothing waits to be stored. */
	get isAtRest(): boolean {
		return !this.broken && !this.running && this.queue.length === 0 && !this.engine.hasAof;
	}

	/** The last segment that counts. */
	get tailAt(): Readonly<Tail> | undefined {
		return this.tail;
	}

	/** What to wait for so that everything done by now is stored; undefined when it is. */
	stored(): Promise<void> | undefined {
		if (this.failure) {
			if (!this.isOver && this.host.now_ms() >= this.retryAt_ms) this.retry();
			return undefined;
		}
		if (this.engine.hasAof || this.broken) {
			this.coming ??= new Deferred();
			return this.coming.promise;
		}
		return (this.queue.at(-1) ?? this.flying)?.done.promise;
	}

	private heard(): void {
		if (this.engine.isBusy) {
			// Half of what a script does is not to be stored.
			void this.engine.whenIdle().then(() => this.isOn && this.heard());
		} else if (this.engine.aofPending > this.host.pileLimit_bytes && this.isStuck) this.overflow();
		else if (!this.failure) void this.run();
	}

	private get isStuck(): boolean {
		return this.running !== undefined || this.broken || this.failure !== undefined;
	}

	/** Storage does not keep up. */
	private overflow(): void {
		this.taken_bytes += this.engine.dataset.takeAof().length;
		this.db = this.engine.dataset.aofDb();
		this.break();
		this.events.onBaseWanted();
	}

	private take(cut?: Cut): Batch {
		const bytes = this.engine.dataset.takeAof().slice();
		this.taken_bytes += bytes.length;
		const { db } = this;
		this.db = cut ? -1 : this.engine.dataset.aofDb();
		const done = this.coming ?? new Deferred();
		this.coming = undefined;
		return { bytes, end_bytes: this.taken_bytes, db, done, cut };
	}

	/** There is something in the engine that can be taken. */
	private get isLoaded(): boolean {
		return this.isOn && this.engine.hasAof && !this.engine.isBusy;
	}

	private get hasWork(): boolean {
		return !this.broken && !this.isOver && (this.queue.length > 0 || this.isLoaded);
	}

	/** Stores batch after batch until there is none. Does not reject. */
	private run(): Promise<void> {
		this.running ??= this.runNow().finally(() => {
			this.running = undefined;
			// Whoever came in the meantime saw it running.
			if (this.hasWork && !this.failure) void this.run();
		});
		return this.running;
	}

	private async runNow(): Promise<void> {
		const { replacements } = this.ledger;
		try {
			while (this.hasWork) {
				const batch = this.queue.shift() ?? this.take();
				this.flying = batch;
				this.isSent = false;
				const isStored = await this.ledger.alone(() => this.store(batch));
				this.flying = undefined;
				if (isStored) this.landed(batch);
				else batch.done.reject(turnedOff());
			}
		} catch (error) {
			const { flying } = this;
			this.flying = undefined;
			if (flying) this.queue.unshift(flying);
			// What was given up for a newer write has not failed.
			if (this.ledger.replacements !== replacements) this.failures--;
			this.failed(error);
		}
	}

	/** Within {@link Ledger.alone}: whether the batch is in storage now. */
	private async store(batch: Batch): Promise<boolean> {
		const { cut, handed, end_bytes } = batch;
		let { bytes } = batch;
		const isCovered = bytes.length === 0 || end_bytes <= this.covered_bytes;
		const isDropped = end_bytes <= this.dropped_bytes;
		if (!isCovered && !isDropped) {
			if (!this.isOpen) {
				await this.begin(end_bytes - bytes.length);
				bytes = selecting(batch.db, bytes);
			}
			const tail = this.tail as Tail;
			if (handed && handed.to === tail) {
				await handed.end;
				this.wrote(end_bytes, true);
			} else {
				const isDurable = this.isSyncDue();
				this.ledger.check();
				this.isSent = true;
				await this.ledger.storage.append(tail.id, bytes, isDurable);
				this.wrote(end_bytes, isDurable);
			}
			tail.length_bytes += bytes.length;
		}
		if (cut && cut.last === undefined) this.complete(cut);
		return isCovered || !isDropped;
	}

	private landed(batch: Batch): void {
		this.failures = 0;
		this.tell();
		batch.done.resolve();
	}

	/** Tells the engine how far storage is, and everybody when that is good news. */
	private tell(): void {
		const { failure } = this;
		if (failure && this.broken) return;
		this.failure = undefined;
		const { origin_bytes, written_bytes, durable_bytes } = this;
		if (this.isOn && written_bytes >= origin_bytes) {
			const durable = Math.max(durable_bytes, origin_bytes) - origin_bytes;
			this.engine.dataset.aofStored(written_bytes - origin_bytes, durable);
		}
		if (failure) this.events.onRecovered();
	}

	// ---- segments ----

	/** The segments of the manifest, each with its length. */
	private sealed(): Segment[] {
		const { tail } = this;
		const all = this.ledger.manifest.incr.map((segment) =>
			segment.id === tail?.id ? { id: segment.id, length_bytes: tail.length_bytes } : segment,
		);
		return all.filter(({ length_bytes }) => length_bytes !== 0);
	}

	/** Seals the segments there are and begins the next. */
	private async begin(start_bytes: number): Promise<void> {
		const { ledger } = this;
		const id = await ledger.nextSegment();
		const incr = [...this.sealed(), { id }];
		await ledger.commit({ ...ledger.manifest, incr });
		// A commit makes everything before it durable.
		this.wrote(this.written_bytes, true);
		this.tail = { id, length_bytes: 0 };
		this.starts.set(id, start_bytes);
		this.isOpen = true;
		if (incr.length > MANY_SEGMENTS) void Promise.resolve().then(() => this.events.onBaseWanted());
	}

	/** The segment that ends with a cut is complete. */
	private complete(cut: Cut): void {
		cut.last = this.ledger.highest;
		// What begins behind the cut may go on.
		if ((this.starts.get(this.tail?.id ?? -1) ?? -1) < cut.taken_bytes) this.isOpen = false;
	}

	// ---- durability ----

	/** What is written survives a power cut. */
	private get isDurable(): boolean {
		return this.durable_bytes === this.written_bytes || !this.tail;
	}

	/** Whether the next append is to be durable. */
	private isSyncDue(): boolean {
		if (this.fsync !== "everysec") return this.fsync === "always";
		return this.forgetSync !== undefined && this.host.now_ms() - this.relaxedSince_ms >= SYNC_PAUSE_MS;
	}

	/** Everything up to there is in storage. */
	private wrote(end_bytes: number, isDurable: boolean): void {
		this.written_bytes = Math.max(this.written_bytes, end_bytes);
		if (isDurable) this.durable_bytes = Math.max(this.durable_bytes, end_bytes);
		if (this.durable_bytes === this.written_bytes) {
			this.forgetSync?.();
			this.forgetSync = undefined;
		} else if (this.fsync === "everysec" && !this.forgetSync) {
			this.relaxedSince_ms = this.host.now_ms();
			this.forgetSync = this.host.later(SYNC_PAUSE_MS, () => this.syncSoon());
		}
	}

	private syncSoon(): void {
		this.sync().catch((error) => this.failed(error));
	}

	/** Makes what is written durable. */
	async sync(): Promise<void> {
		await this.ledger.alone(async () => {
			const { written_bytes, tail } = this;
			if (this.isDurable || !tail) return;
			this.ledger.check();
			if (this.isOpen) await this.ledger.storage.append(tail.id, NO_BYTES, true);
			else await this.ledger.commit({ ...this.ledger.manifest, incr: this.sealed() });
			this.wrote(written_bytes, true);
		});
		this.failures = 0;
		this.tell();
	}

	/** Resolves when everything done by now is stored and survives a power cut. */
	async drained(): Promise<void> {
		if (this.engine.isBusy) await this.engine.whenIdle();
		while (this.hasWork || this.running) {
			await this.run();
			if (this.failure) throw this.failure;
		}
		if (this.isOver || this.broken)
			throw this.failure ?? new RedstartError("storage", "a new base is needed first");
		await this.sync();
	}

	/** Hands what is not stored yet to storage before it returns, if storage can do that; else false. */
	handOver(): boolean {
		const { tail, queue } = this;
		const { storage } = this.ledger;
		if (!storage.appendNow || !tail || !this.isOpen || this.broken || this.failure) return false;
		// Behind a cut begins another segment, which nobody has named yet.
		if (this.flying?.cut || queue.length > 0 || this.engine.isBusy) return false;
		// What is under way must come first.
		if (this.flying && !this.isSent) return false;
		if (!this.engine.hasAof && !this.flying) return true;
		const batch = this.take();
		const end = storage.appendNow(tail.id, batch.bytes);
		end.catch(() => undefined);
		queue.push({ ...batch, handed: { to: tail, end } });
		void this.run();
		return true;
	}

	// ---- failures ----

	private failed(cause: unknown): void {
		const error = asStorageError(cause);
		this.isOpen = false;
		if (isFenced(error)) {
			this.isOver = true;
			this.refuse(error);
		} else if (error.kind === "corrupt") {
			// What was stored is gone.
			this.break();
			this.events.onBaseWanted();
		} else if (++this.failures > 1) {
			this.refuse(error);
			this.planRetry();
		} else if (!this.hasWork) this.syncSoon();
		// The first time a new segment is tried at once: `run` goes on.
	}

	/** Says that nothing is stored: the engine refuses writes, and who waits is told. */
	private refuse(error: RedstartError): void {
		const isNews = this.failure === undefined;
		this.failure = error;
		for (const { done } of this.queue) done.reject(error);
		for (const one of this.waiters()) one.reject(error);
		if (this.isOn) this.engine.dataset.aofFailed(error.message);
		if (isNews || this.isOver) this.events.onFailed(error);
	}

	private planRetry(): void {
		const wait_ms = Math.min(FIRST_RETRY_MS * 2 ** (this.failures - 1), LONGEST_RETRY_MS);
		this.retryAt_ms = this.host.now_ms() + wait_ms;
		this.forgetRetry?.();
		this.forgetRetry = this.host.later(wait_ms, () => this.retry());
	}

	private retry(): void {
		if (!this.isOn) return;
		this.retryAt_ms = Number.POSITIVE_INFINITY;
		if (this.broken) this.events.onBaseWanted();
		else if (this.hasWork) void this.run();
		else this.syncSoon();
	}

	// ---- bases ----

	/** Call it in the same turn as the engine's begin of a rewrite. */
	cut(): Cut {
		const owed = this.broken ? [...this.waiters()] : [];
		const cut: Cut = { last: undefined, taken_bytes: 0, breaks: this.breaks, owed };
		const batch = this.take(cut);
		Object.assign(cut, { taken_bytes: this.taken_bytes });
		if (this.broken) cut.owed.push(batch.done);
		else {
			this.queue.push(batch);
			if (!this.failure) void this.run();
		}
		return cut;
	}

	/** Within {@link Ledger.alone}: the segments behind a cut. */
	since(cut: Cut): Segment[] {
		if (cut.last === undefined) this.complete(cut);
		return this.ledger.manifest.incr.filter(({ id }) => (this.starts.get(id) ?? -1) >= cut.taken_bytes);
	}

	/** Within {@link Ledger.alone}: the base that begins with the cut was committed. */
	based(cut: Cut): void {
		// What is not stored by now is part of the base.
		this.covered_bytes = cut.taken_bytes;
		this.wrote(Math.max(cut.taken_bytes, this.written_bytes), true);
		for (const one of cut.owed) one.resolve();
		if (!this.isOn || this.isOver) return;
		if (cut.breaks === this.breaks) this.broken = false;
		if (this.broken) {
			this.events.onBaseWanted();
			return;
		}
		if (!this.engine.hasAof) {
			this.coming?.resolve();
			this.coming = undefined;
		}
		this.failures = 0;
		this.tell();
		void this.run();
	}

	/** There is no base that begins with the cut: for `error`, or not yet. */
	notBased(cut: Cut, error: RedstartError | undefined): void {
		this.owed.unshift(...cut.owed);
		if (!error || !this.isOn || !this.broken) return;
		if (isFenced(error)) this.isOver = true;
		this.failures++;
		this.refuse(error);
		if (!this.isOver) this.planRetry();
	}
}

function turnedOff(): RedstartError {
	return new RedstartError("storage", "the append-only file was turned off before this was stored");
}

/** The bytes with the choice of a database in front. */
function selecting(db: number, bytes: Uint8Array): Uint8Array {
	if (db < 0) return bytes;
	const word = String(db);
	const head = new TextEncoder().encode(`*2\r\n$6\r\nSELECT\r\n$${word.length}\r\n${word}\r\n`);
	const all = new Uint8Array(head.length + bytes.length);
	all.set(head);
	all.set(bytes, head.length);
	return all;
}

export function asStorageError(cause: unknown): RedstartError {
	if (cause instanceof RedstartError) return cause;
	return new RedstartError(
		"storage",
		`storing failed: ${cause instanceof Error ? cause.message : cause}`,
		cause,
	);
}
