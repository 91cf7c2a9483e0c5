// `npm run fuzz:crash -- [trials] [seed]`: the crash fuzz on the model disk. The seed is printed; trial n has seed + n.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const trials = Number(process.argv[2] ?? 200_000);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));

const source = new URL("crash-model.ts", import.meta.url).pathname;
const { outputFiles } = await build({
	entryPoints: [source],
	bundle: true,
	write: false,
	format: "esm",
	platform: "node",
	sourcemap: "inline",
});
const folder = mkdtempSync(join(tmpdir(), "redstart-fuzz-"));
const bundled = join(folder, "crash-model.mjs");
writeFileSync(bundled, outputFiles[0].contents);
const { fuzz } = await import(pathToFileURL(bundled).href);
rmSync(folder, { recursive: true });

console.log(`crash fuzz: ${trials} trials from seed ${seed}`);
const from_ms = Date.now();
const sum = { recoveries: 0, crashes: 0, crashesInRecovery: 0 };
const STEP = 1000;
for (let done = 0; done < trials; done += STEP) {
	const part = await fuzz(seed + done, Math.min(STEP, trials - done));
	for (const key of Object.keys(sum)) sum[key] += part[key];
}
console.log(
	`${sum.recoveries} recoveries, ${sum.crashes} crashes, ${sum.crashesInRecovery} of them during a recovery; ${((Date.now() - from_ms) / 1000).toFixed(1)} s; no violation`,
);
