/**
 * Storage in IndexedDB. One database a name, three stores: `meta` (epoch and manifest), `objects` (chunks by name),
 * `log` (records by segment and number). The epoch is checked within the transaction that writes, so a former owner can
 * never write over its successor. The version of the database stays 1 for good: raising it would lock other tabs out.
 */

import { RedstartError } from "../errors.ts";
import { fenced, type Manifest, readOnly, type Storage } from "./storage.ts";

interface Meta {
	epoch: number;
	manifest: Manifest | null;
}

const PREFIX = "redstart:";
const STORES = ["meta", "objects", "log"] as const;
type Store = (typeof STORES)[number];
type Durability = "relaxed" | "strict";

export class IndexedDbStorage implements Storage {
	readonly chunkLimit_bytes = 1 << 20;
	private readonly name: string;
	private database: Promise<IDBDatabase> | undefined;
	/** The same, where it must not be waited for. */
	private connection: IDBDatabase | undefined;
	private epoch = -1;
	/** Transactions that write and are under way. */
	private readonly writing = new Set<IDBTransaction>();
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
				const lost = () => {
					this.database = this.connection = undefined;
				};
				database.onclose = lost;
				database.onversionchange = () => {
					lost();
					database.close();
				};
				resolve(database);
			};
		}).catch((cause) => {
			this.database = undefined;
			throw new RedstartError("storage", `IndexedDB cannot be opened: ${cause?.message ?? cause}`, cause);
		});
		return this.database;
	}

	/**
	 * One transaction; resolves once it is complete with what `work` gave to `result`. A connection that the browser
	 * closed is opened again, once: nothing of an unfinished transaction remains, so it may run anew.
	 */
	private async transact<T>(
		stores: Store | Store[],
		durability: Durability | null,
		work: (transaction: IDBTransaction, result: (value: T) => void) => void,
	): Promise<T> {
		try {
			return await this.transactOnce(stores, durability, work);
		} catch (error) {
			if (!isConnectionLost(error)) throw error;
			this.database = undefined;
			return this.transactOnce(stores, durability, work);
		}
	}

	private async transactOnce<T>(
		stores: Store | Store[],
		durability: Durability | null,
		work: (transaction: IDBTransaction, result: (value: T) => void) => void,
	): Promise<T> {
		const database = await this.open();
		return new Promise<T>((resolve, reject) => {
			const transaction = durability
				? database.transaction(stores, "readwrite", { durability })
				: database.transaction(stores, "readonly");
			let value: T;
			let refusal: unknown;
			if (durability) this.writing.add(transaction);
			transaction.oncomplete = () => {
				this.writing.delete(transaction);
				resolve(value);
			};
			// A full disk aborts the transaction; only its own error says so.
			transaction.onabort = () => {
				this.writing.delete(transaction);
				reject(refusal ?? translate(transaction.error));
			};
			const give = (given: T) => {
				value = given;
			};
			try {
				work(transaction, give);
			} catch (error) {
				refusal = error;
				transaction.abort();
			}
		});
	}

	/** Calls `then` if this is still the owner; otherwise the transaction fails. */
	private own(
		transaction: IDBTransaction,
		refuse: (error: RedstartError) => void,
		then: (meta: Meta) => void,
	): void {
		const request = transaction.objectStore("meta").get("meta") as IDBRequest<Meta | undefined>;
		request.onsuccess = () => {
			// Site data that was cleared under us belongs to nobody: the next base makes it whole again.
			const meta = request.result ?? { epoch: this.epoch, manifest: null };
			if (meta.epoch === this.epoch) then(meta);
			else {
				refuse(fenced());
				transaction.abort();
			}
		};
	}

	private async owning(
		stores: Store[],
		durability: Durability,
		work: (transaction: IDBTransaction, meta: Meta) => void,
	): Promise<void> {
		if (this.epoch < 0) throw readOnly();
		let refusal: RedstartError | undefined;
		const refuse = (error: RedstartError) => {
			refusal = error;
		};
		try {
			await this.transact<void>(["meta", ...stores], durability, (transaction) => {
				this.own(transaction, refuse, (meta) => work(transaction, meta));
			});
		} catch (error) {
			throw refusal ?? error;
		}
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		const meta = await this.transact<Meta>("meta", isReader ? null : "strict", (transaction, result) => {
			const store = transaction.objectStore("meta");
			const request = store.get("meta") as IDBRequest<Meta | undefined>;
			request.onsuccess = () => {
				const before = request.result ?? { epoch: 0, manifest: null };
				const after = isReader ? before : { ...before, epoch: before.epoch + 1 };
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
		let missing: string | undefined;
		try {
			await this.owning(["objects"], "strict", (transaction, meta) => {
				const objects = transaction.objectStore("objects");
				for (const name of needs) {
					const request = objects.getKey(name);
					request.onsuccess = () => {
						if (request.result !== undefined) return;
						missing = name;
						transaction.abort();
					};
				}
				transaction.objectStore("meta").put({ ...meta, manifest }, "meta");
			});
		} catch (error) {
			throw missing === undefined ? error : new RedstartError("storage", `${missing} was never put`);
		}
	}

	replace(
		manifest: Manifest,
		objects: ReadonlyMap<string, Uint8Array>,
		old: readonly string[],
	): Promise<void> {
		return new Promise((resolve, reject) => {
			if (this.epoch < 0 || !this.connection) throw readOnly();
			// What is under way would need the page to finish, and keep this waiting until there is none.
			for (const unfinished of this.writing) unfinished.abort();
			const transaction = this.connection.transaction(["meta", "objects"], "readwrite", {
				durability: "strict",
			});
			transaction.oncomplete = () => resolve();
			transaction.onabort = () => reject(translate(transaction.error));
			const store = transaction.objectStore("objects");
			for (const [name, bytes] of objects) store.put(bytes, name);
			for (const name of old) store.delete(name);
			const meta: Meta = { epoch: this.epoch, manifest };
			transaction.objectStore("meta").put(meta, "meta");
			// Without this the browser would wait for a page that is no more, and then give up.
			transaction.commit();
		});
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

function isConnectionLost(error: unknown): boolean {
	const name = (error as { name?: string } | null)?.name;
	return name === "InvalidStateError" || (name === "UnknownError" && /connection/i.test(String(error)));
}

/** A full disk in words; anything else as it is. */
function translate(error: DOMException | null): unknown {
	if (!error) return new RedstartError("storage", "the write was given up");
	if (error.name !== "QuotaExceededError") return error;
	return new RedstartError("storage", "the browser gives this site no more storage", error);
}
