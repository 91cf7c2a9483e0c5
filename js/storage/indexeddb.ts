/**
 * Storage in IndexedDB. One database a name, three stores: `meta` (epoch and manifest), `objects` (chunks by name),
 * `log` (records by segment and number). The epoch is checked within the transaction that writes, so a former owner can
 * never write over its successor. The version of the database stays 1 for good: raising it would lock other tabs out.
 */

import { RedstartError } from "../errors.ts";
import { type Append, concatenated, owned, recordsOf, type Settle, WriteQueue } from "./queue.ts";
import { fenced, formerSegment, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

interface Meta {
	epoch: number;
	/** Epochs begin anew when site data was cleared; this tells apart who has the same one. */
	owner?: string;
	manifest: Manifest | null;
}

/** A transaction under way. */
interface Running {
	readonly database: IDBDatabase;
	readonly isWriting: boolean;
	/** Gives it up, for whoever waits for it at once. */
	fail(error: unknown): void;
}

const PREFIX = "redstart:";
const STORES = ["meta", "objects", "log"] as const;
type Store = (typeof STORES)[number];
type Durability = "relaxed" | "strict";
type Work<T> = (
	transaction: IDBTransaction,
	result: (value: T) => void,
	refuse: (error: unknown) => void,
) => void;

/**
 * A record is at most this long. Chromium keeps values from 64 KiB on in files of their own, which it does not sync, not even
 * for a strict transaction: after a power cut they were empty.
 */
const RECORD_LIMIT_BYTES = 60_000;
/** Records are read in groups of about this length, because what a browser hands over at once has a limit. */
const READ_BYTES = 16 << 20;

/** How often a transaction is tried anew after its connection was taken away, with pauses that double. */
const ATTEMPTS = 8;
const FIRST_PAUSE_ms = 5;

export class IndexedDbStorage implements Storage {
	readonly chunkLimit_bytes = RECORD_LIMIT_BYTES;
	readonly hasAof = true;
	private readonly name: string;
	private database: Promise<IDBDatabase> | undefined;
	/** The same, where it must not be waited for. */
	private connection: IDBDatabase | undefined;
	private epoch = -1;
	private readonly owner = Math.random().toString(36).slice(2);
	private readonly running = new Set<Running>();
	private readonly queue = new WriteQueue((appends, isDurable) => this.write(appends, isDurable));
	/** The next record of each segment this owner appends to. */
	private readonly nextRecord = new Map<number, number>();
	/** Segments that may have records beyond the next: of appends that failed without a word whether they are stored. */
	private readonly unsure = new Set<number>();
	/** The last segment of former owners. */
	private lastFormer = -1;
	/** Gives up the appends under way. */
	private giveUp: (() => void) | undefined;

	constructor(name: string) {
		this.name = name;
	}

	/** Whether this host has IndexedDB. Private windows of some browsers have it and refuse to open it. */
	static get isAvailable(): boolean {
		return typeof indexedDB !== "undefined";
	}

	/** Opens it. Throws a RedstartError of kind `storage` where that cannot be. */
	async reach(): Promise<void> {
		await this.open();
	}

	/** The connection; a new one when the browser took the last away. */
	private open(): Promise<IDBDatabase> {
		this.database ??= new Promise<IDBDatabase>((resolve, reject) => {
			const request = indexedDB.open(PREFIX + this.name, 1);
			request.onupgradeneeded = () => {
				for (const store of STORES) request.result.createObjectStore(store);
			};
			request.onerror = () => reject(request.error);
			request.onsuccess = () => {
				const database = request.result;
				this.connection = database;
				database.onclose = () => {
					this.leave(database);
					// Chromium does not always say that it aborted these.
					for (const one of this.running) if (one.database === database) one.fail(null);
				};
				database.onversionchange = () => this.leave(database);
				resolve(database);
			};
		}).catch((cause) => {
			this.database = undefined;
			throw new RedstartError("storage", `IndexedDB cannot be opened: ${cause?.message ?? cause}`, cause);
		});
		return this.database;
	}

	/** The next transaction opens another; by now there may be one. */
	private leave(database: IDBDatabase): void {
		if (this.connection === database) this.database = this.connection = undefined;
		database.close();
	}

	/**
	 * One transaction; resolves once it is complete with what `work` gave to `result`. When the browser takes the
	 * connection away, as it does when site data is cleared, the transaction runs anew on another: it may, because
	 * nothing remains of one that is unfinished, and doing it twice does no more than once. `connection` is one to begin
	 * with, before this returns.
	 */
	private async transact<T>(
		stores: Store | Store[],
		durability: Durability | null,
		work: Work<T>,
		connection?: IDBDatabase,
	): Promise<T> {
		let database = connection ?? this.connection;
		for (let attempt = 1; ; attempt++) {
			try {
				database ??= await this.open();
				return await this.runIn(database, stores, durability, work);
			} catch (error) {
				if (attempt === ATTEMPTS || !isConnectionLost(error)) throw translate(error);
				// It may have said so by this error alone.
				if (database) this.leave(database);
				database = undefined;
				const pause_ms = FIRST_PAUSE_ms * 2 ** (attempt - 1);
				await new Promise((resolve) => setTimeout(resolve, pause_ms));
			}
		}
	}

	private runIn<T>(
		database: IDBDatabase,
		stores: Store | Store[],
		durability: Durability | null,
		work: Work<T>,
	): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			const transaction = durability
				? database.transaction(stores, "readwrite", { durability })
				: database.transaction(stores, "readonly");
			let value: T;
			const fail = (error: unknown) => {
				this.running.delete(running);
				reject(error);
				try {
					transaction.abort();
				} catch {
					// It is over already.
				}
			};
			const running: Running = { database, isWriting: durability !== null, fail };
			this.running.add(running);
			transaction.oncomplete = () => {
				this.running.delete(running);
				resolve(value);
			};
			// A full disk aborts the transaction; only its own error says so.
			transaction.onabort = () => fail(transaction.error);
			const give = (given: T) => {
				value = given;
			};
			try {
				work(transaction, give, fail);
			} catch (error) {
				fail(error);
			}
		});
	}

	/** A transaction of the owner; anybody else's is refused. */
	private async owning(
		stores: Store[],
		durability: Durability,
		work: (transaction: IDBTransaction, meta: Meta | undefined, refuse: (error: unknown) => void) => void,
	): Promise<void> {
		if (this.epoch < 0) throw readOnly();
		await this.transact<void>(["meta", ...stores], durability, (transaction, _, refuse) => {
			const request = transaction.objectStore("meta").get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				// Site data that was cleared under us belongs to nobody: the next base makes it whole again.
				const meta = request.result;
				if (meta && !this.isOwner(meta)) refuse(fenced());
				else work(transaction, meta, refuse);
			};
		});
	}

	private isOwner(meta: Meta): boolean {
		return meta.epoch === this.epoch && meta.owner === this.owner;
	}

	private meta(manifest: Manifest | null): Meta {
		return { epoch: this.epoch, owner: this.owner, manifest };
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		let lastFormer = -1;
		const work: Work<Meta> = (transaction, result) => {
			const store = transaction.objectStore("meta");
			const request = store.get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				const before = request.result ?? { epoch: 0, manifest: null };
				const after = isReader ? before : { ...before, epoch: before.epoch + 1, owner: this.owner };
				if (!isReader) store.put(after, "meta");
				result(after);
			};
			const last = transaction.objectStore("log").openKeyCursor(null, "prev");
			last.onsuccess = () => {
				lastFormer = last.result ? segmentOf(last.result.key) : -1;
			};
		};
		const meta = await this.transact<Meta>(["meta", "log"], isReader ? null : "strict", work);
		if (!isReader) {
			this.epoch = meta.epoch;
			this.lastFormer = lastFormer;
			this.nextRecord.clear();
		}
		return meta;
	}

	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		const refusal = this.refusal(segment);
		return refusal ? Promise.reject(refusal) : this.queue.append(segment, bytes, isDurable);
	}

	appendNow(segment: number, bytes: Uint8Array): Promise<void> {
		const refusal = this.refusal(segment);
		if (refusal) return Promise.reject(refusal);
		return this.queue.appendNow(segment, bytes, (appends) => {
			// What is under way would need the page to finish.
			this.giveUp?.();
			const { records, next } = this.recordsOf(appends);
			const work: Work<void> = (transaction) => {
				this.putRecords(transaction, records);
				// Without this the browser would wait for a page that is no more, and then give up.
				transaction.commit();
			};
			return this.settlingOf(this.transact<void>(["meta", "log"], "strict", work), next);
		});
	}

	private refusal(segment: number): RedstartError | undefined {
		if (this.epoch < 0) return readOnly();
		return segment <= this.lastFormer ? formerSegment(segment) : undefined;
	}

	/** Appends in one transaction, which fails as a whole when somebody else owns the database by now. */
	private write(appends: readonly Append[], isDurable: boolean): Promise<Settle> {
		const { records, next } = this.recordsOf(appends);
		let isGivenUp = false;
		let end: ((error: unknown) => void) | undefined;
		this.giveUp = () => {
			isGivenUp = true;
			end?.(givenUp());
		};
		const work: Work<void> = (transaction, _, refuse) => {
			if (isGivenUp) return refuse(givenUp());
			end = refuse;
			// The records are on their way before the answer is there.
			const request = transaction.objectStore("meta").get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				if (!request.result) refuse(missing("the manifest"));
				else if (!this.isOwner(request.result)) refuse(fenced());
			};
			this.putRecords(transaction, records);
		};
		const written = this.transact<void>(["meta", "log"], isDurable ? "strict" : "relaxed", work);
		return this.settlingOf(written, next);
	}

	/** Numbers the records that `appends` become; an append that is sent again has the same numbers. */
	private recordsOf(appends: readonly Append[]) {
		const next = new Map<number, number>();
		const records = recordsOf(appends, RECORD_LIMIT_BYTES).map(({ segment, bytes }) => {
			const record = next.get(segment) ?? this.nextRecord.get(segment) ?? 0;
			next.set(segment, record + 1);
			return { segment, record, bytes };
		});
		return { records, next };
	}

	private putRecords(transaction: IDBTransaction, records: ReturnType<typeof this.recordsOf>["records"]) {
		const log = transaction.objectStore("log");
		for (const segment of this.unsure) {
			log.delete(segmentRange(segment, this.nextRecord.get(segment)));
		}
		for (const { segment, record, bytes } of records) log.put(bytes, [segment, record]);
		// A transaction without a change makes nothing durable.
		if (records.length === 0) transaction.objectStore("meta").put(0, "flushes");
	}

	/** What the end of a write means for the next records. */
	private async settlingOf(written: Promise<void>, next: ReadonlyMap<number, number>): Promise<Settle> {
		try {
			await written;
		} catch (error) {
			return () => {
				for (const segment of next.keys()) this.unsure.add(segment);
				throw error;
			};
		}
		return () => {
			for (const [segment, record] of next) this.nextRecord.set(segment, record);
			this.unsure.clear();
		};
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		await this.transact<void>("objects", "relaxed", (transaction) => {
			transaction.objectStore("objects").put(owned(bytes), name);
		});
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		return this.queue.inTurn(() => this.commitNow(manifest, needs));
	}

	private async commitNow(manifest: Manifest, needs: readonly string[]): Promise<void> {
		await this.owning(["objects"], "strict", (transaction, meta, refuse) => {
			// Only a base that brings everything along stands by itself.
			if (!meta && !isWhole(manifest, needs)) return refuse(missing("the manifest"));
			const objects = transaction.objectStore("objects");
			for (const name of needs) {
				const request = objects.getKey(name);
				request.onsuccess = () => {
					if (request.result === undefined) refuse(missing(name));
				};
			}
			transaction.objectStore("meta").put(this.meta(manifest), "meta");
		});
	}

	replace(
		manifest: Manifest,
		objects: ReadonlyMap<string, Uint8Array>,
		old: readonly string[],
	): Promise<void> {
		if (this.epoch < 0) return Promise.reject(readOnly());
		// What is under way would need the page to finish, and keep this waiting until there is none.
		for (const one of this.running) if (one.isWriting) one.fail(givenUp());
		const work: Work<void> = (transaction) => {
			const store = transaction.objectStore("objects");
			for (const [name, bytes] of objects) store.put(owned(bytes), name);
			for (const name of old) store.delete(name);
			transaction.objectStore("meta").put(this.meta(manifest), "meta");
			// Without this the browser would wait for a page that is no more, and then give up.
			transaction.commit();
		};
		return this.transact<void>(["meta", "objects"], "strict", work, this.connection);
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		if (typeof name === "string") {
			return this.transact<Uint8Array | null>("objects", null, (transaction, result) => {
				const request = transaction.objectStore("objects").get(name);
				request.onsuccess = () => result((request.result as Uint8Array | undefined) ?? null);
			}).then((bytes) => {
				if (bytes && !(bytes instanceof Uint8Array)) throw damaged(name);
				return bytes;
			});
		}
		const records = await this.transact<Uint8Array[]>("log", null, (transaction, result, refuse) => {
			const log = transaction.objectStore("log");
			// A record that is gone from the middle would leave no gap in the bytes.
			const numbers = log.getAllKeys(segmentRange(name));
			numbers.onsuccess = () => {
				if (numbers.result.some((key, i) => (key as number[])[1] !== i)) refuse(damaged(`segment ${name}`));
			};
			const all: Uint8Array[] = [];
			let length_bytes = 0;
			const readOn = (count: number) => {
				const request = log.getAll(segmentRange(name, all.length), count);
				request.onsuccess = () => {
					const some = request.result as Uint8Array[];
					if (!some.every(isRecord)) return refuse(damaged(`segment ${name}`));
					for (const { length } of some) length_bytes += length;
					all.push(...some);
					if (some.length < count) result(all);
					else readOn(Math.min(Math.ceil(READ_BYTES / (length_bytes / all.length + 1)), 4096));
				};
			};
			readOn(READ_BYTES / RECORD_LIMIT_BYTES);
		});
		return records.length === 0 ? null : concatenated(records);
	}

	async list(): Promise<(string | number)[]> {
		return this.transact<(string | number)[]>(["objects", "log"], null, (transaction, result) => {
			const objects = transaction.objectStore("objects").getAllKeys();
			const segments: number[] = [];
			const cursor = transaction.objectStore("log").openKeyCursor();
			cursor.onsuccess = () => {
				const found = cursor.result;
				if (!found) return result([...(objects.result as string[]), ...segments]);
				const segment = segmentOf(found.key);
				segments.push(segment);
				found.continue([segment, []]);
			};
		});
	}

	async remove(names: readonly (string | number)[]): Promise<void> {
		await this.transact<void>(["objects", "log"], "relaxed", (transaction) => {
			for (const name of names) {
				if (typeof name === "string") transaction.objectStore("objects").delete(name);
				else transaction.objectStore("log").delete(segmentRange(name));
			}
		});
	}

	async close(): Promise<void> {
		await this.queue.settled();
		this.epoch = -1;
		const database = await this.database?.catch(() => undefined);
		this.database = this.connection = undefined;
		database?.close();
	}
}

/** Nothing else and nothing less is ever appended. */
function isRecord(value: unknown): value is Uint8Array {
	return value instanceof Uint8Array && value.length > 0;
}

function damaged(name: string): RedstartError {
	return new RedstartError("corrupt", `${name} is damaged: a record of it is gone or none`);
}

/** Everything that a manifest names is among `needs`. */
function isWhole({ base, incr }: Manifest, needs: readonly string[]): boolean {
	return base !== null && incr.length === 0 && needs.length >= base.chunks;
}

/** The records of a segment from one on. */
function segmentRange(segment: number, from = 0): IDBKeyRange {
	return IDBKeyRange.bound([segment, from], [segment, []]);
}

function segmentOf(key: IDBValidKey): number {
	return (key as [number, number])[0];
}

/** The browser, not the transaction, is why it failed: then nothing speaks against another attempt. */
function isConnectionLost(error: unknown): boolean {
	if (!error) return true;
	const { name, cause } = error as Error;
	if (cause) return isConnectionLost(cause);
	return name === "InvalidStateError" || name === "UnknownError" || name === "AbortError";
}

/** The page goes, and what was under way is part of what it leaves behind. */
function givenUp(): RedstartError {
	return new RedstartError("storage", "the write was given up for a newer one");
}

/** What IndexedDB says as an error of this library. */
function translate(error: unknown): unknown {
	if (!error) return new RedstartError("storage", "the browser took the connection away");
	if (error instanceof RedstartError) return error;
	const { name, message } = error as Error;
	const isFull = name === "QuotaExceededError";
	const text = isFull ? "the browser gives this site no more storage" : `IndexedDB failed: ${message}`;
	return new RedstartError("storage", text, error);
}
