// Scripts that run long: the event loop goes on, others read BUSY after a while, and SCRIPT KILL ends them.

import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ReplyError } from "../../js/errors.ts";
import { defineScript } from "../../js/script.ts";
import { serve } from "../../js/serve/serve.ts";
import { MemoryStorage } from "../../js/storage/memory.ts";
import { open } from "./open.ts";

const BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const KILLED = /^ERR Script killed by user with SCRIPT KILL\.\.\. script: \w{40}, on @user_script:1\.$/;
const ENDLESS = "while true do end";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const textOf = (error: unknown) => (error instanceof ReplyError ? error.message : String(error));
/** What became of a promise, as text. */
const told = (promise: Promise<unknown>) => promise.then(String, textOf);

describe("a script that runs long", () => {
	it("lets timers fire, and is ended by SCRIPT KILL", async () => {
		const db = await open();
		const running = told(db.async.eval(ENDLESS));
		let ticks = 0;
		const timer = setInterval(() => ticks++, 1);
		onTestFinished(() => clearInterval(timer));
		await expect.poll(() => ticks).toBeGreaterThan(5);
		expect(db.engine.isBusy).toBe(true);
		// A caller who cannot wait is told at once.
		expect(() => db.get("k")).toThrow(BUSY);
		expect(db.scriptKill()).toBe("OK");
		expect(await running).toMatch(KILLED);
		expect(db.engine.isBusy).toBe(false);
		expect(db.get("k")).toBe(null);
		expect(() => db.scriptKill()).toThrow("NOTBUSY No scripts in execution right now.");
	});

	it("has its reply as any other, and what comes meanwhile waits its turn", async () => {
		const db = await open();
		const order: string[] = [];
		const note = (name: string) => (reply: unknown) => order.push(`${name} ${String(reply)}`);
		const script =
			"redis.call('set', 'k', 'half') for i = 1, 2000000 do end redis.call('set', 'k', 'whole') return 1";
		const all = [
			db.async.eval(script).then(note("eval")),
			db.async.get("k").then(note("get")),
			db.async.pipeline().get("k").exec().then(note("pipeline")),
			db.async.multi().get("k").exec().then(note("multi")),
			db.async.call("GET", "k").then(note("call")),
		];
		expect(db.engine.isHolding).toBe(true);
		await Promise.all(all);
		expect(order.sort()).toEqual(["call whole", "eval 1", "get whole", "multi whole", "pipeline whole"]);
	});

	it("is told to those who wait once the threshold has passed", async () => {
		const db = await open({ config: { "busy-reply-threshold": 50 } });
		const running = told(db.async.eval(ENDLESS));
		expect(await told(db.async.get("k"))).toBe(BUSY);
		expect(await told(db.async.call("SCRIPT", "KILL"))).toBe("OK");
		expect(await running).toMatch(KILLED);
	});

	it("can be ended before that by a promise, too", async () => {
		const db = await open();
		const running = told(db.async.call("EVAL", ENDLESS, 0));
		expect(await told(db.async.scriptKill())).toBe("OK");
		expect(await running).toMatch(KILLED);
	});

	it("runs by db.run and db.script, again after SCRIPT FLUSH, and in a session", async () => {
		const db = await open();
		const script = defineScript<number>("for i = 1, 500000 do end return #KEYS");
		expect(await db.async.run(script, ["a", "b"])).toBe(2);
		db.scriptFlush();
		expect(await db.async.run(script, ["a"])).toBe(1);
		const session = db.session();
		expect(await session.async.script<number>("for i = 1, 500000 do end return 3")()).toBe(3);
		expect(session.run(script, [])).toBe(0);
	});

	it("ends at a limit where nobody can wait", async () => {
		const db = await open({ scripts: { most: 1_000_000 } });
		const limit = /^ERR Script killed: it took too long where it cannot be paused\. script: /;
		expect(() => db.eval(ENDLESS)).toThrow(limit);
		expect(() => db.pipeline().eval(ENDLESS).exec()).toThrow(limit);
		expect(() => db.multi().eval(ENDLESS).exec()).toThrow(limit);
		expect(await told(db.async.pipeline().eval(ENDLESS).exec())).toMatch(limit);
		expect(db.set("k", "v")).toBe("OK");
	});

	it("goes on to its end when the host may set no timers", async () => {
		const db = await open({ timers: false });
		const running = db.async.eval("for i = 1, 1000000 do end return 1");
		expect(db.engine.isBusy).toBe(false);
		expect(await running).toBe(1);
	});

	it("is not saved by half", async () => {
		const storage = new MemoryStorage();
		const db = await open({ storage });
		const script = "redis.call('set', 'a', 1) for i = 1, 2000000 do end redis.call('set', 'b', 1)";
		const saved = new Promise((resolve) => db.on("save", resolve));
		db.bgsave();
		const running = db.async.eval(script);
		expect(db.engine.isBusy).toBe(true);
		expect(await told(db.save())).toBe(BUSY);
		await saved;
		expect(db.engine.isBusy).toBe(false);
		await running;
		await db.close();
		const again = await open({ storage });
		expect(again.mget("a", "b")).toEqual(["1", "1"]);
	});

	it("does not keep a database from being closed", async () => {
		const db = await open({ storage: new MemoryStorage() });
		db.set("k", "v");
		const running = told(db.async.eval(ENDLESS));
		await db.close();
		expect(await running).toMatch(/killed|closed/);
	});
});

describe("a script that runs long over TCP", () => {
	it("lets others wait, read BUSY, and kill it", async () => {
		const db = await open({ config: { "busy-reply-threshold": 100 } });
		const server = await serve(db, {});
		onTestFinished(() => server.close());
		const client = () => {
			const socket = connect(server.port as number, "127.0.0.1");
			let got = "";
			socket.on("data", (bytes) => {
				got += bytes.toString("latin1");
			});
			socket.on("error", () => {});
			onTestFinished(() => void socket.destroy());
			return { send: (text: string) => socket.write(text), text: () => got };
		};
		const [caller, other] = [client(), client()];
		caller.send(`*3\r\n$4\r\nEVAL\r\n$17\r\n${ENDLESS}\r\n$1\r\n0\r\nPING\r\n`);
		await expect.poll(() => db.engine.isBusy).toBe(true);
		other.send("PING\r\n");
		await pause(20);
		expect(other.text()).toBe("");
		await expect.poll(other.text).toBe(`-${BUSY}\r\n`);
		other.send("SCRIPT KILL\r\nPING\r\n");
		await expect.poll(caller.text).toMatch(/^-ERR Script killed by user .*\r\n\+PONG\r\n$/);
		expect(other.text()).toContain("+OK\r\n");
	});
});
