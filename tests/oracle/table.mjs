// COMMAND INFO and COMMAND DOCS of every command the engine has, compared with the oracle's as structures. Sets and
// subcommands come in the order of a hash table in Redis and are compared without order. Not compared: the prose
// (summary, complexity) is our own, and there is no history.
// `node tests/oracle/table.mjs [PORT]` asks a running server instead of the engine in wasm.

import { isMain } from "../../scripts/shell.mjs";
import { isOlder } from "../spec/format.mjs";
import { engineInWasm } from "./engine.mjs";
import { Connection, startOracle } from "./oracle.mjs";

const OWN = new Set(["summary", "complexity", "history"]);

/** Maps as objects, sets as sorted arrays, the rest as text. */
function plain(value) {
	if (value.kind === "%") {
		const pairs = [];
		for (let i = 0; i < value.items.length; i += 2) {
			const name = value.items[i].text;
			if (!OWN.has(name)) pairs.push([name, plain(value.items[i + 1])]);
		}
		return Object.fromEntries(pairs);
	}
	if (!value.items) return value.kind === "_" ? null : value.text;
	const items = value.items.map(plain);
	return value.kind === "~" ? items.sort() : items;
}

const INFO_FIELDS = ["name", "arity", "flags", "first", "last", "step", "acl", "tips", "keys", "subcommands"];

/** One COMMAND INFO as an object; its subcommands as objects by name. */
function infoOf(value) {
	const info = Object.fromEntries(value.items.map((item, i) => [INFO_FIELDS[i], item]));
	const subcommands = info.subcommands.items.map(infoOf);
	const fields = INFO_FIELDS.slice(0, -1).map((field) => [field, plain(info[field])]);
	// A set of key specs is told in the order of the specs.
	const keys = info.keys.items.map(plain);
	return {
		...Object.fromEntries(fields),
		keys,
		subcommands: Object.fromEntries(subcommands.map((sub) => [sub.name, sub])),
	};
}

/** The places where two structures differ, each with what stands there. */
function* differences(expected, actual, path) {
	const [one, other] = [expected ?? null, actual ?? null];
	if (one === null || other === null || typeof one !== "object" || typeof other !== "object") {
		if (one !== other) yield `${path}: expected ${JSON.stringify(one)}, got ${JSON.stringify(other)}`;
		return;
	}
	for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
		yield* differences(one[name], other[name], `${path}.${name}`);
	}
}

/** Subcommands the engine does not have yet are no difference; those Redis does not have are. */
function onlyPresent(expected, actual) {
	const subcommands = Object.entries(expected.subcommands ?? {});
	const present = subcommands.filter(([name]) => actual.subcommands?.[name]);
	if (subcommands.length === 0) return expected;
	return {
		...expected,
		subcommands: Object.fromEntries(
			present.map(([name, sub]) => [name, onlyPresent(sub, actual.subcommands[name])]),
		),
	};
}

/** What a Redis of a version does not know yet: arguments and whole commands by their `since`. */
function onlyKnown(docs, version) {
	if (docs === null || typeof docs !== "object") return docs;
	const isKnown = (value) => !(value?.since && isOlder(version, value.since));
	if (Array.isArray(docs)) return docs.filter(isKnown).map((value) => onlyKnown(value, version));
	const known = Object.entries(docs).filter(([, value]) => isKnown(value));
	return Object.fromEntries(known.map(([name, value]) => [name, onlyKnown(value, version)]));
}

/** Compares the tables of two connections; returns how many commands were compared and the differences. */
export async function compareTables(oracle, engine) {
	await oracle.call("HELLO", "3");
	await engine.call("HELLO", "3");
	const version = /redis_version:(\S+)/.exec((await oracle.call("INFO", "server")).text)[1];
	const names = (await engine.call("COMMAND")).items.map((info) => info.items[0].text);
	const found = [];
	for (const name of names) {
		const allDocs = plain(await engine.call("COMMAND", "DOCS", name))[name];
		if (isOlder(version, allDocs.since)) continue;
		const ownDocs = onlyKnown(allDocs, version);
		const [info] = (await oracle.call("COMMAND", "INFO", name)).items;
		if (!info.items) {
			found.push(`${name}: Redis has no such command`);
			continue;
		}
		const [ownInfo] = (await engine.call("COMMAND", "INFO", name)).items.map(infoOf);
		const isKnown = ([sub]) => ownDocs.subcommands?.[sub] !== undefined;
		ownInfo.subcommands = Object.fromEntries(Object.entries(ownInfo.subcommands).filter(isKnown));
		found.push(...differences(onlyPresent(infoOf(info), ownInfo), ownInfo, name));
		const docs = plain(await oracle.call("COMMAND", "DOCS", name))[name];
		found.push(...differences(onlyPresent(docs, ownDocs), ownDocs, `${name} docs`));
	}
	return { commands: names.length, differences: found };
}

/** The engine in wasm with calls like a connection's. */
export async function wasmConnection() {
	const engine = await engineInWasm();
	engine.reset();
	return { call: async (...args) => engine.pipeline([args])[0] };
}

async function main() {
	const server = await startOracle();
	try {
		const port = process.argv[2];
		const engine = port ? await Connection.open(Number(port)) : await wasmConnection();
		const result = await compareTables(server.control, engine);
		result.differences.map((difference) => console.log(difference));
		console.log(`${result.commands} commands, ${result.differences.length} differences`);
		if (port) engine.close();
	} finally {
		await server.stop();
	}
}

if (isMain(import.meta.url)) await main();
