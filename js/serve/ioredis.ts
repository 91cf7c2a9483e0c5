/** ioredis on a database of this process: its `Connector` option, with a stream where it expects a socket. */

import type { AbstractConnector } from "ioredis";
import type { Redstart } from "../redstart.ts";
import { SessionStream } from "./stream.ts";

/** What ioredis makes a connector of, once for each client. */
export type IoredisConnector = new (options: unknown) => AbstractConnector;

/**
 * The value of ioredis' option `Connector` for a database: `new Redis({ Connector: connectorFor(db) })`. Everything built
 * on ioredis then runs without a socket: each client is a session of its own. Closing the database closes them; after a
 * trap they connect anew, as after a server's restart.
 */
export function connectorFor(db: Redstart): IoredisConnector {
	/** Streams that are open, to be ended with the engine they belong to. */
	const streams = new Set<SessionStream>();
	const endAll = () => {
		for (const stream of streams) stream.destroy();
	};
	db.on("close", endAll);
	db.on("reopen", endAll);

	class Connector {
		private isWanted = false;
		private stream: SessionStream | undefined;

		/** Whether an instance found by its INFO will do; here there is only one. */
		check(): boolean {
			return true;
		}

		async connect(): Promise<SessionStream> {
			this.isWanted = true;
			// It cannot be used while it is rebuilt after a trap.
			await db.ready;
			if (!this.isWanted) throw new Error("Connection is closed.");
			if (db.isClosed) throw new Error("the database is closed");
			const stream = new SessionStream(db.engine);
			this.stream = stream;
			streams.add(stream);
			stream.once("close", () => streams.delete(stream));
			return stream;
		}

		disconnect(): void {
			this.isWanted = false;
			this.stream?.end();
		}
	}
	// The class of ioredis has protected members, and its stream is called a socket; it uses no more of it than this.
	return Connector as unknown as IoredisConnector;
}
