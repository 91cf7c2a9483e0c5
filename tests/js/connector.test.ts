// `redstart/ioredis`: ioredis without a socket.

import { once } from "node:events";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Redstart } from "../../js/redstart.ts";
import { connectorFor } from "../../js/serve/ioredis.ts";
import { SessionStream } from "../../js/serve/stream.ts";
import { open } from "./open.ts";

function clientOf(db: Redstart, options = {}): Redis {
	const redis = new Redis({ Connector: connectorFor(db), ...options });
	onTestFinished(() => redis.disconnect());
	return redis;
}

describe("ioredis in process", () => {
	it("runs commands, bytes, pipelines and transactions on the database", async () => {
		const db = await open();
		const redis = clientOf(db);
		expect(await redis.set("k", "v", "EX", 10)).toBe("OK");
		expect(db.get("k")).toBe("v");
		const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
		await redis.set("bytes", bytes);
		expect(await redis.getBuffer("bytes")).toEqual(bytes);
		const pipeline = redis.pipeline();
		for (let i = 0; i < 10_000; i++) pipeline.incr("n");
		expect((await pipeline.exec())?.at(-1)).toEqual([null, 10_000]);
		expect(await redis.multi().incr("n").get("k").exec()).toEqual([
			[null, 10_001],
			[null, "v"],
		]);
		await expect(redis.call("NOPE")).rejects.toThrow("ERR unknown command 'NOPE'");
	});

	it("has a session for each client: database numbers, blocking, messages", async () => {
		const db = await open();
		const redis = clientOf(db);
		const [other, waiting, hearing] = [clientOf(db, { db: 5 }), redis.duplicate(), redis.duplicate()];
		onTestFinished(() => {
			waiting.disconnect();
			hearing.disconnect();
		});
		await other.set("k", "5");
		expect(await redis.get("k")).toBeNull();
		const popped = waiting.blpop("list", 0);
		await redis.rpush("list", "x");
		expect(await popped).toEqual(["list", "x"]);
		const heard: string[] = [];
		hearing.on("message", (_, message) => heard.push(message));
		await hearing.subscribe("news");
		expect(db.publish("news", "hi")).toBe(1);
		await expect.poll(() => heard).toEqual(["hi"]);
		expect(await redis.client("LIST")).toContain("cmd=subscribe");
	});

	it("carries values of many megabytes both ways", async () => {
		const redis = clientOf(await open());
		const big = Buffer.alloc(40 << 20, "x");
		await redis.set("big", big);
		expect((await redis.getBuffer("big"))?.equals(big)).toBe(true);
	});

	it("has a script run long while others wait, are told BUSY, and end it", async () => {
		const db = await open();
		const [running, other] = [clientOf(db), clientOf(db)];
		const script = "local n = 0 for i = 1, 1000000 do n = n + 1 end redis.call('SET', 'n', n) return n";
		const total = running.eval(script, 0);
		const read = other.get("n");
		expect(await total).toBe(1_000_000);
		expect([null, "1000000"]).toContain(await read);
		await other.config("SET", "busy-reply-threshold", 50);
		const ended = running.eval("while true do end", 0).catch(String);
		await vi.waitFor(() => expect(other.get("n")).rejects.toThrow(/^BUSY /));
		expect(await other.script("KILL")).toBe("OK");
		expect(await ended).toMatch(/Script killed by user/);
		expect(await other.get("n")).toBe("1000000");
	});

	it("ends with QUIT, with disconnect, and with the database", async () => {
		const db = await open();
		const [quitting, leaving, staying] = [clientOf(db), clientOf(db), clientOf(db, { retryStrategy: null })];
		for (const redis of [quitting, leaving, staying]) await redis.ping();
		const clients = () => String(db.call("CLIENT", "LIST")).trim().split("\n").length;
		expect(clients()).toBe(4);
		expect(await quitting.quit()).toBe("OK");
		await vi.waitFor(() => expect(quitting.status).toBe("end"));
		leaving.disconnect();
		await vi.waitFor(() => expect(leaving.status).toBe("end"));
		expect(clients()).toBe(2);
		const waiting = staying.blpop("list", 0);
		await db.close();
		await expect(waiting).rejects.toThrow(/closed/i);
		await vi.waitFor(() => expect(staying.status).toBe("end"));
		const late = clientOf(db, { retryStrategy: null, lazyConnect: true });
		const told = vi.fn();
		late.on("error", told);
		await expect(late.connect()).rejects.toThrow("the database is closed");
		expect(told).toHaveBeenCalled();
	});

	it("connects anew when it was cut off, and after a trap", async () => {
		const db = await open();
		const redis = clientOf(db, { retryStrategy: () => 1 });
		redis.on("error", () => undefined);
		await redis.client("SETNAME", "mine");
		expect(db.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")).toBe(1);
		await vi.waitFor(async () => expect(await redis.client("GETNAME")).toBeNull());
		await redis.set("k", "v");
		const engine = db.engine as unknown as { exports: Record<string, unknown> };
		engine.exports = {
			...engine.exports,
			rs_feed() {
				throw new WebAssembly.RuntimeError("unreachable");
			},
		};
		await redis.ping();
		expect(await redis.get("k")).toBeNull();
		expect(await redis.set("k", "v")).toBe("OK");
	});
});

describe("a stream to a session", () => {
	it("lets its input wait while nobody reads, and goes on afterwards", async () => {
		const db = await open();
		db.set("k", "x".repeat(100_000));
		const stream = new SessionStream(db.engine);
		const requests = 200;
		for (let i = 0; i < requests; i++) stream.write("GET k\r\n");
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(stream.readableLength).toBeLessThan(2 << 20);
		expect(stream.writableLength).toBeGreaterThan(0);
		let length = 0;
		stream.on("data", (bytes: Uint8Array) => {
			length += bytes.length;
		});
		await vi.waitFor(() => expect(length).toBe(requests * (100_000 + "$100000\r\n\r\n".length)));
		stream.destroy();
	});

	it("cuts off a subscriber that lets messages pile up", async () => {
		const db = await open();
		const stream = new SessionStream(db.engine);
		stream.write("SUBSCRIBE c\r\n");
		await vi.waitFor(() => expect(stream.readableLength).toBeGreaterThan(0));
		const message = "x".repeat(1 << 20);
		for (let i = 0; i < 40 && !stream.destroyed; i++) {
			db.publish("c", message);
			await Promise.resolve();
		}
		expect(stream.destroyed).toBe(true);
		expect(db.publish("c", "after")).toBe(0);
	});

	it("answers what was asked before its end, and garbage with an error and the end", async () => {
		const db = await open();
		const text = async (input: string) => {
			const stream = new SessionStream(db.engine);
			let output = "";
			stream.on("data", (bytes: Buffer) => {
				output += bytes.toString();
			});
			const closed = once(stream, "close");
			if (input.endsWith("\r\n")) stream.end(input);
			else stream.write(input);
			await closed;
			return output;
		};
		expect(await text("SET k v\r\nGET k\r\n")).toBe("+OK\r\n$1\r\nv\r\n");
		expect(await text("*1\r\n:5\r\n ")).toBe("-ERR Protocol error: expected '$', got ':'\r\n");
	});
});
