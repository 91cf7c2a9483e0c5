// `npm run fuzz:oracle [-- --seconds 600 --seed N --only hash,DEL --length 200 --finds FOLDER]`: random command streams on
// a redis-server of its own and on the engine (tests/differential.rs). `npm run fuzz:lua [-- --seconds 600 --seed N
// --spoilt 40 --finds FOLDER]`: random Lua programs (tests/lua_differential.rs). `npm run fuzz:rdb [-- --seed N --values 20000
// --damaged 20000]`: RDB files and payloads of DUMP (tests/rdb_differential.rs).

import { run } from "../../scripts/shell.mjs";
import { startOracle } from "./oracle.mjs";

const TESTS = { lua: "lua_differential", rdb: "rdb_differential" };
const test = TESTS[process.argv[2]] ?? "differential";
const isLua = process.argv[2] === "lua";
// Programs may not end: the server is to take a kill soon.
const settings = ["--lua-enable-deprecated-api", "yes", "--busy-reply-threshold", "200"];
const server = await startOracle(undefined, isLua ? settings : []);
try {
	const isNamed = process.argv[2] in TESTS;
	const words = ["--address", `127.0.0.1:${server.port}`, ...process.argv.slice(isNamed ? 3 : 2)];
	const { code } = await run("cargo", ["test", "--quiet", "--test", test, "--", ...words]);
	process.exitCode = code;
} finally {
	await server.stop();
}
