// Bundles the TypeScript face into pkg/: one flat module for each host, declarations, and the module as text.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as esbuild from "esbuild";
import { isMain, root, run } from "./shell.mjs";

const pkg = join(root, "pkg");
const wasm = join(pkg, "redstart_bg.wasm");

/** Hosts, and what stays outside of their bundle. */
const ENTRIES = [
	{ name: "browser", platform: "browser", external: ["./wasm-text.js", "./opfs.js"] },
	{ name: "node", platform: "node", external: ["./redstart_bg.wasm"] },
	{ name: "workerd", platform: "neutral", external: ["./redstart_bg.wasm"] },
	{ name: "edge", platform: "neutral", external: ["./redstart_bg.wasm"] },
	{ name: "storage", platform: "neutral", external: [] },
	{ name: "storage-node", platform: "node", external: [] },
	{ name: "inline", platform: "neutral", external: ["./wasm-text.js", "./opfs.js"] },
	{ name: "opfs", platform: "browser", external: [] },
	{ name: "wasm-text", platform: "neutral", external: [] },
	{ name: "serve", platform: "node", external: [] },
	{ name: "ioredis", platform: "node", external: [] },
	{ name: "cli", platform: "node", external: [] },
];

/**
 * wasm-bindgen's script serves one instance a page; a database has one each, and a new one after a trap. So its body
 * becomes a function, without the parts that fetch.
 */
export function glueSource(script) {
	const from = script.indexOf("async function __wbg_load(");
	const body = script.slice(0, from).replaceAll(/^export /gm, "");
	if (from < 0 || !body.includes("function __wbg_finalize_init(") || body.includes("import.meta")) {
		throw new Error("wasm-bindgen's script is not as expected");
	}
	const names = [...script.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);
	return `export default function makeGlue() {
${body}
const instantiate = (module) =>
	__wbg_finalize_init(new WebAssembly.Instance(module, __wbg_get_imports()), module);
return { instantiate, ${names.join(", ")} };
}`;
}

const fromPkg = {
	name: "from-pkg",
	setup(build) {
		build.onResolve({ filter: /^redstart-glue$/ }, () => ({ path: "glue", namespace: "glue" }));
		build.onLoad({ filter: /.*/, namespace: "glue" }, () => ({
			contents: glueSource(readFileSync(join(pkg, "redstart.js"), "utf8")),
		}));
		build.onResolve({ filter: /^redstart-wasm-as-base64$/ }, () => ({ path: wasm, namespace: "base64" }));
		build.onLoad({ filter: /.*/, namespace: "base64" }, () => ({
			contents: `export default ${JSON.stringify(readFileSync(wasm).toString("base64"))}`,
		}));
		// Shared by two hosts and fetched when wanted, so files of their own.
		build.onResolve({ filter: /\/(wasm-text|entry\/opfs)\.ts$/ }, ({ kind, path }) =>
			kind === "entry-point" ? undefined : { path: `./${basename(path, ".ts")}.js`, external: true },
		);
	},
};

async function bundle({ name, platform, external }) {
	await esbuild.build({
		entryPoints: [join(root, "js", "entry", `${name}.ts`)],
		outfile: join(pkg, `${name}.js`),
		bundle: true,
		format: "esm",
		target: "es2022",
		platform,
		external,
		// Names stay: minified properties would gain little and cost every stack trace.
		minifyWhitespace: true,
		minifySyntax: true,
		minifyIdentifiers: true,
		legalComments: "none",
		plugins: [fromPkg],
		logLevel: "warning",
	});
}

/** What each entry's declarations are made of. */
const DECLARATIONS = {
	index: ["index"],
	edge: ["index", "edge/kv", "storage/durable-object", "storage/kv"],
	storage: ["entry/storage"],
	"storage-node": ["entry/storage-node"],
	serve: ["entry/serve"],
	ioredis: ["entry/ioredis"],
};

/** Declarations of what is public, beside the bundles. */
async function declare() {
	const types = join(pkg, "types");
	rmSync(types, { recursive: true, force: true });
	const flags = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--stripInternal"];
	const where = ["--rootDir", "js", "--outDir", types, "--types", "node"];
	const options = ["--target", "ES2022", "--module", "ESNext", "--moduleResolution", "Bundler", "--strict"];
	const lib = ["--lib", "ES2023,ESNext.Disposable,DOM,DOM.Iterable,DOM.AsyncIterable"];
	const more = ["--allowImportingTsExtensions", "--skipLibCheck", "--ignoreConfig"];
	const { code } = await run(
		"tsc",
		[
			"js/index.ts",
			"js/edge/kv.ts",
			"js/entry/storage.ts",
			"js/entry/storage-node.ts",
			"js/entry/serve.ts",
			"js/entry/ioredis.ts",
			...flags,
			...where,
			...options,
			...lib,
			...more,
		],
		{
			show: "failure",
		},
	);
	if (code !== 0) throw new Error("the declarations do not compile");
	for (const file of readdirSync(types, { recursive: true })) {
		if (!file.endsWith(".d.ts")) continue;
		const path = join(types, file);
		const text = readFileSync(path, "utf8");
		writeFileSync(
			path,
			text
				.replaceAll(/(from "\.{1,2}\/[^"]+)\.ts"/g, '$1.js"')
				.replaceAll(/(import\("\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'),
		);
	}
	for (const [name, parts] of Object.entries(DECLARATIONS)) {
		const lines = parts.map(
			(part) => `export * from "./types/${part}.js";
`,
		);
		writeFileSync(join(pkg, `${name}.d.ts`), lines.join(""));
	}
}

export async function buildJs() {
	if (!existsSync(wasm)) throw new Error("pkg/redstart_bg.wasm is missing: build the engine first");
	await Promise.all(ENTRIES.map(bundle));
	await declare();
}

if (isMain(import.meta.url)) await buildJs();
