// A cache in front of something slow: each isolate answers from its own memory, and a snapshot in KV warms new ones.

import { defineScript, openInIsolate } from "redstart/edge";

let opening;

/** The isolate's database, opened by its first request. */
function database(env) {
	opening ??= openInIsolate(env.CACHE, {
		name: "worker-cache",
		config: { maxmemory: "32mb", "maxmemory-policy": "allkeys-lru" },
	}).catch((error) => {
		// The next request tries again.
		opening = undefined;
		throw error;
	});
	return opening;
}

/** Counts a caller's requests, and says how many are left in the window. One step, so no two requests count as one. */
const countRequest = defineScript(
	`local used = redis.call("INCR", KEYS[1])
	if used == 1 then redis.call("EXPIRE", KEYS[1], ARGV[2]) end
	return tonumber(ARGV[1]) - used`,
	{ keys: 1 },
);
const REQUESTS = 100;
const WINDOW_S = 60;

/** Stands for the slow thing: a database far away, a model, an API with a quota. */
async function slowAnswer(question) {
	await new Promise((resolve) => setTimeout(resolve, 200));
	return `the answer to ${question}, worked out at ${new Date().toISOString()}`;
}

export default {
	async fetch(request, env, context) {
		const cache = await database(env);
		const { db } = cache;
		const question = new URL(request.url).pathname.slice(1) || "everything";
		const key = `answer:${question}`;
		try {
			const caller = request.headers.get("cf-connecting-ip") ?? "somebody";
			const left = db.run(countRequest, [`rate:${caller}`], [REQUESTS, WINDOW_S]);
			if (left < 0) return new Response("too many requests\n", { status: 429 });
			if (request.method === "DELETE") return new Response(`${db.del(key)}\n`);
			const hits = db.incr("hits");
			const found = db.get(key);
			const answer = found ?? (await slowAnswer(question));
			if (found === null) db.set(key, answer, { ex: 60 });
			const headers = {
				"x-cache": found === null ? "miss" : "hit",
				"x-requests": String(hits),
				"x-left": String(left),
			};
			return new Response(`${answer}\n`, { headers });
		} finally {
			cache.saveLater(context);
		}
	},
};
