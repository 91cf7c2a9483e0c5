/**
 * PUBLISH across tabs and workers: what is published in one engine is heard in every engine of the same name in the
 * origin. A channel never hears itself, and what came from a channel is delivered locally only, so nothing goes round.
 */

import type { Engine } from "../engine.ts";

/** What travels: shard or not, channel, payload. */
type Envelope = readonly [isSharded: boolean, channel: Uint8Array, payload: Uint8Array];

export class Bridge {
	/** Where messages from elsewhere go; changes when the engine is rebuilt. */
	engine: Engine;
	private readonly channel: BroadcastChannel;

	constructor(name: string, engine: Engine) {
		this.engine = engine;
		this.channel = new BroadcastChannel(`redstart:${name}`);
		this.channel.onmessage = (event: MessageEvent) => {
			const envelope: unknown = event.data;
			if (isEnvelope(envelope)) this.engine.remotePublish(...envelope);
		};
		// In Node an open channel would keep the process alive.
		(this.channel as { unref?(): void }).unref?.();
	}

	static get isAvailable(): boolean {
		return typeof BroadcastChannel !== "undefined";
	}

	publish(isSharded: boolean, channel: Uint8Array, payload: Uint8Array): void {
		this.channel.postMessage([isSharded, channel, payload] satisfies Envelope);
	}

	close(): void {
		this.channel.close();
	}
}

/** Any page of the origin may post to the channel; what is no envelope is ignored. */
function isEnvelope(data: unknown): data is Envelope {
	return (
		Array.isArray(data) &&
		data.length === 3 &&
		typeof data[0] === "boolean" &&
		data[1] instanceof Uint8Array &&
		data[2] instanceof Uint8Array
	);
}
