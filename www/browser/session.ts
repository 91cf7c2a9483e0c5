/** The key browser's way to the engine. */

import { ReplyError, type Session } from "redstart";

/** A reply that can be done without: undefined when the engine refuses, an ACL or a rename for instance. */
export function optional<T>(session: Session, name: string, ...args: (string | Uint8Array)[]): T | undefined {
	try {
		return session.call<T>(name, ...args);
	} catch (error) {
		if (error instanceof ReplyError) return undefined;
		throw error;
	}
}
