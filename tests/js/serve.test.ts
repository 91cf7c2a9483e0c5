// The server as clients see it, in this process: `redstart/serve` behind real sockets.

import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Redis from "ioredis";
import { createClient } from "redis";
import { afterEach, describe, expect, it } from "vitest";
import { type Serving, serve } from "../../js/serve/serve.ts";
import { open } from "./open.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
	for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(path?: string): Promise<Serving> {
	const db = await open();
	const server = await serve(db, path === undefined ? {} : { path });
	cleanups.push(async () => {
		await server.close();
		await db.close();
	});
	return server;
}

/** A bare socket: what is written, and everything that came back. */
function raw(port: number): { socket: Socket; text: () => string; until: (wanted: string) => Promise<void> } {
	const socket = connect(port, "127.0.0.1");
	let got = "";
	socket.on("data", (bytes) => {
		got += bytes.toString("latin1");
	});
	socket.on("error", () => {});
	cleanups.push(() => socket.destroy());
	const until = async (wanted: string) => {
		for (let tries = 0; tries < 500 && !got.includes(wanted); tries++) await pause(10);
		expect(got).toContain(wanted);
	};
	return { socket, text: () => got, until };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function ioredis(port: number): Redis {
	const redis = new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: 0 });
	cleanups.push(() => redis.disconnect());
	return redis;
}

describe("clients over TCP", () => {
	it("serves ioredis: commands, bytes, pipelines, transactions", async () => {
		const { port } = await start();
		const redis = ioredis(port);
		expect(await redis.set("k", "v", "EX", 10)).toBe("OK");
		expect(await redis.get("k")).toBe("v");
		const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
		await redis.set("bytes", bytes);
		expect(await redis.getBuffer("bytes")).toEqual(bytes);
		const pipeline = redis.pipeline();
		for (let i = 0; i < 1000; i++) pipeline.incr("n");
		const replies = await pipeline.exec();
		expect(replies?.at(-1)).toEqual([null, 1000]);
		expect(await redis.multi().incr("n").get("k").exec()).toEqual([
			[null, 1001],
			[null, "v"],
		]);
		await expect(redis.call("NOPE")).rejects.toThrow("ERR unknown command 'NOPE'");
	});

	it("serves ioredis: messages to subscribers", async () => {
		const { port } = await start();
		const [publisher, subscriber] = [ioredis(port), ioredis(port)];
		const got: string[] = [];
		subscriber.on("message", (channel, message) => got.push(`${channel}:${message}`));
		subscriber.on("pmessage", (_, channel, message) => got.push(`p ${channel}:${message}`));
		await subscriber.subscribe("news");
		await subscriber.psubscribe("n*");
		expect(await publisher.publish("news", "hi")).toBe(2);
		await expect.poll(() => got).toEqual(["news:hi", "p news:hi"]);
	});

	it("serves node-redis in RESP2 and RESP3", async () => {
		const { port } = await start();
		for (const RESP of [2, 3] as const) {
			const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP });
			await client.connect();
			expect(await client.set("k", "v")).toBe("OK");
			expect(await client.get("k")).toBe("v");
			expect(await client.multi().incr(`n${RESP}`).exec()).toEqual([1]);
			client.destroy();
		}
	});

	it("serves a unix socket", async () => {
		const path = join(tmpdir(), `redstart-${process.pid}.sock`);
		await start(path);
		const redis = new Redis({ path });
		cleanups.push(() => redis.disconnect());
		expect(await redis.ping()).toBe("PONG");
	});

	it("serves two hundred clients at once", async () => {
		const server = await start();
		const clients = Array.from({ length: 200 }, () => ioredis(server.port));
		await Promise.all(clients.map((client, i) => client.set(`k${i}`, `${i}`)));
		const values = await Promise.all(clients.map((client, i) => client.get(`k${199 - i}`)));
		expect(values).toEqual(clients.map((_, i) => `${199 - i}`));
		expect(server.clients).toBe(200);
		for (const client of clients) client.disconnect();
		await expect.poll(() => server.clients).toBe(0);
	});
});

describe("bytes on the wire", () => {
	it("takes a request one byte at a time", async () => {
		const { port } = await start();
		const { socket, until } = raw(port);
		for (const byte of "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nv\r\nx\r\nGET k\r\n") {
			socket.write(byte);
			await new Promise((resolve) => setImmediate(resolve));
		}
		await until("+OK\r\n$4\r\nv\r\nx\r\n");
	});

	it("answers garbage with Redis' error and closes", async () => {
		const { port } = await start();
		const { socket, until } = raw(port);
		const closed = new Promise((resolve) => socket.on("close", resolve));
		socket.write("*1\r\n:5\r\n");
		await until("-ERR Protocol error: expected '$', got ':'\r\n");
		await closed;
		expect(await ioredis(port).ping()).toBe("PONG");
	});

	it("takes and gives a value of 50 MB", async () => {
		const { port } = await start();
		const redis = ioredis(port);
		const big = Buffer.alloc(50 << 20, "x");
		await redis.set("big", big);
		expect((await redis.getBuffer("big"))?.equals(big)).toBe(true);
	});

	it("stops reading from a client that does not read, and goes on when it does", async () => {
		const { port } = await start();
		const redis = ioredis(port);
		await redis.set("k", "x".repeat(100_000));
		const { socket, text } = raw(port);
		socket.pause();
		const requests = 1000;
		socket.write("GET k\r\n".repeat(requests));
		await pause(300);
		expect(await redis.ping()).toBe("PONG");
		socket.resume();
		const length = requests * (100_000 + "$100000\r\n\r\n".length);
		await expect.poll(() => text().length, { timeout: 20_000 }).toBe(length);
	});

	it("survives clients that vanish in the middle of a request", async () => {
		const server = await start();
		for (let i = 0; i < 50; i++) {
			const { socket } = raw(server.port);
			socket.write("*3\r\n$3\r\nSET\r\n$100\r\n");
			socket.on("connect", () => socket.resetAndDestroy());
		}
		await expect.poll(() => server.clients, { timeout: 10_000 }).toBe(0);
		expect(await ioredis(server.port).ping()).toBe("PONG");
	});
});
