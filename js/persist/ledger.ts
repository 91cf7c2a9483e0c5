/**
 * The manifest: what counts in storage, and who may change it.
 *
 * - `manifest` is what was loaded or committed last. After a commit that was rejected, storage may hold either one. A rejected
 *   base may even be all there is, put where site data was cleared: the next commit looks for what it names.
 * - Appends and commits go through {@link Ledger.alone}, one after another, so that each sees what the last one made.
 * - A number (of a base or a segment) is never used twice: each is above all that the manifest and `list` show. The
 *   manifest remembers the highest, because a power cut may bring back what was removed.
 * - What no manifest names any more is removed only after a commit that came later: only that proves that storage does not
 *   hold a manifest that names it, and that nobody else had taken over when the list was made.
 */

import { RedstartError } from "../errors.ts";
import { type Base, type Manifest, missing, type Segment, type Storage } from "../storage/storage.ts";

type Name = string | number;

const EMPTY: Manifest = { version: 1, replid: "", base: null, incr: [], offset: 0 };

export class Ledger {
	readonly storage: Storage;
	manifest: Manifest;
	/** The highest number that was seen or given out. */
	highest: number;
	private hasListed = false;
	/** Bases whose objects are being put. */
	readonly putting = new Set<string>();
	/** To be removed after the next commit, unless it names them. */
	private readonly doomed = new Set<Name>();
	/** The commit of a base was rejected, and none has succeeded since. */
	private isUnsure = false;
	private last: Promise<unknown> = Promise.resolve();
	private sweeping: Promise<void> = Promise.resolve();

	constructor(storage: Storage, manifest: Manifest | null) {
		this.storage = storage;
		this.manifest = manifest ?? EMPTY;
		const { base, previous, kept = [], incr, keptIncr = [], highest = 0 } = this.manifest;
		const bases = [base, previous, ...kept].map((one) => one?.seq ?? 0);
		this.highest = Math.max(highest, ...bases, ...[...incr, ...keptIncr].map(({ id }) => id));
	}

	/** Runs `work` once all before it has ended. */
	alone<T>(work: () => Promise<T>): Promise<T> {
		const run = this.last.then(work, work);
		this.last = run.catch(() => undefined);
		return run;
	}

	/** A number for a base. Its name has a random part as well, so storage need not be asked what it holds. */
	nextBase(): number {
		return ++this.highest;
	}

	/** A number for a segment. Within {@link alone}. */
	async nextSegment(): Promise<number> {
		if (!this.hasListed) {
			const named = namesOf(this.manifest);
			for (const name of await this.storage.list()) {
				if (typeof name === "number") this.highest = Math.max(this.highest, name);
				if (!named.has(name) && !this.isPutting(name)) this.doomed.add(name);
			}
			this.hasListed = true;
		}
		return ++this.highest;
	}

	private isPutting(name: Name): boolean {
		return [...this.putting].some((base) => String(name).startsWith(`${base}.`));
	}

	/** Within {@link alone}: makes `next` the truth. What it names no more is removed; see {@link swept}. */
	async commit(next: Manifest, needs: readonly string[] = []): Promise<void> {
		const manifest = { ...next, highest: this.highest };
		if (this.isUnsure) await this.lookFor(manifest, needs);
		this.check();
		try {
			await this.storage.commit(manifest, needs);
		} catch (error) {
			this.isUnsure ||= needs.length > 0;
			// It may count all the same; the next commit decides.
			for (const name of namesOf(manifest)) this.doomed.add(name);
			throw error;
		}
		this.accept(manifest);
	}

	/** Throws {@link missing} unless storage has what `manifest` names besides `needs`. */
	private async lookFor({ base, incr }: Manifest, needs: readonly string[]): Promise<void> {
		const names: Name[] = base ? chunkNames(base).filter((name) => !needs.includes(name)) : [];
		for (const { id, length_bytes } of incr) if (length_bytes) names.push(id);
		if (names.length === 0) return;
		const there = new Set(await this.storage.list());
		for (const name of names) if (!there.has(name)) throw missing(String(name));
	}

	/** How often storage was given a manifest out of turn. */
	replacements = 0;
	private handed = 0;

	/**
	 * `manifest` was handed to storage out of turn. What is under way must not come after it: it fails, and is done again,
	 * where that still means something, once `done` was called.
	 */
	replace(manifest: Manifest, handed: Promise<void>, done: () => void): Promise<void> {
		this.replacements++;
		this.handed++;
		return this.alone(async () => {
			try {
				await handed;
				// Where a later one was handed over, that is what counts.
				if (this.handed === 1) this.accept(manifest);
				else for (const name of namesOf(manifest)) this.doomed.add(name);
				done();
			} catch (error) {
				this.isUnsure = true;
				throw error;
			} finally {
				this.handed--;
			}
		});
	}

	/** Within {@link alone}: throws when what is under way was given up. */
	check(): void {
		if (this.handed > 0) throw new RedstartError("storage", "the write was given up for a newer one");
	}

	private accept(manifest: Manifest): void {
		for (const name of this.outdatedBy(manifest)) this.doomed.add(name);
		for (const name of namesOf(manifest)) this.doomed.delete(name);
		this.manifest = manifest;
		this.isUnsure = false;
		if (this.doomed.size > 0) this.sweep([...this.doomed]);
	}

	/** What the present manifest names and another one does not. */
	outdatedBy(manifest: Manifest): Name[] {
		const names = namesOf(manifest);
		return [...namesOf(this.manifest)].filter((name) => !names.has(name));
	}

	/** What stays behind when this fails costs space, nothing else; the next commit tries again. */
	private sweep(names: Name[]): void {
		this.doomed.clear();
		const remove = () =>
			this.storage.remove(names).catch(() => {
				for (const name of names) this.doomed.add(name);
			});
		this.sweeping = this.sweeping.then(remove);
	}

	/** Resolves when what was to be removed is gone. */
	swept(): Promise<void> {
		return this.sweeping;
	}

	/**
	 * Removes objects that no manifest ever named. Those of a commit that was rejected are none of them: they wait for the
	 * next one.
	 */
	async drop(names: readonly string[]): Promise<void> {
		const gone = names.filter((name) => !this.doomed.has(name));
		if (gone.length > 0) await this.storage.remove(gone).catch(() => undefined);
	}

	/** The manifest with another base and the segments behind it. */
	withBase(base: Base, incr: readonly Segment[]): Manifest {
		const before = this.manifest;
		const keeps = this.storage.keepsPrevious ?? false;
		return {
			version: 1,
			replid: before.replid,
			base,
			incr,
			offset: before.offset,
			highest: this.highest,
			...(keeps && before.base ? { previous: before.base } : {}),
			...(before.kept ? { kept: before.kept } : {}),
			...(before.keptIncr ? { keptIncr: before.keptIncr } : {}),
		};
	}
}

/** The objects of a base. */
export function chunkNames(base: Base): string[] {
	return Array.from({ length: base.chunks }, (_, i) => `${base.name}.${i}`);
}

/** Everything a manifest names. */
export function namesOf(manifest: Manifest): Set<Name> {
	const { base, previous, kept = [], incr, keptIncr = [] } = manifest;
	const names = new Set<Name>();
	for (const one of [base, previous, ...kept]) if (one) for (const name of chunkNames(one)) names.add(name);
	for (const { id } of [...incr, ...keptIncr]) names.add(id);
	return names;
}

/** The manifest after all that it names was set aside. */
export function setAside(manifest: Manifest): Manifest {
	const { base, kept = [], incr, keptIncr = [] } = manifest;
	return {
		...manifest,
		base: null,
		incr: [],
		kept: base ? [...kept, base] : kept,
		keptIncr: [...keptIncr, ...incr],
	};
}

export function checkVersion(manifest: Manifest | null): void {
	if (!manifest) return;
	if (manifest.version === 1) {
		if (Array.isArray(manifest.incr) && typeof manifest.base === "object") return;
		throw new RedstartError("corrupt", "the stored manifest cannot be read");
	}
	throw new RedstartError("corrupt", `storage has version ${manifest.version}, which this build cannot read`);
}
