/** Ends the script that runs. */

import type { Redstart } from "redstart";

/** Ends it unless it has written; why not, or undefined. A connection over RESP would have to wait some seconds for that. */
export function killScript(database: Redstart): string | undefined {
	for (const kind of ["SCRIPT", "FUNCTION"]) {
		try {
			database.call(kind, "KILL");
			return undefined;
		} catch (error) {
			const { message } = error as Error;
			if (!message.startsWith("NOTBUSY")) return message;
		}
	}
	return undefined;
}
