// Runs the cases of a transcript against a host: anything that takes bytes of a client and gives bytes back.
// A host is { reset(), connect(client), send(client, bytes), settle(), wait(ms), close(client) }, each of which may be
// asynchronous; a host that lacks what came after its version has it as `version`; settle() returns a Map from client to { bytes, closed } with everything received since the last call.

import { Decoder, encodeCommand, isOlder, matches, print, printEvents } from "./format.mjs";

/** Whether a case is about a Redis newer than the host is. */
export const isBeyond = (host, testCase) =>
	testCase.since !== null && host.version !== undefined && isOlder(host.version, testCase.since);

/** Runs one case in one protocol and returns, per step, what each client received. */
export async function play(host, testCase, protocol) {
	await host.reset(testCase);
	const clients = new Map();
	const collect = async () => {
		const events = new Map();
		for (const [client, { bytes, closed }] of await host.settle()) {
			const decoder = clients.get(client);
			decoder.push(bytes);
			const values = decoder.all();
			if (closed) {
				values.push({ kind: "closed" });
				clients.delete(client);
			}
			if (values.length > 0) events.set(client, values);
		}
		return events;
	};
	const results = [];
	for (const step of testCase.steps) {
		if (step.kind === "send") {
			if (!clients.has(step.client)) {
				clients.set(step.client, new Decoder());
				await host.connect(step.client);
				if (protocol === 3) {
					await host.send(step.client, encodeCommand(["HELLO", "3"]));
					await collect();
				}
			}
			await host.send(step.client, step.bytes);
		} else if (step.kind === "wait") await host.wait(step.ms);
		else {
			await host.close(step.client);
			clients.delete(step.client);
		}
		results.push(await collect());
	}
	return results;
}

/** Whether what the clients received is what the step expects. */
export function agrees(expected, actual, order) {
	const clients = new Set([...expected.keys(), ...actual.keys()]);
	for (const client of clients) {
		const want = expected.get(client) ?? [];
		const got = actual.get(client) ?? [];
		// Several messages to one client come in the order of a hash table too.
		const list = (items) => ({ kind: "~", items });
		if (!matches(list(want), list(got), order)) return false;
	}
	return true;
}

/** Runs every case of a file in its protocols; `report` gets a text for each failure. Returns the counts. */
export async function runFile(host, file, name, report) {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	for (const testCase of file.cases) {
		if (isBeyond(host, testCase)) {
			counts.skipped += testCase.protocols.length;
			continue;
		}
		for (const protocol of testCase.protocols) {
			const failure = await runCase(host, file, testCase, protocol, name);
			if (failure === null) counts.passed++;
			else {
				counts.failed++;
				report(failure);
			}
		}
	}
	return counts;
}

async function runCase(host, file, testCase, protocol, name) {
	const where = `${name}:${testCase.line}: ${testCase.title} (RESP${protocol})`;
	let results;
	try {
		results = await play(host, testCase, protocol);
	} catch (error) {
		return `${where}\n  ${error.stack ?? error}`;
	}
	for (const [i, step] of testCase.steps.entries()) {
		const expected = step.expected[protocol];
		if (step.kind === "send" && !step.recorded)
			return `${where}\n  line ${step.line}: no expectation recorded`;
		if (!agrees(expected, results[i], step.order)) {
			const show = (events) =>
				printEvents(events, step.client)
					.map((line) => `    ${line}`)
					.join("\n");
			return `${where}\n  ${name}:${step.line}: ${file.lines[step.line - 1]}\n  expected\n${show(expected)}\n  got\n${show(results[i])}`;
		}
	}
	return null;
}

export { print };
