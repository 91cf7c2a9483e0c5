/**
 * Storage in a key-value service with whole-value writes, such as Cloudflare KV. There is no compare-and-swap and reads
 * may be a minute old, so there is no fence either: of several owners the last writer wins. Good for a cache, and for
 * nothing that must not be lost.
 */

import { RedstartError } from "../errors.ts";
import { type Manifest, readOnly, type Storage } from "./storage.ts";

/** The part of a KV namespace that is used. */
export interface KeyValue {
	get(key: string, type: "arrayBuffer"): Promise<ArrayBuffer | null>;
	put(key: string, value: ArrayBuffer | ArrayBufferView | string): Promise<void>;
	delete(key: string): Promise<void>;
	list(options: { prefix: string; cursor?: string | null }): Promise<{
		keys: readonly { name: string }[];
		list_complete: boolean;
		cursor?: string;
	}>;
}

/** Cloudflare takes one write a second for a key; chunks have a name of their own each, the manifest has not. */
const PAUSE_ms = 1000;

interface Meta {
	epoch: number;
	manifest: Manifest | null;
}

export class KvStorage implements Storage {
	/** A value may have 25 MiB; a little less leaves room for what the service adds. */
	readonly chunkLimit_bytes = 24 << 20;
	readonly hasAof = false;
	/** Who still sees the last manifest must find its chunks. */
	readonly keepsPrevious = true;
	private readonly kv: KeyValue;
	private readonly prefix: string;
	private readonly pause_ms: number;
	private epoch = -1;
	private committing: Promise<void> = Promise.resolve();
	private notBefore_ms = 0;

	/** `pause_ms` is the least time between two commits. */
	constructor(kv: KeyValue, name = "redstart", pause_ms = PAUSE_ms) {
		this.kv = kv;
		this.pause_ms = pause_ms;
		this.prefix = `${name}/`;
	}

	private async meta(): Promise<Meta> {
		const stored = await this.kv.get(`${this.prefix}meta`, "arrayBuffer");
		if (!stored) return { epoch: 0, manifest: null };
		try {
			return JSON.parse(new TextDecoder().decode(stored)) as Meta;
		} catch (cause) {
			throw new RedstartError("corrupt", "the stored manifest is not JSON", cause);
		}
	}

	async load(isReader = false): Promise<{ epoch: number; manifest: Manifest | null }> {
		const meta = await this.meta();
		// The epoch is claimed by the first commit: writing it now would cost a write for every isolate that only reads.
		if (!isReader) this.epoch = meta.epoch;
		return { epoch: meta.epoch, manifest: meta.manifest };
	}

	async append(): Promise<void> {
		throw new RedstartError("unsupported", "this storage keeps snapshots only");
	}

	async put(name: string, bytes: Uint8Array): Promise<void> {
		await this.kv.put(this.prefix + name, bytes);
	}

	async commit(manifest: Manifest): Promise<void> {
		if (this.epoch < 0) throw readOnly();
		const before = this.committing;
		this.committing = this.commitAfter(before, manifest);
		await this.committing;
	}

	/** One at a time, and not sooner than the service takes it. */
	private async commitAfter(before: Promise<void>, manifest: Manifest): Promise<void> {
		await before.catch(() => undefined);
		const wait_ms = this.notBefore_ms - Date.now();
		if (wait_ms > 0) await new Promise((resolve) => setTimeout(resolve, wait_ms));
		const epoch = this.epoch + 1;
		this.notBefore_ms = Date.now() + this.pause_ms;
		await this.kv.put(`${this.prefix}meta`, JSON.stringify({ epoch, manifest } satisfies Meta));
		this.epoch = epoch;
	}

	async read(name: string | number): Promise<Uint8Array | null> {
		if (typeof name === "number") return null;
		const stored = await this.kv.get(this.prefix + name, "arrayBuffer");
		return stored && new Uint8Array(stored);
	}

	async list(): Promise<string[]> {
		const names: string[] = [];
		let cursor: string | undefined;
		do {
			const page = await this.kv.list({ prefix: this.prefix, cursor });
			for (const { name } of page.keys) names.push(name.slice(this.prefix.length));
			cursor = page.list_complete ? undefined : page.cursor;
		} while (cursor);
		return names.filter((name) => name !== "meta");
	}

	async remove(names: readonly (string | number)[]): Promise<void> {
		await Promise.all(names.map((name) => this.kv.delete(this.prefix + name)));
	}

	async close(): Promise<void> {
		await this.committing.catch(() => undefined);
		this.epoch = -1;
	}
}
