// A Worker with one Durable Object, which is a database on the object's own storage. Bundled from pkg/ by object-host.mjs.

import { DurableObject } from "cloudflare:workers";
import { DurableObjectStorage } from "./storage.js";
import { readAll } from "./stream.mjs";
import { Redstart } from "./workerd.js";

export class Database extends DurableObject {
	constructor(context, env) {
		super(context, env);
		context.blockConcurrencyWhile(async () => {
			this.db = await Redstart.open("memory://", {
				storage: new DurableObjectStorage(context.storage),
				broadcast: false,
				config: { appendonly: "yes", appendfsync: env.MODE },
			});
			this.db.on("reopen", () => {
				this.traps = (this.traps ?? 0) + 1;
			});
		});
	}

	async fetch(request) {
		const { pathname } = new URL(request.url);
		try {
			return Response.json((await this[pathname.slice(1)](await request.json())) ?? null);
		} catch (error) {
			return new Response(`${error.stack ?? error}`, { status: 500 });
		}
	}

	/** Writes, each a command or a transaction. Answered once all are acknowledged. */
	write(list) {
		const { db } = this;
		return Promise.all(
			list.map((commands) => {
				const words = commands.map((command) => command.map(wordOf));
				if (words.length === 1) return db.async.call(...words[0]);
				const multi = db.async.multi();
				for (const command of words) multi.call(...command);
				return multi.exec();
			}),
		).then(() => list.length);
	}

	read() {
		return readAll((...words) => this.db.async.call(...words));
	}

	/** The next call into the engine traps, as a bug in it would. */
	async trap() {
		const { engine } = this.db;
		const broken = () => {
			throw new WebAssembly.RuntimeError("unreachable");
		};
		engine.exports = { ...engine.exports, rs_f1: broken, rs_f2: broken, rs_exec: broken, rs_batch: broken };
		try {
			this.db.set("key:0", "never");
		} catch {
			// As it should.
		}
		await this.db.ready;
		return this.traps ?? 0;
	}
}

/** Bytes come in base64. */
const wordOf = (word) =>
	typeof word === "string" ? word : Uint8Array.from(atob(word.bytes), (char) => char.charCodeAt(0));

export default {
	fetch: (request, { DATABASE }) => DATABASE.get(DATABASE.idFromName("survival")).fetch(request),
};
