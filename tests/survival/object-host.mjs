// `node object-host.mjs FOLDER MODE` runs the Worker of object.mjs in workerd, with its storage in a folder, and prints its
// address. Leads the process group that is killed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { root } from "../../scripts/shell.mjs";

const [folder, mode] = process.argv.slice(2);
const text = (name, ...path) => ({
	type: "ESModule",
	path: `/${name}`,
	contents: readFileSync(join(root, ...path, name), "utf8"),
});
const worker = new Miniflare({
	modulesRoot: "/",
	modules: [
		text("object.mjs", "tests", "survival"),
		text("stream.mjs", "tests", "survival"),
		text("workerd.js", "pkg"),
		text("storage.js", "pkg"),
		{
			type: "CompiledWasm",
			path: "/redstart_bg.wasm",
			contents: readFileSync(join(root, "pkg", "redstart_bg.wasm")),
		},
	],
	compatibilityDate: "2026-07-01",
	durableObjects: { DATABASE: { className: "Database", useSQLite: true } },
	durableObjectsPersist: folder,
	bindings: { MODE: mode },
});
console.log(`ready ${await worker.ready}`);
