/**
 * The output of a wire session on its way out: what answers commands goes when what they did is in storage, in its order.
 * Where nothing is stored it goes at once.
 */

import type { Engine } from "../engine.ts";

/** Where output goes. */
export interface Sink {
	send(output: Uint8Array): void;
	/** The engine wants the connection closed, now that everything is sent. */
	end(): void;
	/** What was held back is never sent: it would say that changes are stored that are not. */
	cut(): void;
}

export class Outlet {
	/** Bytes held back. */
	held_bytes = 0;
	private readonly engine: Engine;
	private readonly session: number;
	private readonly sink: Sink;
	private held = 0;
	private isCut = false;
	/** Resolves when all that is held back now is sent. */
	private last: Promise<void> = Promise.resolve();

	constructor(engine: Engine, session: number, sink: Sink) {
		this.engine = engine;
		this.session = session;
		this.sink = sink;
	}

	/** Takes what the engine has for the session. */
	flush(): void {
		const { engine, session, sink } = this;
		const output = engine.drain(session);
		const isClosing = engine.isClosing(session);
		const stored = engine.whenStored?.();
		if (this.isCut) return;
		if (stored || this.held > 0) {
			this.hold(output, isClosing, stored);
			return;
		}
		if (output !== undefined) sink.send(output);
		if (isClosing) sink.end();
	}

	/** Resolves when nothing is held back. */
	async sent(): Promise<void> {
		while (this.held > 0) await this.last;
	}

	private hold(output: Uint8Array | undefined, isClosing: boolean, stored: Promise<void> | undefined): void {
		const { sink, last } = this;
		this.held++;
		this.held_bytes += output?.length ?? 0;
		this.last = (async () => {
			await last;
			try {
				await stored;
			} catch {
				if (!this.isCut) sink.cut();
				this.isCut = true;
			}
			this.held--;
			this.held_bytes -= output?.length ?? 0;
			if (this.isCut) return;
			if (output !== undefined) sink.send(output);
			if (isClosing) sink.end();
		})();
	}
}
