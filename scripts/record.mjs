// `npm run record [-- group...]`: asks a real redis-server and writes its replies into tests/spec/<group>.resp.
// Commands, titles and comments stay as they are; an expectation that already agrees (matchers included) stays too.
// Every case is played twice: a reply that differs between the two needs a rule in tests/oracle/rules.mjs.
// `--check` writes nothing and fails when a recorded expectation is not what the server says.

import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { OracleHost } from "../tests/oracle/oracle.mjs";
import { generalise, orderFor } from "../tests/oracle/rules.mjs";
import { parse, printEvents } from "../tests/spec/format.mjs";
import { agrees, isBeyond, play } from "../tests/spec/runner.mjs";
import { filesUnder, isMain, root } from "./shell.mjs";

/** The transcripts of the given groups, or all. */
export function transcriptFiles(groups = []) {
	const all = filesUnder("tests/spec").filter((path) => path.endsWith(".resp"));
	return groups.length === 0 ? all : all.filter((path) => groups.includes(basename(path, ".resp")));
}

function generaliseEvents(step, events) {
	const result = new Map();
	for (const [client, values] of events) {
		const own = client === step.client;
		result.set(client, own ? values.map((value) => generalise(step.args, value)) : values);
	}
	return result;
}

async function recordCase(host, testCase, unstable) {
	const replies = {};
	for (const protocol of testCase.protocols) {
		const first = await play(host, testCase, protocol);
		const second = await play(host, testCase, protocol);
		replies[protocol] = first.map((events, i) => {
			const step = testCase.steps[i];
			const order = step.order === "exact" ? orderFor(step.args) : step.order;
			const expected = generaliseEvents(step, events);
			if (keeps(step, protocol, events, order) && keeps(step, protocol, second[i], order)) {
				return step.expected[protocol];
			}
			if (!agrees(expected, second[i], order)) unstable.push(step);
			return expected;
		});
	}
	return replies;
}

const keeps = (step, protocol, events, order) =>
	step.recorded && agrees(step.expected[protocol], events, order);

function stepLines(step, replies, index) {
	const [low, high] = [replies[2]?.[index], replies[3]?.[index]];
	const lines = printEvents(low ?? high, step.client);
	if (!low || !high) return lines;
	const other = printEvents(high, step.client);
	return other.join("\n") === lines.join("\n") ? lines : [...lines, ...other.map((line) => `3| ${line}`)];
}

/** Rewrites one file's expectations from the host; returns the new text and the steps whose replies vary. */
export async function recordFile(host, source) {
	const file = parse(source);
	const output = [];
	const unstable = [];
	let copied = 0;
	for (const testCase of file.cases) {
		// What the server is too old for stays as it was written.
		if (isBeyond(host, testCase)) continue;
		const replies = await recordCase(host, testCase, unstable);
		testCase.steps.forEach((step, index) => {
			output.push(...file.lines.slice(copied, step.line - 1));
			const order = step.order === "exact" ? orderFor(step.args) : "exact";
			if (order !== "exact") output.push(order === "pairs" ? "@unordered pairs" : "@unordered");
			output.push(file.lines[step.line - 1]);
			// Nothing to say about a wait or a close after which nobody received anything.
			const lines = stepLines(step, replies, index);
			if (step.kind === "send" || lines.join() !== "...") output.push(...lines);
			copied = step.to;
		});
	}
	output.push(...file.lines.slice(copied));
	return { text: output.join("\n"), unstable };
}

async function main() {
	const checking = process.argv.includes("--check");
	const groups = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
	const host = await new OracleHost().open();
	try {
		for (const path of transcriptFiles(groups)) {
			const source = readFileSync(join(root, path), "utf8");
			const { text, unstable } = await recordFile(host, source);
			for (const step of unstable) {
				console.log(`${path}:${step.line}: the reply varies and no rule says how`);
				process.exitCode = 1;
			}
			if (checking && text !== source) process.exitCode = 1;
			if (!checking && text !== source) writeFileSync(join(root, path), text);
			console.log(
				`${path}: ${text === source ? "unchanged" : checking ? "DIFFERS from the server" : "recorded"}`,
			);
		}
	} finally {
		await host.stop();
	}
}

if (isMain(import.meta.url)) await main();
