// `npm run fuzz:oracle [-- --seconds 600 --seed N --only hash,DEL --length 200 --finds FOLDER]`: random command streams on
// a redis-server of its own and on the engine (tests/differential.rs).

import { run } from "../../scripts/shell.mjs";
import { startOracle } from "./oracle.mjs";

const server = await startOracle();
try {
	const words = ["--address", `127.0.0.1:${server.port}`, ...process.argv.slice(2)];
	const { code } = await run("cargo", ["test", "--quiet", "--test", "differential", "--", ...words]);
	process.exitCode = code;
} finally {
	await server.stop();
}
