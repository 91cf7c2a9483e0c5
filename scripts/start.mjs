// `npm start`: set-up, build, then serve the playground and print its URL.
// `--dev` serves it from its sources with hot reload and a debug engine; `--port N` and `--host H` as Vite takes them.

import { join } from "node:path";
import { build } from "./build.mjs";
import { setUp } from "./setup.mjs";
import { root } from "./shell.mjs";

function option(name, fallback) {
	const at = process.argv.indexOf(`--${name}`);
	return at < 0 ? fallback : process.argv[at + 1];
}

const problems = await setUp({ without: ["browser"] });
if (problems.length > 0) {
	console.error("[start] cannot start; what is missing stands above");
	process.exit(1);
}

const dev = process.argv.includes("--dev");
const www = join(root, "www");
const address = { port: Number(option("port", 5173)), host: option("host", "localhost") };
try {
	await build({ dev });
	const vite = await import("vite");
	if (dev) {
		const server = await vite.createServer({ root: www, server: address });
		await server.listen();
		server.printUrls();
	} else {
		await vite.build({ root: www, logLevel: "warn" });
		const server = await vite.preview({ root: www, preview: address });
		server.printUrls();
	}
} catch (error) {
	console.error(`[start] ${error.stack ?? error}`);
	process.exit(1);
}
