/**
 * Storage in IndexedDB. One database a name, three stores: `meta` (epoch and manifest), `objects` (chunks by name),
 * `log` (records by segment and number). The epoch is checked within the transaction that writes, so a former owner can
 * never write over its successor. The version of the database stays 1 for good: raising it would lock other tabs out.
 */

import { RedstartError } from "../errors.ts";
import { fenced, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

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

/** How often a transaction is tried anew after its connection was taken away, with pauses that double. */
const ATTEMPTS = 8;
const FIRST_PAUSE_ms = 5;

export class IndexedDbStorage implements Storage {
	readonly chunkLimit_bytes = 1 << 20;
	readonly hasAof = true;
	private readonly name: string;
	private database: Promise<IDBDatabase> | undefined;
	/** The same, where it must not be waited for. */
	private connection: IDBDatabase | undefined;
	private epoch = -1;
	private readonly owner = Math.random().toString(36).slice(2);
	private readonly running = new Set<Running>();
	/** The next record of each segment this owner appends to. */
	private readonly nextRecord = new Map<number, number>();

	constructor(name: string) {
		this.name = name;
	}

	/** Whether this host has IndexedDB. Private windows of some browsers have it and refuse to open it. */
	static get isAvailable(): boolean {
		return typeof indexedDB !== "undefined";
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
		let database = connection;
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
		work: (transaction: IDBTransaction, meta: Meta, refuse: (error: unknown) => void) => void,
	): Promise<void> {
		if (this.epoch < 0) throw readOnly();
		await this.transact<void>(["meta", ...stores], durability, (transaction, _, refuse) => {
			const request = transaction.objectStore("meta").get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				// Site data that was cleared under us belongs to nobody: the next base makes it whole again.
				const meta = request.result ?? this.meta(null);
				if (meta.epoch === this.epoch && meta.owner === this.owner) work(transaction, meta, refuse);
				else refuse(fenced());
			};
		});
	}

	private meta(manifest: Manifest | null): Meta {
		return { epoch: this.epoch, owner: this.owner, manifest };
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		const meta = await this.transact<Meta>("meta", isReader ? null : "strict", (transaction, result) => {
			const store = transaction.objectStore("meta");
			const request = store.get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				const before = request.result ?? { epoch: 0, manifest: null };
				const after = isReader ? before : { ...before, epoch: before.epoch + 1, owner: this.owner };
				if (!isReader) store.put(after, "meta");
				result(after);
			};
		});
		if (!isReader) this.epoch = meta.epoch;
		return meta;
	}

	async append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		const record = this.nextRecord.get(segment) ?? 0;
		this.nextRecord.set(segment, record + 1);
		await this.owning(["log"], isDurable ? "strict" : "relaxed", (transaction) => {
			transaction.objectStore("log").put(bytes, [segment, record]);
		});
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		await this.transact<void>("objects", "relaxed", (transaction) => {
			transaction.objectStore("objects").put(bytes, name);
		});
	}

	async commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		await this.owning(["objects"], "strict", (transaction, meta, refuse) => {
			const objects = transaction.objectStore("objects");
			for (const name of needs) {
				const request = objects.getKey(name);
				request.onsuccess = () => {
					if (request.result === undefined) refuse(missing(name));
				};
			}
			transaction.objectStore("meta").put({ ...meta, manifest }, "meta");
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
			for (const [name, bytes] of objects) store.put(bytes, name);
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
			});
		}
		const records = await this.transact<Uint8Array[]>("log", null, (transaction, result) => {
			const request = transaction.objectStore("log").getAll(segmentRange(name));
			request.onsuccess = () => result(request.result as Uint8Array[]);
		});
		if (records.length === 0) return null;
		return new Uint8Array(await new Blob(records as BlobPart[]).arrayBuffer());
	}

	async list(): Promise<(string | number)[]> {
		const keys = await this.transact<{ objects: IDBValidKey[]; log: IDBValidKey[] }>(
			["objects", "log"],
			null,
			(transaction, result) => {
				const objects = transaction.objectStore("objects").getAllKeys();
				const log = transaction.objectStore("log").getAllKeys();
				log.onsuccess = () => result({ objects: objects.result, log: log.result });
			},
		);
		const segments = new Set(keys.log.map((key) => (key as [number, number])[0]));
		return [...(keys.objects as string[]), ...segments];
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
		this.epoch = -1;
		const database = await this.database?.catch(() => undefined);
		this.database = this.connection = undefined;
		database?.close();
	}
}

function segmentRange(segment: number): IDBKeyRange {
	return IDBKeyRange.bound([segment], [segment, []]);
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

/** A full disk in words; anything else as it is. */
function translate(error: unknown): unknown {
	if (!error) return new RedstartError("storage", "the browser took the connection away");
	if ((error as Error).name !== "QuotaExceededError") return error;
	return new RedstartError("storage", "the browser gives this site no more storage", error);
}
