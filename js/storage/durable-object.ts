/**
 * Storage in the SQLite database of a Durable Object. Statements take effect at once and in their order, and the output
 * gate keeps every answer of the object back until they are durable: so an append resolves at once, whoever awaits it. Only
 * what is to be durable by itself waits for the disk.
 */

import { RedstartError } from "../errors.ts";
import { type Append, concatenated, recordsOf, WriteQueue } from "./queue.ts";
import { fenced, formerSegment, type Manifest, missing, readOnly, type Storage } from "./storage.ts";

/** What a statement can be given, and what a row has. */
type SqlValue = ArrayBuffer | string | number | null;

/** The part of a Durable Object's storage that is used. */
export interface ObjectStorage {
	readonly sql: {
		exec(
			query: string,
			...bindings: (SqlValue | ArrayBufferView)[]
		): { toArray(): Record<string, SqlValue>[] };
	};
	transactionSync<T>(work: () => T): T;
	sync(): Promise<void>;
}

/** A row may have 2 MB. */
const ROW_LIMIT_BYTES = 1 << 20;
/** The number of a row is that of its segment and, below, that of the record in it: one row written, no second index. */
const RECORDS = 2 ** 32;

const TABLES = `
CREATE TABLE IF NOT EXISTS redstart_meta(id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, manifest TEXT);
CREATE TABLE IF NOT EXISTS redstart_objects(name TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS redstart_log(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
INSERT INTO redstart_meta VALUES(0, 0, NULL) ON CONFLICT DO NOTHING;`;

export class DurableObjectStorage implements Storage {
	readonly chunkLimit_bytes = ROW_LIMIT_BYTES;
	readonly hasAof = true;
	private readonly storage: ObjectStorage;
	private readonly queue = new WriteQueue((appends, isDurable) => this.write(appends, isDurable));
	private epoch = -1;
	/** The next record of each segment this owner appends to. */
	private readonly nextRecord = new Map<number, number>();
	private lastFormer = -1;
	private isPrepared = false;

	/** `storage` is the `ctx.storage` of a class with SQLite (`new_sqlite_classes`). */
	constructor(storage: ObjectStorage) {
		this.storage = storage;
	}

	private rows(query: string, ...bindings: (SqlValue | ArrayBufferView)[]): Record<string, SqlValue>[] {
		return translated(() => {
			if (!this.isPrepared) this.storage.sql.exec(TABLES);
			this.isPrepared = true;
			return this.storage.sql.exec(query, ...bindings).toArray();
		});
	}

	/** All of it or nothing, by the owner only. */
	private owning(work: () => void): void {
		translated(() =>
			this.storage.transactionSync(() => {
				if (this.epoch < 0) throw readOnly();
				const [meta] = this.rows("SELECT epoch FROM redstart_meta");
				if (meta?.epoch !== this.epoch) throw fenced();
				work();
			}),
		);
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		await this.queue.settled();
		if (!isReader) {
			this.rows("UPDATE redstart_meta SET epoch = epoch + 1");
			const [last] = this.rows("SELECT max(id) AS id FROM redstart_log");
			this.lastFormer = Math.floor(Number(last?.id ?? -1) / RECORDS);
			this.nextRecord.clear();
		}
		const [meta] = this.rows("SELECT epoch, manifest FROM redstart_meta");
		const epoch = Number(meta?.epoch);
		if (!isReader) this.epoch = epoch;
		const manifest = meta?.manifest ? (JSON.parse(String(meta.manifest)) as Manifest) : null;
		return { epoch, manifest };
	}

	append(segment: number, bytes: Uint8Array, isDurable: boolean): Promise<void> {
		if (segment <= this.lastFormer && this.epoch >= 0) return Promise.reject(formerSegment(segment));
		return this.queue.append(segment, bytes, isDurable);
	}

	private async write(appends: readonly Append[], isDurable: boolean): Promise<void> {
		const next = new Map<number, number>();
		this.owning(() => {
			for (const { segment, bytes } of recordsOf(appends, ROW_LIMIT_BYTES)) {
				const record = next.get(segment) ?? this.nextRecord.get(segment) ?? 0;
				this.rows("INSERT INTO redstart_log VALUES(?, ?)", segment * RECORDS + record, bytes);
				next.set(segment, record + 1);
			}
		});
		for (const [segment, record] of next) this.nextRecord.set(segment, record);
		if (isDurable) await this.storage.sync();
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		this.rows("INSERT OR REPLACE INTO redstart_objects VALUES(?, ?)", name, bytes);
	}

	commit(manifest: Manifest, needs: readonly string[]): Promise<void> {
		return this.queue.inTurn(async () => {
			this.owning(() => {
				for (const name of needs) {
					const [found] = this.rows("SELECT 1 FROM redstart_objects WHERE name = ?", name);
					if (!found) throw missing(name);
				}
				this.rows("UPDATE redstart_meta SET manifest = ?", JSON.stringify(manifest));
			});
			await this.storage.sync();
		});
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		const rows =
			typeof name === "string"
				? this.rows("SELECT bytes FROM redstart_objects WHERE name = ?", name)
				: this.rows("SELECT bytes FROM redstart_log WHERE id >= ? AND id < ? ORDER BY id", ...rangeOf(name));
		if (rows.length === 0) return null;
		return concatenated(rows.map(({ bytes }) => new Uint8Array(bytes as ArrayBuffer)));
	}

	async list(): Promise<(string | number)[]> {
		const names: (string | number)[] = [];
		for (const { name } of this.rows("SELECT name FROM redstart_objects")) names.push(name as string);
		for (let from = 0; ; ) {
			const [found] = this.rows("SELECT min(id) AS id FROM redstart_log WHERE id >= ?", from);
			if (typeof found?.id !== "number") return names;
			const segment = Math.floor(found.id / RECORDS);
			names.push(segment);
			from = (segment + 1) * RECORDS;
		}
	}

	async remove(names: readonly (string | number)[]): Promise<void> {
		for (const name of names) {
			if (typeof name === "string") this.rows("DELETE FROM redstart_objects WHERE name = ?", name);
			else this.rows("DELETE FROM redstart_log WHERE id >= ? AND id < ?", ...rangeOf(name));
		}
	}

	async close(): Promise<void> {
		await this.queue.settled();
		this.epoch = -1;
	}
}

/** The numbers of the rows of a segment. */
function rangeOf(segment: number): [number, number] {
	return [segment * RECORDS, (segment + 1) * RECORDS];
}

function translated<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (error instanceof RedstartError) throw error;
		const text = `the Durable Object's storage failed: ${(error as Error).message}`;
		throw new RedstartError("storage", text, error);
	}
}
