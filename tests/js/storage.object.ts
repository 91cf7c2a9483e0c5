/** A Worker whose Durable Object runs a case of the storage suite in its own storage; each case has an object of its own. */

import { DurableObjectStorage, type ObjectStorage } from "../../js/storage/durable-object.ts";
import { CASES } from "./storage.conformance.ts";

interface Bindings {
	BOX: {
		idFromName(name: string): unknown;
		get(id: unknown): { fetch(request: Request): Promise<Response> };
	};
}

export class Box {
	private readonly storage: ObjectStorage;

	constructor(context: { storage: ObjectStorage }) {
		this.storage = context.storage;
	}

	async fetch(request: Request): Promise<Response> {
		const name = await request.text();
		const one = CASES.find((other) => other.name === name);
		try {
			if (!one) throw new Error(`no case "${name}"`);
			await one.run({
				open: () => new DurableObjectStorage(this.storage),
				isFenced: true,
				hasLog: true,
			});
			return new Response("");
		} catch (error) {
			return new Response((error as Error).stack ?? String(error));
		}
	}
}

export default {
	async fetch(request: Request, { BOX }: Bindings): Promise<Response> {
		const name = await request.text();
		const box = BOX.get(BOX.idFromName(name));
		return box.fetch(new Request(request.url, { method: "POST", body: name }));
	},
};
