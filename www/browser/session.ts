/** The key browser's own connection, in bytes. It counts its calls, so that figures of the visitor's commands leave them out. */

import { type Redstart, ReplyError, type Session } from "redstart";

type Word = string | number | Uint8Array;

const utf8 = new TextDecoder();

export class KeySession {
	/** Commands run so far. */
	calls = 0;
	private readonly session: Session;

	constructor(database: Redstart, db: number) {
		this.session = database.session({ bytes: true });
		this.optional("CLIENT", "SETNAME", "key-browser");
		// Looking at keys does not make them young.
		this.optional("CLIENT", "NO-TOUCH", "ON");
		if (db > 0) this.call("SELECT", db);
	}

	call<T>(name: string, ...args: Word[]): T {
		this.calls++;
		return this.session.call<T>(name, ...args);
	}

	close(): void {
		this.session.close();
	}

	/** A reply that can be done without: undefined when the engine refuses, for an ACL or a rename for instance. */
	optional<T>(name: string, ...args: Word[]): T | undefined {
		try {
			return this.call<T>(name, ...args);
		} catch (error) {
			if (error instanceof ReplyError) return undefined;
			throw error;
		}
	}

	/** A status or a short string as text. */
	text(name: string, ...args: Word[]): string {
		const reply = this.optional<string | Uint8Array | null>(name, ...args);
		return reply instanceof Uint8Array ? utf8.decode(reply) : (reply ?? "");
	}

	/** When a key expires, in ms since 1970. */
	expires_ms(key: string | Uint8Array): number | undefined {
		const ttl_ms = Number(this.call("PTTL", key));
		return ttl_ms >= 0 ? Date.now() + ttl_ms : undefined;
	}
}
