/** A connection without a socket: a Node stream whose other end is a session of an engine in this process. */

import { Duplex } from "node:stream";
import type { Engine } from "../engine.ts";
import { Outlet } from "./outlet.ts";

/** Output of a client that does not read may pile up to this; then its input waits. */
const OUTPUT_PAUSE_BYTES = 1 << 20;

/**
 * While its input waits, a client gets only messages. One that lets more than this pile up is cut off, as the default
 * `client-output-buffer-limit pubsub 32mb` does.
 */
const MESSAGES_LIMIT_BYTES = 32 << 20;

/** What a client writes is fed to the session at once; what the session answers is there to read. */
export class SessionStream extends Duplex {
	private readonly engine: Engine;
	private readonly session: number;
	private readonly outlet: Outlet;
	/** Goes on with the input that waits until the client reads. */
	private resumeInput: (() => void) | undefined;
	private isEnded = false;

	constructor(engine: Engine) {
		super({ readableHighWaterMark: OUTPUT_PAUSE_BYTES, decodeStrings: true, allowHalfOpen: false });
		this.engine = engine;
		this.session = engine.connectWire({
			onReady: () => this.flush(),
			onDisconnect: () => this.destroy(),
		});
		this.outlet = new Outlet(engine, this.session, {
			send: (output) => this.send(output),
			end: () => this.finish(),
			cut: () => this.destroy(),
		});
	}

	/** Hands on what the engine has for this client. */
	private flush(): void {
		if (!this.isEnded && !this.destroyed) this.outlet.flush();
	}

	private send(output: Uint8Array): void {
		if (this.isEnded || this.destroyed) return;
		this.push(output);
		if (this.waiting_bytes > MESSAGES_LIMIT_BYTES) this.destroy();
	}

	/** Output that the client has not read. */
	private get waiting_bytes(): number {
		return this.readableLength + this.outlet.held_bytes;
	}

	private finish(): void {
		if (this.isEnded || this.destroyed) return;
		this.isEnded = true;
		this.push(null);
	}

	override _read(): void {
		const resume = this.resumeInput;
		this.resumeInput = undefined;
		resume?.();
	}

	override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
		try {
			if (!this.isEnded) this.engine.feed(this.session, bytes);
		} catch (error) {
			done(error as Error);
			return;
		}
		// Clients count on no answer before `write` returns. By then the engine has handed on what there is.
		queueMicrotask(() => {
			if (this.waiting_bytes < OUTPUT_PAUSE_BYTES) done();
			else this.resumeInput = done;
		});
	}

	/** Half-closed is closed, as for Redis; what was asked before is answered. */
	override _final(done: (error?: Error | null) => void): void {
		try {
			this.flush();
		} catch (error) {
			done(error as Error);
			return;
		}
		void this.outlet.sent().then(() => {
			this.finish();
			done();
		});
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.resumeInput = undefined;
		try {
			this.engine.disconnect(this.session);
		} catch {
			// The engine is gone, and its sessions with it.
		}
		done(error);
	}

	// What clients ask of a socket, and what means nothing here.

	setNoDelay(): this {
		return this;
	}

	setKeepAlive(): this {
		return this;
	}

	setTimeout(): this {
		return this;
	}

	ref(): this {
		return this;
	}

	unref(): this {
		return this;
	}
}
