/**
 * Where the dataset of a URL is kept. Each host registers the schemes it has, so that none carries the storage of another;
 * `memory://` is everywhere.
 */

import type { Arg } from "./boundary.ts";
import { RedstartError } from "./errors.ts";
import type { Storage } from "./storage/storage.ts";

/** What a scheme makes of a name. */
export interface Place {
	readonly storage: Storage;
	/** The Web Lock of whoever owns it, where several may open it. */
	readonly lock?: string;
	/** Directives that suit it; the caller's come after them. */
	readonly config?: Readonly<Record<string, Arg>>;
}

/** Throws a RedstartError of kind `storage` where there is no such storage: the dataset lives in memory then. */
export type Scheme = (name: string) => Place | Promise<Place>;

const schemes = new Map<string, Scheme>();

/** Makes `scheme://name` a URL that `open` takes. */
export function registerScheme(scheme: string, open: Scheme): void {
	schemes.set(scheme, open);
}

export interface Found {
	readonly name: string;
	/** Undefined for memory. */
	readonly place: Place | undefined;
	/** Why it is memory when something else was asked for. */
	readonly problem?: RedstartError;
}

/** What a URL says. */
export async function findPlace(url: string): Promise<Found> {
	const [, scheme = "", name = ""] = /^([a-z]+):\/\/(.*)$/.exec(url) ?? [];
	if (scheme === "memory") return { name, place: undefined };
	const open = schemes.get(scheme);
	if (!open) {
		const known = ["memory://", ...[...schemes.keys()].map((one) => `${one}://name`)].join(" or ");
		throw new RedstartError("unsupported", `no database at "${url}": use ${known}`);
	}
	if (!name) throw new RedstartError("unsupported", `${scheme}:// wants a name: ${scheme}://app`);
	try {
		return { name, place: await open(name) };
	} catch (error) {
		if (!(error instanceof RedstartError) || error.kind !== "storage") throw error;
		return { name, place: undefined, problem: error };
	}
}

/** Whether this host has locks that several tabs share. */
export function hasLocks(): boolean {
	return typeof navigator !== "undefined" && navigator.locks !== undefined;
}

/** The exclusive lock of a name, until what is returned is called; null when it is not to be had. */
export async function takeLock(name: string, options: LockOptions): Promise<(() => void) | null> {
	if (!hasLocks()) return () => undefined;
	return new Promise((resolve, reject) => {
		navigator.locks
			.request(name, options, (lock) => {
				if (!lock) return resolve(null);
				return new Promise<void>((release) => resolve(release));
			})
			.catch(reject);
	});
}
