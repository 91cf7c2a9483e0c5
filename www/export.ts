/** The dataset as a file of commands that redis-cli takes, and back. */

import type { Redstart } from "redstart";
import { KeySession } from "./browser/session.ts";
import { quoteBytes } from "./terminal/format.ts";

/** Lines that make the same keys in any Redis: strings as SET, other types as RESTORE of their DUMP. */
export async function exportCommands(database: Redstart): Promise<string> {
	const session = new KeySession(database, 0);
	const lines: string[] = [];
	try {
		for (let db = 0; db < 16; db++) {
			session.call("SELECT", db);
			if (Number(session.call("DBSIZE")) === 0) continue;
			if (db > 0) lines.push(`SELECT ${db}`);
			let cursor: string | Uint8Array = "0";
			do {
				const [next, keys]: [Uint8Array, Uint8Array[]] = session.call("SCAN", cursor, "COUNT", 1000);
				for (const key of keys) lines.push(...commandsFor(session, key));
				cursor = next;
				await new Promise((resolve) => setTimeout(resolve));
			} while (!(cursor.length === 1 && cursor[0] === 48));
		}
	} finally {
		session.close();
	}
	return `${lines.join("\n")}\n`;
}

function commandsFor(session: KeySession, key: Uint8Array): string[] {
	const dump = session.call<Uint8Array | null>("DUMP", key);
	// It expired since the scan.
	if (!dump) return [];
	const name = quoteBytes(key);
	const type = session.text("TYPE", key);
	const expires = String(session.call<number>("PEXPIRETIME", key));
	if (type !== "string") {
		return [
			`RESTORE ${name} ${expires === "-1" ? "0" : expires} ${quoteBytes(dump)} REPLACE${expires === "-1" ? "" : " ABSTTL"}`,
		];
	}
	const value = quoteBytes(session.call<Uint8Array>("GET", key));
	return [`SET ${name} ${value}${expires === "-1" ? "" : ` PXAT ${expires}`}`];
}

/** Hands a text to the visitor as a file. */
export function download(name: string, text: string): void {
	downloadBlob(name, new Blob([text], { type: "text/plain" }));
}

export function downloadBlob(name: string, content: Blob): void {
	const url = URL.createObjectURL(content);
	const link = document.createElement("a");
	link.href = url;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
