// What `npm test` asks the oracle: whether the recorded transcripts are still what redis-server says, whether it describes
// its commands as our rows do, and whether random command streams get the same replies from it and from the engine.
// Without an oracle all three are skipped and it says so.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transcriptFiles } from "../../scripts/record.mjs";
import { root, run } from "../../scripts/shell.mjs";
import { parse } from "../spec/format.mjs";
import { runFile } from "../spec/runner.mjs";
import { findOracle, NoOracle, OracleHost, startOracle } from "./oracle.mjs";
import { compareTables, wasmConnection } from "./table.mjs";

const SECONDS = 20;

function summary(passed, failed, skipped = 0) {
	console.log(
		`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; ${skipped} ignored`,
	);
	if (failed > 0) process.exitCode = 1;
}

/** The transcripts run against the server as they run against the engine. */
async function transcripts(program) {
	const host = await new OracleHost(program).open();
	let [passed, failed, skipped] = [0, 0, 0];
	try {
		for (const path of transcriptFiles()) {
			const file = parse(readFileSync(join(root, path), "utf8"));
			const counts = await runFile(host, file, path, (failure) => console.log(failure));
			passed += counts.passed;
			failed += counts.failed;
			skipped += counts.skipped;
		}
	} finally {
		await host.stop();
	}
	summary(passed, failed, skipped);
}

async function table(program) {
	const server = await startOracle(program);
	try {
		const { commands, differences } = await compareTables(server.control, await wasmConnection());
		for (const difference of differences) console.log(difference);
		console.log(`COMMAND INFO and COMMAND DOCS of ${commands} commands`);
		const failed = new Set(differences.map((text) => text.split(/[. ]/)[0])).size;
		summary(commands - failed, failed);
	} finally {
		await server.stop();
	}
}

/** A native test that plays on a server of its own and on the engine. */
async function differential(program, test, args) {
	const seed = process.env.REDSTART_SEED ?? `${Date.now() % 2 ** 31}`;
	const server = await startOracle(program);
	const address = `127.0.0.1:${server.port}`;
	const words = ["--address", address, "--seed", seed, ...args];
	try {
		const { code } = await run("cargo", ["test", "--quiet", "--test", test, "--", ...words]);
		if (code !== 0) process.exitCode = 1;
	} finally {
		await server.stop();
	}
}

try {
	const program = findOracle();
	await transcripts(program);
	await table(program);
	await differential(program, "differential", ["--seconds", `${SECONDS}`]);
	await differential(program, "rdb_differential", []);
} catch (error) {
	if (!(error instanceof NoOracle)) throw error;
	console.log(`skipped: ${error.message}`);
	summary(0, 0, 3);
}
