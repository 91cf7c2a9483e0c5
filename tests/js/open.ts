/** The sources on the engine that was built: databases for tests, closed when the test ends. */

import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { registerScheme } from "../../js/place.ts";
import { type OpenOptions, Redstart } from "../../js/redstart.ts";
import { idb } from "../../js/schemes.ts";

const bytes = readFileSync(new URL("../../pkg/redstart_bg.wasm", import.meta.url));
export const engineModule = new WebAssembly.Module(bytes);

registerScheme("idb", idb);

export async function open(options: OpenOptions = {}, url?: string): Promise<Redstart> {
	const database = await Redstart.open(url, { wasm: engineModule, ...options });
	onTestFinished(async () => {
		await database.close().catch(() => undefined);
	});
	return database;
}
