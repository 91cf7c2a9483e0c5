// `npm run bench`: the figures of the README, every one beside its peer in the same run. `npm run bench -- memory start`
// runs only some parts: in-process, network, memory, server, start.

import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { root } from "./shell.mjs";

const wanted = process.argv.slice(2);
const isWanted = (part) => wanted.length === 0 || wanted.includes(part);

await setUp();
await build();

const { inProcess } = await import("../benches/js/in-process.mjs");
const { network, servers } = await import("../benches/js/network.mjs");
const { memory } = await import("../benches/js/memory.mjs");
const { start } = await import("../benches/js/start.mjs");
const { reported } = await import("../benches/js/measure.mjs");
const { NoOracle, startOracle } = await import("../tests/oracle/oracle.mjs");
const { Redstart } = await import("../pkg/node.js");

const open = () => Redstart.open("memory://");
console.log(
	`${cpus()[0]?.model ?? "?"}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);

/** Starts `npx redstart` on a free port; what closes it. */
async function startOwnServer(port) {
	const child = spawn(process.execPath, [join(root, "pkg", "cli.js"), "--port", String(port), "--save", ""]);
	await new Promise((resolve, reject) => {
		child.once("exit", (code) => reject(new Error(`the server ended with code ${code}`)));
		child.stdout.on("data", (text) => String(text).includes("Ready to accept connections") && resolve());
	});
	return { port, close: () => child.kill("SIGTERM") };
}

async function withOracle(action) {
	try {
		const oracle = await startOracle();
		await action(oracle).finally(() => oracle.stop());
	} catch (error) {
		if (!(error instanceof NoOracle)) throw error;
		console.log(`skipped, no redis-server to compare with: ${error.message}`);
	}
}

if (isWanted("start")) await start();
if (isWanted("in-process")) await inProcess(open);
if (isWanted("network")) await withOracle((oracle) => network(open, oracle.port));
if (isWanted("server")) {
	await withOracle(async (oracle) => {
		const own = await startOwnServer(oracle.port + 1);
		servers({ redis: oracle.port, redstart: own.port });
		own.close();
	});
}
if (isWanted("memory")) await withOracle((oracle) => memory(open, oracle.port));

const missed = reported().filter((row) => row.isMet === false);
console.log(`${reported().length} figures, ${missed.length} of those with a target missed it`);
