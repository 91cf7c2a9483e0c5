import { Worker } from "node:worker_threads";
import { describe, expect, it, vi } from "vitest";
import { open } from "./open.ts";

const raw = Uint8Array.from({ length: 256 }, (_, i) => i);

describe("subscriptions", () => {
	it("hear messages until they end", async () => {
		const db = await open();
		const heard = vi.fn();
		const end = db.subscribe("news", heard);
		expect(db.publish("news", "one")).toBe(1);
		await vi.waitFor(() => expect(heard).toHaveBeenCalledWith("one", "news", undefined));
		end();
		expect(db.publish("news", "two")).toBe(0);
		expect(heard).toHaveBeenCalledOnce();
		end();
	});

	it("of one channel share a subscription of the session", async () => {
		const db = await open();
		const [a, b] = [vi.fn(), vi.fn()];
		const [endA, endB] = [db.subscribe("news", a), db.subscribe(["news", "more"], b)];
		expect(db.publish("news", "x")).toBe(1);
		await vi.waitFor(() => expect(a).toHaveBeenCalledOnce());
		endA();
		expect(db.publish("news", "y")).toBe(1);
		expect(db.publish("more", "z")).toBe(1);
		await vi.waitFor(() => expect(b).toHaveBeenCalledTimes(3));
		expect(a).toHaveBeenCalledOnce();
		endB();
		expect(db.publish("news", "w")).toBe(0);
	});

	it("by pattern and by shard", async () => {
		const db = await open();
		const [pattern, shard] = [vi.fn(), vi.fn()];
		db.psubscribe("n?ws:*", pattern);
		db.ssubscribe("shard", shard);
		expect(db.publish("news:1", "p")).toBe(1);
		expect(db.spublish("shard", "s")).toBe(1);
		await vi.waitFor(() => {
			expect(pattern).toHaveBeenCalledWith("p", "news:1", "n?ws:*");
			expect(shard).toHaveBeenCalledWith("s", "shard", undefined);
		});
	});

	it("carry any bytes, in channel and payload", async () => {
		const db = await open();
		const [bytes, text, wrong] = [vi.fn(), vi.fn(), vi.fn()];
		db.subscribe(raw, bytes, { bytes: true });
		db.subscribe("caf\u00e9", text);
		db.subscribe(Uint8Array.of(0xff), wrong);
		expect(db.publish(raw, raw)).toBe(1);
		expect(db.publish("caf\u00e9", "\u{1f600}")).toBe(1);
		expect(db.publish(Uint8Array.of(0xfe), "not for 0xff")).toBe(0);
		await vi.waitFor(() => {
			expect(bytes.mock.calls[0]?.[0]).toEqual(raw);
			expect(text).toHaveBeenCalledWith("\u{1f600}", "caf\u00e9", undefined);
		});
		expect(wrong).not.toHaveBeenCalled();
	});

	it("keep working beside commands, and when a listener throws", async () => {
		const db = await open();
		const errors: unknown[] = [];
		db.on("error", (error) => errors.push(error));
		const heard = vi.fn();
		db.subscribe("c", () => {
			throw new Error("bad listener");
		});
		db.subscribe("c", (message) => heard(message, db.incr("count")));
		db.publish("c", "1");
		db.publish("c", "2");
		await vi.waitFor(() =>
			expect(heard.mock.calls).toEqual([
				["1", 1],
				["2", 2],
			]),
		);
		expect(errors).toHaveLength(2);
	});

	it("hear keyspace events", async () => {
		const db = await open({ config: { "notify-keyspace-events": "KEA" } });
		const heard = vi.fn();
		db.psubscribe("__key*__:*", heard);
		db.set("k", "v");
		await vi.waitFor(() => {
			expect(heard).toHaveBeenCalledWith("set", "__keyspace@0__:k", "__key*__:*");
			expect(heard).toHaveBeenCalledWith("k", "__keyevent@0__:set", "__key*__:*");
		});
	});

	it("can be looped over", async () => {
		const db = await open();
		const loop = (async () => {
			const got: unknown[] = [];
			for await (const message of db.messages(["a", "b"])) {
				got.push(message);
				if (got.length === 3) break;
			}
			return got;
		})();
		for (const [channel, text] of [
			["a", "1"],
			["b", "2"],
			["a", "3"],
			["a", "4"],
		])
			db.publish(channel as string, text as string);
		expect(await loop).toEqual([
			{ channel: "a", message: "1" },
			{ channel: "b", message: "2" },
			{ channel: "a", message: "3" },
		]);
		expect(db.publish("a", "5")).toBe(0);
	});

	it("as plain commands come as push events", async () => {
		const db = await open();
		const pushes: unknown[] = [];
		db.on("push", (push) => pushes.push(push));
		db.call("SUBSCRIBE", "plain");
		db.publish("plain", "x");
		await vi.waitFor(() =>
			expect(pushes).toEqual([
				["subscribe", "plain", 1],
				["message", "plain", "x"],
			]),
		);
	});
});

describe("databases of one name", () => {
	it("hear each other, and not themselves twice", async () => {
		const [one, two, stranger] = [
			await open({}, "memory://shared"),
			await open({}, "memory://shared"),
			await open({}, "memory://stranger"),
		];
		const [mine, theirs, pattern, nobody] = [vi.fn(), vi.fn(), vi.fn(), vi.fn()];
		one.subscribe(raw, mine, { bytes: true });
		two.subscribe(raw, theirs, { bytes: true });
		two.psubscribe("*", pattern);
		stranger.psubscribe("*", nobody);
		expect(one.publish(raw, raw)).toBe(1);
		await vi.waitFor(() => {
			expect(theirs).toHaveBeenCalledOnce();
			expect(pattern).toHaveBeenCalledOnce();
		});
		expect(theirs.mock.calls[0]?.[0]).toEqual(raw);
		// Long enough for an echo to come round.
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(mine).toHaveBeenCalledOnce();
		expect(theirs).toHaveBeenCalledOnce();
		expect(nobody).not.toHaveBeenCalled();
	});

	it("do so for shard channels, apart from others", async () => {
		const [one, two] = [await open({}, "memory://shards"), await open({}, "memory://shards")];
		const [shard, plain] = [vi.fn(), vi.fn()];
		two.ssubscribe("c", shard);
		two.subscribe("c", plain);
		one.spublish("c", "x");
		await vi.waitFor(() => expect(shard).toHaveBeenCalledOnce());
		expect(plain).not.toHaveBeenCalled();
	});

	it("are not heard when broadcast is off", async () => {
		const [one, two] = [await open({ broadcast: false }, "memory://quiet"), await open({}, "memory://quiet")];
		const heard = vi.fn();
		two.subscribe("c", heard);
		one.publish("c", "x");
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(heard).not.toHaveBeenCalled();
	});

	it("ignore what is no message of theirs", async () => {
		const db = await open({}, "memory://noise");
		const heard = vi.fn();
		db.psubscribe("*", heard);
		const channel = new BroadcastChannel("redstart:noise");
		for (const junk of [null, "text", [], [true, "a", "b"], [1, raw, raw], [false, raw]])
			channel.postMessage(junk);
		channel.postMessage([false, Uint8Array.of(99), Uint8Array.of(120)]);
		await vi.waitFor(() => expect(heard).toHaveBeenCalledWith("x", "c", "*"));
		expect(heard).toHaveBeenCalledOnce();
		channel.close();
	});

	it("reach other threads", async () => {
		const db = await open({}, "memory://threads");
		const heard = vi.fn();
		db.subscribe("c", heard);
		const worker = new Worker(
			`new BroadcastChannel("redstart:threads").postMessage([false, Buffer.from("c"), Buffer.from("from a thread")]);`,
			{ eval: true },
		);
		await vi.waitFor(() => expect(heard).toHaveBeenCalledWith("from a thread", "c", undefined));
		await worker.terminate();
	});
});
