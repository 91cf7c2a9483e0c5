/** Every Lua script of these packages compiles. */

import { describe, expect, it } from "vitest";
import { scriptsOf } from "./collect.ts";
import { inProcess, isRedisServer } from "./places.ts";

/** Packages with the number of different scripts they carry. */
const PACKAGES: Record<string, number> = {
	bullmq: 200,
	bull: 60,
	"bee-queue": 5,
	"@upstash/ratelimit": 14,
	redlock: 3,
	"@sesamecare-oss/redlock": 4,
	"rate-limiter-flexible": 1,
	"rate-limit-redis": 2,
	"redis-semaphore": 7,
};

describe("the scripts of", () => {
	it.each(Object.entries(PACKAGES))("%s load", async (name, count) => {
		const scripts = scriptsOf(name);
		const redis = (await inProcess()).client();
		const refused: string[] = [];
		for (const { path, text } of scripts) {
			const outcome = await redis.script("LOAD", text).catch(String);
			// A flag of Upstash's servers, which redis-server does not know.
			const isForeign = isRedisServer && text.startsWith("#!lua flags=allow-key-locking");
			const expected = isForeign ? /Unexpected flag in script shebang/ : /^[0-9a-f]{40}$/;
			if (!expected.test(String(outcome))) refused.push(`${path}: ${outcome}`);
		}
		expect(refused).toEqual([]);
		expect(scripts.length).toBe(count);
	});
});
