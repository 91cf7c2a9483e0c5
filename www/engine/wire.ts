/** A connection that speaks RESP, as redis-cli has one: the terminal shows what the wire says. */

import type { Engine } from "../../js/index.ts";
import { encodeCommand, RespDecoder, type RespNode } from "./resp.ts";

export interface Exchange {
	/** One reply, or several confirmations of a (un)subscribe. */
	readonly replies: readonly RespNode[];
	/** From the request's first byte in to the reply's last byte out, in us. */
	readonly elapsed_us: number;
}

export interface WireEvents {
	/** What nobody asked for just now: messages, invalidations, lines of MONITOR. */
	onPush(node: RespNode): void;
	/** The engine ended the session. */
	onClosed(): void;
}

const SUBSCRIPTION = /^[ps]?(?:un)?subscribe$/i;

export class WireSession {
	private readonly engine: Engine;
	private readonly events: WireEvents;
	private readonly id: number;
	private readonly decoder = new RespDecoder();
	private waiter: { resolve(node: RespNode | undefined): void } | undefined;
	private isOpen = true;

	constructor(engine: Engine, events: WireEvents) {
		this.engine = engine;
		this.events = events;
		this.id = engine.connectWire({
			onReady: () => {
				for (const node of this.receive()) this.deliver(node);
			},
			onDisconnect: () => this.end(),
		});
	}

	get isWaiting(): boolean {
		return this.waiter !== undefined;
	}

	/** Sends a command. Resolves with its reply; with none when the session ends first. */
	async call(args: readonly Uint8Array[]): Promise<Exchange> {
		const name = new TextDecoder().decode(args[0]);
		const request = encodeCommand(args);
		const from_ms = performance.now();
		this.engine.feed(this.id, request);
		const nodes = this.receive();
		const elapsed_us = (performance.now() - from_ms) * 1000;
		if (SUBSCRIPTION.test(name) && nodes.length > 0) return this.finish(nodes, elapsed_us);
		const replies = nodes.filter((node) => node.kind !== "push");
		for (const node of nodes) if (node.kind === "push") this.events.onPush(node);
		if (replies.length > 0) return this.finish(replies.slice(0, 1), elapsed_us, replies.slice(1));
		if (!this.isOpen) return { replies: [], elapsed_us };
		const late = await new Promise<RespNode | undefined>((resolve) => {
			this.waiter = { resolve };
		});
		return { replies: late ? [late] : [], elapsed_us: (performance.now() - from_ms) * 1000 };
	}

	private finish(replies: RespNode[], elapsed_us: number, unasked: readonly RespNode[] = []): Exchange {
		for (const node of unasked) this.events.onPush(node);
		if (this.isOpen && this.engine.isClosing(this.id)) this.close();
		return { replies, elapsed_us };
	}

	private receive(): RespNode[] {
		const nodes: RespNode[] = [];
		if (!this.isOpen) return nodes;
		for (;;) {
			const bytes = this.engine.drain(this.id);
			if (!bytes) return nodes;
			this.decoder.push(bytes);
			for (let node = this.decoder.next(); node; node = this.decoder.next()) nodes.push(node);
		}
	}

	private deliver(node: RespNode): void {
		const { waiter } = this;
		if (!waiter || node.kind === "push") this.events.onPush(node);
		else {
			this.waiter = undefined;
			waiter.resolve(node);
		}
	}

	private end(): void {
		if (!this.isOpen) return;
		for (const node of this.receive()) this.deliver(node);
		this.isOpen = false;
		this.waiter?.resolve(undefined);
		this.waiter = undefined;
		this.events.onClosed();
	}

	/** Hangs up; a command that waits gets no reply. */
	close(): void {
		if (!this.isOpen) return;
		const { id } = this;
		this.end();
		this.engine.disconnect(id);
	}

	/** Forgets a session whose engine is gone. */
	abandon(): void {
		this.isOpen = false;
		this.waiter?.resolve(undefined);
		this.waiter = undefined;
	}
}
