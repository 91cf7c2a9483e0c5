// `npm run bench`: the figures of the README, every one beside its peer in the same run. `npm run bench -- memory start`
// runs only some parts: start, in-process, network, server, memory, types, lua, persistence, storage,
// snapshot. Each part has a process
// of its own: what V8 learned about the engines of one part must not slow the next.

import { spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { root } from "./shell.mjs";

const PARTS = [
	"start",
	"in-process",
	"network",
	"server",
	"memory",
	"types",
	"lua",
	"persistence",
	"storage",
	"snapshot",
];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
	console.error(`no such part: ${unknown.join(", ")}; there are ${PARTS.join(", ")}`);
	process.exit(1);
}

await setUp();
await build();

if (wanted.length !== 1) {
	const failed = PARTS.filter((part) => {
		if (wanted.length > 0 && !wanted.includes(part)) return false;
		console.log(`\n${part}`);
		return spawnSync(process.execPath, [process.argv[1], part], { stdio: "inherit" }).status !== 0;
	});
	process.exit(failed.length > 0 ? 1 : 0);
}

const { inProcess } = await import("../benches/js/in-process.mjs");
const { network, servers } = await import("../benches/js/network.mjs");
const { memory } = await import("../benches/js/memory.mjs");
const { start } = await import("../benches/js/start.mjs");
const { types } = await import("../benches/js/types.mjs");
const { lua } = await import("../benches/js/lua.mjs");
const { storage } = await import("../benches/js/storage.mjs");
const { reported } = await import("../benches/js/measure.mjs");
const { persistence } = await import("../benches/js/persistence.mjs");
const { snapshot } = await import("../benches/js/snapshot.mjs");
const { findOracle, NoOracle, startOracle } = await import("../tests/oracle/oracle.mjs");
const { Redstart } = await import("../pkg/node.js");

const isWanted = (part) => part === wanted[0];
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
if (isWanted("types")) await withOracle((oracle) => types(open, oracle.port));
if (isWanted("lua")) await withOracle((oracle) => lua(open, oracle.port));
if (isWanted("snapshot")) await snapshot(open);
if (isWanted("persistence")) {
	const openIn = (folder, config) => Redstart.open(String(pathToFileURL(folder)), { config });
	await withOracle((oracle) =>
		persistence(open, openIn, oracle.port, {
			own: [process.execPath, join(root, "pkg", "cli.js")],
			redis: [findOracle(), "--bind", "127.0.0.1"],
		}),
	);
}
if (isWanted("storage")) await storage();

const missed = reported().filter((row) => row.isMet === false);
console.log(`${reported().length} figures, ${missed.length} of those with a target missed it`);
