/** The suite of storage.conformance.ts for drivers that run in the process of the tests. */

import { describe, it } from "vitest";
import { CASES, type Place } from "./storage.conformance.ts";

/** Every case, in a place that `placeFor` makes for it, which may bring what removes it. */
export function conforms(
	what: string,
	placeFor: (name: string) => Place & { remove?(): void | Promise<void> },
): void {
	describe(what, () => {
		it.each(CASES.map((one) => [one.name, one] as const))("%s", async (name, { run }) => {
			const place = placeFor(name);
			try {
				await run(place);
			} finally {
				await place.remove?.();
			}
		});
	});
}
