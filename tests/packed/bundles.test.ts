/** The tarball in hosts that need more than an import: classic scripts, a development server, Workers with bindings. */

import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { Miniflare } from "miniflare";
import type { Browser } from "playwright-core";
import { createServer } from "vite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { root } from "../../scripts/shell.mjs";
import { launchChromium, serveFiles } from "../chromium.mjs";
import { EXPECTED, newProject, type Project, program } from "./project.ts";

const MAIN = `
import { run } from "./program.js";
run().then((replies) => { document.title = JSON.stringify(replies); }, (error) => { document.title = String(error); });
`;

let project: Project;

beforeAll(() => {
	project = newProject();
	project.write("program.js", program("redstart"));
	project.write("main.js", MAIN);
});
afterAll(() => project?.remove());

describe("the browser's script", () => {
	it("is small", () => {
		const script = readFileSync(join(project.installed, "pkg", "browser.js"));
		expect(gzipSync(script, { level: 9 }).length).toBeLessThan(30 * 1024);
	});
});

describe("in a page", () => {
	let browser: Browser;
	beforeAll(async () => {
		browser = await launchChromium();
	});
	afterAll(() => browser?.close());

	async function titleAt(url: string): Promise<unknown> {
		const page = await browser.newPage();
		const problems: string[] = [];
		page.on("pageerror", (error) => problems.push(String(error)));
		await page.goto(url);
		await page.waitForFunction(() => document.title !== "", undefined, { timeout: 20_000 });
		const title = await page.title();
		await page.close();
		expect(problems).toEqual([]);
		return JSON.parse(title);
	}

	it("runs as a classic script, where a script does not know its own address", async () => {
		await esbuild.build({
			absWorkingDir: project.dir,
			entryPoints: ["main.js"],
			bundle: true,
			outdir: "classic",
			logLevel: "error",
		});
		const server = await serveFiles(
			{ "/": '<!doctype html><title></title><script src="/main.js"></script>' },
			join(project.dir, "classic"),
		);
		expect(await titleAt(server.url)).toEqual(EXPECTED);
		await server.close();
	});

	it("runs from Vite's development server, which moves packages about", async () => {
		project.write(
			"index.html",
			'<!doctype html><title></title><script type="module" src="/main.js"></script>',
		);
		const options = { root: project.dir, configFile: false as const, logLevel: "error" as const };
		const server = await createServer({ ...options, server: { port: 0 } });
		try {
			await server.listen();
			expect(await titleAt(server.resolvedUrls?.local[0] as string)).toEqual(EXPECTED);
		} finally {
			await server.close();
		}
	});
});

describe("in workerd", () => {
	/** The namespace, by the methods that are used. */
	const cacheOf = async (worker: Miniflare) =>
		(await worker.getKVNamespace("CACHE")) as unknown as {
			get(name: string): Promise<string | null>;
			put(name: string, value: string): Promise<void>;
			list(): Promise<{ keys: { name: string }[] }>;
		};

	/** What wrangler makes of a script: one module, wasm beside it, the conditions of Workers. */
	async function modules(entry: string) {
		const { outputFiles } = await esbuild.build({
			absWorkingDir: project.dir,
			entryPoints: [entry],
			bundle: true,
			format: "esm",
			conditions: ["workerd", "worker", "browser"],
			external: ["*.wasm"],
			write: false,
			logLevel: "error",
		});
		const wasm = readFileSync(join(project.installed, "pkg", "redstart_bg.wasm"));
		return [
			{ type: "ESModule" as const, path: "worker.js", contents: outputFiles[0]?.text ?? "" },
			{ type: "CompiledWasm" as const, path: "redstart_bg.wasm", contents: wasm },
		];
	}

	it("runs by its condition in exports", async () => {
		project.write(
			"worker.js",
			'import { run } from "./program.js";\nexport default { fetch: async () => Response.json(await run()) };',
		);
		const worker = new Miniflare({ modules: await modules("worker.js"), compatibilityDate: "2026-07-01" });
		try {
			expect(await (await worker.dispatchFetch("http://localhost/")).json()).toEqual(EXPECTED);
		} finally {
			await worker.dispose();
		}
	});

	it("caches with a snapshot in KV, as in examples/worker-cache", async () => {
		cpSync(join(root, "examples", "worker-cache", "src"), join(project.dir, "cache"), { recursive: true });
		const kv = join(project.dir, "kv");
		const options = {
			modules: await modules("cache/index.js"),
			compatibilityDate: "2026-07-01",
			kvNamespaces: ["CACHE"],
			kvPersist: kv,
		};
		const ask = async (worker: Miniflare, path: string, init = {}) => {
			const response = await worker.dispatchFetch(`http://localhost${path}`, init);
			return { from: response.headers.get("x-cache"), text: await response.text() };
		};
		const first = new Miniflare(options);
		const made = await ask(first, "/life");
		expect(made.from).toBe("miss");
		expect(made.text).toMatch(/^the answer to life/);
		expect(await ask(first, "/life")).toEqual({ from: "hit", text: made.text });
		await vi.waitFor(async () => {
			const store = await cacheOf(first);
			expect((await store.list()).keys.map(({ name }) => name)).toContain("worker-cache/meta");
		}, 10_000);
		await first.dispose();
		// Another isolate, another process even: the snapshot is all it has.
		const second = new Miniflare(options);
		expect(await ask(second, "/life")).toEqual({ from: "hit", text: made.text });
		expect((await ask(second, "/life", { method: "DELETE" })).text).toBe("1\n");
		expect((await ask(second, "/life")).from).toBe("miss");
		const limited = await Promise.all(
			Array.from({ length: 100 }, () => second.dispatchFetch("http://localhost/life")),
		);
		expect(limited.map(({ status }) => status)).toContain(429);
		expect(limited.map(({ headers }) => headers.get("x-left"))).toContain("0");
		await second.dispose();
	});

	it("keeps a database in a Durable Object, over a restart", async () => {
		project.write(
			"object.js",
			`import { DurableObjectStorage, Redstart } from "redstart/edge";
export class Database {
	constructor(context) {
		context.blockConcurrencyWhile(async () => {
			const storage = new DurableObjectStorage(context.storage);
			this.db = await Redstart.open("memory://", { storage, config: { appendonly: "yes" } });
		});
	}
	async fetch(request) {
		const words = await request.json();
		return Response.json(await this.db.async.call(...words).catch((error) => error.message));
	}
}
export default {
	fetch: (request, { DB }) => DB.get(DB.idFromName("one")).fetch(request),
};`,
		);
		const options = {
			modules: await modules("object.js"),
			compatibilityDate: "2026-07-01",
			durableObjects: { DB: { className: "Database", useSQLite: true } },
			durableObjectsPersist: join(project.dir, "objects"),
		};
		const ask = async (worker: Miniflare, ...words: string[]) => {
			const response = await worker.dispatchFetch("http://localhost/", {
				method: "POST",
				body: JSON.stringify(words),
			});
			return response.json();
		};
		for (let life = 0; life < 3; life++) {
			const worker = new Miniflare(options);
			expect(await ask(worker, "GET", "text")).toBe(life === 0 ? null : "x".repeat(3_000_000));
			expect(await ask(worker, "SET", "text", "x".repeat(3_000_000))).toBe("OK");
			for (let i = 1; i <= 20; i++) expect(await ask(worker, "INCR", "n")).toBe(20 * life + i);
			if (life === 1) expect(await ask(worker, "SAVE")).toBe("OK");
			expect(await ask(worker, "INCR", "after")).toBe(life + 1);
			await worker.dispose();
		}
	});

	it("starts empty, and keeps the bytes, when the snapshot in KV is damaged", async () => {
		cpSync(join(root, "examples", "worker-cache", "src"), join(project.dir, "cache"), { recursive: true });
		const worker = new Miniflare({
			modules: await modules("cache/index.js"),
			compatibilityDate: "2026-07-01",
			kvNamespaces: ["CACHE"],
		});
		const store = await cacheOf(worker);
		const base = { name: "base-1-x", chunks: 1, seq: 1, crc: 1, length_bytes: 4 };
		const manifest = { version: 1, replid: "", base, incr: [], offset: 0 };
		await store.put("worker-cache/meta", JSON.stringify({ epoch: 1, manifest }));
		await store.put("worker-cache/base-1-x.0", "junk");
		try {
			const response = await worker.dispatchFetch("http://localhost/life");
			expect(response.headers.get("x-cache")).toBe("miss");
			expect(await store.get("worker-cache/base-1-x.0")).toBe("junk");
		} finally {
			await worker.dispose();
		}
	});
});
