/** A server for tests and tools: an engine behind a TCP or unix socket, in this process. */

import type { Engine } from "../engine.ts";
import { Server } from "./server.ts";

export interface ServeOptions {
	/** The TCP port; 0, the default, takes a free one. */
	port?: number;
	/** The address; 127.0.0.1 by default. */
	host?: string;
	/** A unix socket instead of TCP. */
	path?: string;
}

/** A server that runs. */
export interface Serving {
	/** The TCP port; 0 for a unix socket. */
	readonly port: number;
	readonly host: string;
	readonly path: string | undefined;
	/** How many clients are connected. */
	readonly clients: number;
	/** Closes every connection and stops listening; the database stays open. */
	close(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

/** Lets Redis clients reach a database of this process: `await using server = await serve(db)`. */
export async function serve(db: { readonly engine: Engine }, options: ServeOptions = {}): Promise<Serving> {
	const { port = 0, host = "127.0.0.1", path } = options;
	const server = new Server(db.engine);
	const chosen = await server.listen(path === undefined ? { port, host } : { path });
	const close = () => server.close();
	return {
		port: chosen,
		host,
		path,
		get clients() {
			return server.clients;
		},
		close,
		[Symbol.asyncDispose]: close,
	};
}
