/** What the tests use of packages without declarations. */

declare module "redlock" {
	import type { Redis } from "ioredis";
	export interface Lock {
		readonly value: string;
		readonly expiration: number;
		extend(duration_ms: number): Promise<Lock>;
		unlock(): Promise<void>;
	}
	export default class Redlock {
		static readonly LockError: new (
			...args: unknown[]
		) => Error;
		constructor(clients: readonly Redis[], options?: { retryCount?: number; retryDelay?: number });
		lock(resource: string | string[], duration_ms: number): Promise<Lock>;
	}
}
