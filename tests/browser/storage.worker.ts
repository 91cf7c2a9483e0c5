/** Runs the storage suite in a dedicated worker, on OPFS: each message is a case's name, each answer an error or "". */

import { OpfsStorage } from "../../js/storage/opfs.ts";
import { CASES } from "../js/storage.conformance.ts";

addEventListener("message", async ({ data: name }: MessageEvent<string>) => {
	const one = CASES.find((other) => other.name === name);
	try {
		if (!one) throw new Error(`no case "${name}"`);
		await one.run({ open: () => new OpfsStorage(name), isFenced: true, hasLog: true });
		postMessage("");
	} catch (error) {
		postMessage((error as Error).stack ?? String(error));
	}
});
