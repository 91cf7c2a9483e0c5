// Records how redis-cli prints replies: `node tests/www/record-replies.mjs PORT` asks the redis-server on PORT (with
// --enable-debug-command yes) and writes replies.json: the command, the reply's bytes, the text of redis-cli --no-raw.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";

const port = process.argv[2] ?? "6379";

const COMMANDS = [
	["PING"],
	["ECHO", "hello"],
	["ECHO", ""],
	["ECHO", 'tab\t quote" back\\ bell\x07 bs\b nl\n cr\r nul\x01 del\x7f'],
	["ECHO", "caf\u00e9 \u4e16"],
	["INCRBY"],
	["NOSUCH", "a", "b"],
	["GET", "there is no such key"],
	["STRLEN", "there is no such key"],
	["EVAL", "return {1,2,3}", "0"],
	["EVAL", "return {}", "0"],
	["EVAL", "return {'a',{'b',{'c',{}}},{1}}", "0"],
	["EVAL", "return {{{{1}}}}", "0"],
	["EVAL", "return {{1,2},{3,{4,5},6}}", "0"],
	["EVAL", "local t={} for i=1,12 do t[i]=i end return t", "0"],
	["EVAL", "local t={} for i=1,11 do t[i]={i,{i}} end return t", "0"],
	["EVAL", "return {1,redis.error_reply('ERR inside'),redis.status_reply('FINE')}", "0"],
	["EVAL", "redis.setresp(3) return {map={a=1}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={1,2}}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={1}}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={{1}}}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={}}}", "0"],
	["EVAL", "redis.setresp(3) return {map={}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={map={b={map={c=1}}}}}}", "0"],
	["EVAL", "redis.setresp(3) return {map={a={map={b={set={c=true}}}}}}", "0"],
	["EVAL", "redis.setresp(3) return {{map={a={1,2}}},{set={x=true}}}", "0"],
	["EVAL", "redis.setresp(3) return {set={}}", "0"],
	["EVAL", "redis.setresp(3) return {double=3.25}", "0"],
	["EVAL", "redis.setresp(3) return {double=1e100}", "0"],
	["EVAL", "redis.setresp(3) return true", "0"],
	["EVAL", "redis.setresp(3) return {true,false}", "0"],
	["DEBUG", "PROTOCOL", "double"],
	["DEBUG", "PROTOCOL", "null"],
	["DEBUG", "PROTOCOL", "array"],
	["DEBUG", "PROTOCOL", "set"],
	["DEBUG", "PROTOCOL", "map"],
	["DEBUG", "PROTOCOL", "verbatim"],
	["DEBUG", "PROTOCOL", "true"],
	["DEBUG", "PROTOCOL", "false"],
	["COMMAND", "INFO", "GET", "nosuch"],
	["COMMAND", "DOCS", "PING"],
	["COMMAND", "DOCS", "nosuch"],
	["COMMAND", "GETKEYSANDFLAGS", "SET", "k", "v"],
	["CONFIG", "GET", "maxmemory*"],
	["CONFIG", "GET", "nosuch"],
	["CLUSTER", "SLOTS"],
	["MEMORY", "DOCTOR"],
	["LOLWUT", "VERSION", "1"],
];

/** The bytes of one reply: all that comes until the connection is closed by QUIT, whose +OK is cut off. */
function ask(protocol, words) {
	return new Promise((resolve, reject) => {
		const parts = [];
		const socket = connect(Number(port), "127.0.0.1");
		const encode = (list) =>
			`*${list.length}\r\n${list.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
		socket.on("error", reject);
		socket.on("data", (data) => parts.push(data));
		socket.on("close", () => {
			const all = Buffer.concat(parts).toString("latin1");
			const from = all.indexOf("+MARK\r\n") + 7;
			resolve(Buffer.from(all.slice(from, all.lastIndexOf("+OK\r\n")), "latin1").toString("base64"));
		});
		socket.write(
			encode(["HELLO", protocol]) +
				encode(["EVAL", "return {ok='MARK'}", "0"]) +
				encode(words) +
				encode(["QUIT"]),
		);
	});
}

const recorded = [];
for (const protocol of ["2", "3"]) {
	for (const words of COMMANDS) {
		const { stdout, stderr, status } = spawnSync(
			"redis-cli",
			["-p", port, "--no-raw", `-${protocol}`, ...words],
			{
				encoding: "latin1",
			},
		);
		if (status !== 0 && !stdout) throw new Error(`${words.join(" ")}: ${stderr}`);
		const wire = await ask(protocol, words);
		recorded.push({ protocol, words, wire, text: Buffer.from(stdout, "latin1").toString("base64") });
	}
}
const ascii = JSON.stringify(recorded, null, "\t").replaceAll(
	/[^\x00-\x7f]/g,
	(c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
);
writeFileSync(new URL("replies.json", import.meta.url), `${ascii}\n`);
console.log(`${recorded.length} replies recorded`);
