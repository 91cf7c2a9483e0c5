import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { RedstartError } from "../../js/errors.ts";
import { open } from "./open.ts";

const text = (bytes: Uint8Array | undefined) => (bytes ? new TextDecoder().decode(bytes) : "");
const utf8 = (value: string) => new TextEncoder().encode(value);

describe("a blocking command", () => {
	it("is a promise, and the database stays usable meanwhile", async () => {
		const db = await open();
		const waiting = db.wait(1, 60);
		expectTypeOf(waiting).toEqualTypeOf<Promise<number>>();
		expect(db.set("k", "v")).toBe("OK");
		expect(db.get("k")).toBe("v");
		expect(db.multi().get("k").exec()).toEqual(["v"]);
		expect(await waiting).toBe(0);
	});

	it("runs by its words too, several at a time, and in the same database", async () => {
		const db = await open();
		db.select(4);
		const from_ms = performance.now();
		const all = [1, 2, 3, 4, 5, 6].map((count) => db.call<Promise<number>>("wait", count, 50));
		expect(await Promise.all(all)).toEqual([0, 0, 0, 0, 0, 0]);
		expect(performance.now() - from_ms).toBeGreaterThan(45);
		const connections = db.clientList();
		expect(connections.match(/ db=4 /g)?.length).toBeGreaterThan(4);
	});

	it("goes by the database that was really selected", async () => {
		const db = await open();
		expect(() => db.select(99)).toThrow(/out of range/);
		expect(await db.wait(1, 5)).toBe(0);
		db.select(3);
		db.reset();
		expect(await db.wait(1, 5)).toBe(0);
		expect(db.clientList().match(/ db=0 /g)?.length).toBe(2);
	});

	it("keeps a session for itself until it is done", async () => {
		const db = await open();
		const session = db.session();
		const waiting = session.wait(1, 40);
		expect(() => session.get("k")).toThrow(RedstartError);
		expect(() => session.call("GET", "k")).toThrow(/waits in a blocking command/);
		expect(() => session.pipeline().get("k").exec()).toThrow(/waits/);
		expect(await waiting).toBe(0);
		expect(session.get("k")).toBe(null);
	});

	it("does not wait in a transaction or a pipeline", async () => {
		const db = await open();
		expect(db.multi().wait(1, 5000).exec()).toEqual([0]);
		expect(db.pipeline().wait(1, 5000).set("k", "v").exec()).toEqual([0, "OK"]);
		const session = db.session();
		session.call("MULTI");
		expect(session.call("WAIT", 1, 5000)).toBe("QUEUED");
		expect(session.call("EXEC")).toEqual([0]);
	});

	it("can be ended by CLIENT UNBLOCK", async () => {
		const db = await open();
		const session = db.session();
		const id = session.clientId();
		const [one, two] = [session.wait(1, 0), db.clientUnblock(id)];
		expect(two).toBe(1);
		expect(await one).toBe(0);
		const again = session.wait(1, 0);
		expect(db.clientUnblock(id, { error: true })).toBe(1);
		await expect(again).rejects.toThrow(/^UNBLOCKED/);
	});

	it("fails when the session or the database is closed", async () => {
		const db = await open();
		const session = db.session();
		const waiting = session.wait(1, 0);
		session.close();
		await expect(waiting).rejects.toMatchObject({ kind: "closed" });
		const other = db.wait(1, 0);
		await db.close();
		await expect(other).rejects.toMatchObject({ kind: "closed" });
	});

	it("says at once, as a rejection, what is wrong with it", async () => {
		const db = await open();
		await expect(db.call("WAIT", "x", 0)).rejects.toThrow(/not an integer/);
		await expect((db.wait as (n: number) => Promise<number>).call(db, 1)).rejects.toThrow(/wrong number/);
	});
});

describe("a pop that waits", () => {
	it("is fulfilled when another session pushes", async () => {
		const db = await open();
		const popped = db.blpop(["jobs"], 0);
		const moved = db.blmove("jobs", "done", "LEFT", "RIGHT", 0);
		const several = db.blmpop(0, ["none", "jobs"], "LEFT", { count: 5 });
		expect(db.rpush("jobs", "a")).toBe(1);
		expect(await popped).toEqual(["jobs", "a"]);
		expect(db.session().rpush("jobs", "b", "c", "d")).toBe(3);
		expect(await moved).toBe("b");
		expect(await several).toEqual(["jobs", ["c", "d"]]);
		expect(db.lrange("done", 0, -1)).toEqual(["b"]);
		expect(db.exists("jobs")).toBe(0);
	});

	it("is null when its time is up", async () => {
		const db = await open();
		const from_ms = performance.now();
		const all = [
			db.blpop(["l"], 0.04),
			db.blmove("l", "m", "LEFT", "LEFT", 0.04),
			db.brpop(["l", "m"], 0.03),
		];
		expect(await Promise.all(all)).toEqual([null, null, null]);
		expect(performance.now() - from_ms).toBeGreaterThan(35);
		expect(db.rpush("l", "a")).toBe(1);
		expect(await db.blpop(["l"], 1)).toEqual(["l", "a"]);
	});

	it("is served in the order of arrival, and moves feed those who wait for their destination", async () => {
		const db = await open();
		const order: string[] = [];
		const waits = ["one", "two", "three"].map((name) =>
			db.blpop(["l"], 0).then((popped) => order.push(`${name} ${popped?.[1]}`)),
		);
		const fed = db.blpop(["m"], 0);
		const moved = db.blmove("l", "m", "LEFT", "LEFT", 0);
		db.rpush("l", "a", "b", "c", "d");
		await Promise.all(waits);
		expect(order).toEqual(["one a", "two b", "three c"]);
		expect(await moved).toBe("d");
		expect(await fed).toEqual(["m", "d"]);
	});

	it("waits for the end of a transaction, and does not wait inside one", async () => {
		const db = await open();
		const popped = db.blpop(["l"], 0);
		expect(db.multi().rpush("l", "a", "b").lpop("l").exec()).toEqual([2, "a"]);
		expect(await popped).toEqual(["l", "b"]);
		expect(db.multi().blpop(["l"], 0).exec()).toEqual([null]);
	});

	it("replies late to a socket, which goes on with what it sent meanwhile", async () => {
		const db = await open();
		const { engine } = db;
		let got = "";
		const session: number = engine.connectWire({
			onReady: () => {
				got += text(engine.drain(session));
			},
		});
		engine.feed(session, utf8("BLPOP l 0\r\nLLEN l\r\n"));
		expect(got).toBe("");
		db.rpush("l", "a", "b");
		await vi.waitFor(() => expect(got).toBe("*2\r\n$1\r\nl\r\n$1\r\na\r\n:1\r\n"));
		got = "";
		engine.feed(session, utf8("BRPOP none 0.02\r\nPING\r\n"));
		await vi.waitFor(() => expect(got).toBe("*-1\r\n+PONG\r\n"));
	});
});

describe("a wire session", () => {
	it("speaks RESP in pieces of any size", async () => {
		const { engine } = await open();
		const ready = vi.fn();
		const session = engine.connectWire({ onReady: ready });
		for (const byte of utf8("*1\r\n$4\r\nPING\r\nSET k v\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")) {
			engine.feed(session, Uint8Array.of(byte));
		}
		expect(text(engine.drain(session))).toBe("+PONG\r\n+OK\r\n$1\r\nv\r\n");
		expect(engine.drain(session)).toBe(undefined);
		expect(engine.isClosing(session)).toBe(false);
		engine.feed(session, utf8("QUIT\r\n"));
		expect(text(engine.drain(session))).toBe("+OK\r\n");
		expect(engine.isClosing(session)).toBe(true);
		engine.disconnect(session);
	});

	it("hears of messages by its listener", async () => {
		const db = await open();
		const { engine } = db;
		const got: string[] = [];
		const session: number = engine.connectWire({
			onReady: () => got.push(text(engine.drain(session))),
		});
		engine.feed(session, utf8("SUBSCRIBE c\r\n"));
		await vi.waitFor(() => expect(got.join("")).toContain("subscribe"));
		db.publish("c", "hello");
		await vi.waitFor(() => expect(got.join("")).toContain("$5\r\nhello\r\n"));
	});

	it("takes input of many megabytes", async () => {
		const { engine } = await open();
		const session = engine.connectWire({ onReady() {} });
		const value = new Uint8Array(5_000_000).fill(120);
		engine.feed(session, utf8(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`));
		engine.feed(session, value);
		engine.feed(session, utf8("\r\nSTRLEN k\r\n"));
		expect(text(engine.drain(session))).toBe(`+OK\r\n:${value.length}\r\n`);
	});
});
