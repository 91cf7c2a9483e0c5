/** An empty project with the packed tarball installed, as a stranger would have it. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "../../scripts/shell.mjs";

export interface Project {
	dir: string;
	/** Where the installed package is. */
	installed: string;
	tarball: string;
	write(path: string, text: string): string;
	remove(): void;
}

/** Packs the package (pkg/ must be built) and installs it into a new folder. */
export function newProject(): Project {
	const dir = mkdtempSync(join(tmpdir(), "redstart-packed-"));
	execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", dir], { cwd: root });
	const tarball = join(dir, readdirSync(dir).find((name) => name.endsWith(".tgz")) ?? "no-tarball");
	const write = (path: string, text: string) => {
		mkdirSync(dirname(join(dir, path)), { recursive: true });
		writeFileSync(join(dir, path), text);
		return join(dir, path);
	};
	write("package.json", JSON.stringify({ name: "stranger", private: true, type: "module" }));
	execFileSync("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", tarball], { cwd: dir });
	const remove = () => rmSync(dir, { recursive: true, force: true });
	return { dir, installed: join(dir, "node_modules", "redstart"), tarball, write, remove };
}

/** A module that uses the package; the same text in every host. */
export const program = (specifier: string) => `
import { Redstart, ReplyError } from ${JSON.stringify(specifier)};

export async function run() {
	const db = await Redstart.open("memory://");
	db.set("greeting", "h\\u00e9llo");
	const replies = [db.get("greeting"), db.incr("n"), db.incrby("n", 41), db.call("GETRANGE", "greeting", "0", "0")];
	try {
		db.incr("greeting");
	} catch (error) {
		replies.push(error instanceof ReplyError ? error.message : String(error));
	}
	replies.push(db.eval("return {KEYS[1], #ARGV, math.floor(7 / 2)}", ["k"], ["a", "b"]));
	const add = db.script("return redis.call('INCRBY', KEYS[1], ARGV[1])", { keys: 1 });
	replies.push(add(["n"], [8]));
	const file = await db.exportRdb();
	const other = await Redstart.open("memory://");
	const { keys, length_bytes } = await other.importRdb(new Blob([file]));
	replies.push(String.fromCharCode(...file.subarray(0, 5)), keys, length_bytes === file.length, other.get("n"));
	await other.close();
	await db.close();
	return replies;
}
`;

/** What the program returns. */
export const EXPECTED = [
	"h\u00e9llo",
	1,
	42,
	"h",
	"ERR value is not an integer or out of range",
	["k", 2, 3],
	50,
	"REDIS",
	2,
	true,
	"50",
];
