/** Keeps the page for offline use: all files at install, then from there; a new version replaces the old one whole. */

declare const __FILES__: readonly string[];
declare const __VERSION__: string;
declare const __HEADERS__: Readonly<Record<string, string>>;

/** The part of a service worker's scope that is used here. */
interface Scope {
	readonly registration: { readonly scope: string };
	readonly clients: { claim(): Promise<void> };
	skipWaiting(): Promise<void>;
	addEventListener(
		name: "install" | "activate",
		listener: (event: { waitUntil(work: Promise<unknown>): void }) => void,
	): void;
	addEventListener(
		name: "fetch",
		listener: (event: { readonly request: Request; respondWith(response: Promise<Response>): void }) => void,
	): void;
}

const scope = self as unknown as Scope;
const CACHE = `redstart-playground:${__VERSION__}`;

scope.addEventListener("install", (event) => {
	event.waitUntil(
		(async () => {
			const cache = await caches.open(CACHE);
			await cache.addAll(__FILES__.map((url) => new Request(url, { cache: "reload" })));
			await scope.skipWaiting();
		})(),
	);
});

scope.addEventListener("activate", (event) => {
	event.waitUntil(
		(async () => {
			const names = await caches.keys();
			const old = names.filter((name) => name.startsWith("redstart-playground:") && name !== CACHE);
			await Promise.all(old.map((name) => caches.delete(name)));
			await scope.clients.claim();
		})(),
	);
});

/** The same response, isolated from other origins, for the finer clock that comes with it. */
function isolated(response: Response): Response {
	const headers = new Headers(response.headers);
	for (const [name, value] of Object.entries(__HEADERS__)) headers.set(name, value);
	return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

async function answer(request: Request): Promise<Response> {
	const cache = await caches.open(CACHE);
	const url = new URL(request.url);
	const isPage = request.mode === "navigate";
	const kept = await cache.match(isPage ? new URL("./", scope.registration.scope).href : url.href, {
		ignoreSearch: true,
	});
	return kept ? isolated(kept) : fetch(request);
}

scope.addEventListener("fetch", (event) => {
	const { request } = event;
	if (request.method !== "GET" || !request.url.startsWith(scope.registration.scope)) return;
	event.respondWith(answer(request));
});
