/** The built package, as its users have it. */

import type * as Package from "../../js/index.ts";

export async function loadPackage(): Promise<typeof Package> {
	const path = "../../pkg/node.js";
	return (await import(path)) as typeof Package;
}
