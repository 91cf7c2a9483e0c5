import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { defineConfig, type Plugin } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const pkg = fileURLToPath(new URL("../pkg/", import.meta.url));

/** Nothing from elsewhere, no eval; xterm sets styles from script. */
const POLICY = [
	"default-src 'none'",
	"script-src 'self' 'wasm-unsafe-eval'",
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data:",
	"font-src 'self'",
	"connect-src 'self'",
	"worker-src 'self'",
	"manifest-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
].join("; ");

/** Isolated pages have a clock of 5 us instead of 100 us, and the status bar tells times of single commands. */
const HEADERS = {
	"Cross-Origin-Opener-Policy": "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
};

/** The engine's module lies beside this page: its copy as text would only be dead weight. */
function withoutTextCopy(): Plugin {
	return {
		name: "without-text-copy",
		enforce: "pre",
		resolveId: (id) => (id.endsWith("/wasm-text.js") ? "\0no-text-copy" : undefined),
		load: (id) =>
			id === "\0no-text-copy"
				? "export default () => Promise.reject(new Error('the engine cannot be fetched'));"
				: undefined,
	};
}

/** The terminal explains commands with the module that has COMMAND DOCS' prose: the other would only be a second one. */
function withDocs(): Plugin {
	return {
		name: "with-docs",
		enforce: "pre",
		transform: (code, id) =>
			id === join(pkg, "browser.js")
				? code.replace("./redstart_bg.wasm", "./redstart_docs_bg.wasm")
				: undefined,
	};
}

/** The policy, in builds only as the development server needs more; and the script that runs before the first paint. */
function pageHead(): Plugin {
	let isBuild = false;
	return {
		name: "page-head",
		configResolved(config) {
			isBuild = config.command === "build";
		},
		transformIndexHtml: {
			order: "post",
			handler: () => [
				...(isBuild
					? [
							{
								tag: "meta",
								attrs: { "http-equiv": "Content-Security-Policy", content: POLICY },
								injectTo: "head-prepend" as const,
							},
						]
					: []),
				{ tag: "script", attrs: { src: "./theme.js" }, injectTo: "head" as const },
			],
		},
	};
}

/** The worker that keeps the page for offline use, with the list of everything that was built. */
function serviceWorker(): Plugin {
	return {
		name: "service-worker",
		apply: "build",
		enforce: "post",
		async generateBundle(_, bundle) {
			const hash = createHash("sha256");
			const files: string[] = [];
			for (const [name, output] of Object.entries(bundle).sort(([a], [b]) => (a < b ? -1 : 1))) {
				hash.update(name).update(output.type === "chunk" ? output.code : output.source);
				files.push(name);
			}
			for (const name of readdirSync(join(here, "public")).sort()) {
				hash.update(name).update(readFileSync(join(here, "public", name)));
				files.push(name);
			}
			const urls = ["./", ...files.filter((name) => name !== "index.html").map((name) => `./${name}`)];
			const { code } = await transform(readFileSync(join(here, "offline", "sw.ts"), "utf8"), {
				loader: "ts",
				target: "es2022",
				minify: true,
				define: {
					__FILES__: JSON.stringify(urls),
					__VERSION__: JSON.stringify(hash.digest("hex").slice(0, 16)),
					__HEADERS__: JSON.stringify(HEADERS),
				},
			});
			this.emitFile({ type: "asset", fileName: "sw.js", source: code });
		},
	};
}

export default defineConfig({
	root: here,
	base: "./",
	resolve: { alias: { redstart: join(pkg, "browser.js") } },
	plugins: [withoutTextCopy(), withDocs(), pageHead(), serviceWorker()],
	build: {
		target: "es2022",
		outDir: "dist",
		emptyOutDir: true,
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		chunkSizeWarningLimit: 800,
	},
	server: { headers: HEADERS, fs: { allow: [fileURLToPath(new URL("..", import.meta.url))] } },
	preview: { headers: HEADERS },
});
