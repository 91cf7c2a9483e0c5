/**
 * Where the packages run: a fresh database behind a TCP socket, or the same without one. With `REDIS_AT=host:port` both are
 * that server instead, emptied before each use: what passes here must pass on redis-server, too.
 */

import { Redis, type RedisOptions } from "ioredis";
import { onTestFinished } from "vitest";
import { connectorFor } from "../../js/serve/ioredis.ts";
import { serve } from "../../js/serve/serve.ts";
import { open } from "../js/open.ts";

const [host = "", port = ""] = (process.env.REDIS_AT ?? "").split(":");

/** Whether the tests run on redis-server itself. */
export const isRedisServer = host !== "";

export interface Place {
	/** What leads an ioredis client there; BullMQ insists on the second. */
	readonly options: RedisOptions & { maxRetriesPerRequest: null };
	/** A new client of a database number, closed when the test ends. */
	client(db?: number): Redis;
}

/** Work that tests leave for their end runs in the order it was asked for, clients before databases. */
export function atEnd(work: () => unknown): void {
	onTestFinished(async () => {
		await work();
	});
}

function place(connection: RedisOptions): Place {
	const options = { ...connection, maxRetriesPerRequest: null };
	const client = (db = 0) => {
		const redis = new Redis({ ...options, db });
		atEnd(() => redis.disconnect());
		return redis;
	};
	return { options, client };
}

async function emptied(): Promise<Place> {
	const server = place({ host, port: Number(port) });
	await server.client().flushall();
	return server;
}

export async function overTcp(): Promise<Place> {
	if (isRedisServer) return emptied();
	const db = await open();
	const server = await serve(db);
	atEnd(() => server.close());
	return place({ host: server.host, port: server.port });
}

export async function inProcess(): Promise<Place> {
	return isRedisServer ? emptied() : place({ Connector: connectorFor(await open()) });
}

export const PLACES: readonly [string, () => Promise<Place>][] = [
	["over TCP", overTcp],
	["in process", inProcess],
];

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
