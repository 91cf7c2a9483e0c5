/** What a connection has become through the commands that ran on it; the prompt shows it. */

import { type RespNode, textOf } from "../engine/resp.ts";

export class SessionState {
	db = 0;
	protocol: 2 | 3 = 2;
	isMulti = false;
	isMonitor = false;
	/** Channels and patterns subscribed to. */
	subscriptions = 0;
	/** The database that a queued SELECT will choose. */
	private queuedDb: number | undefined;

	get prompt(): string {
		if (this.isMonitor) return "redstart(monitor)> ";
		if (this.subscriptions > 0) return "redstart(subscribed mode)> ";
		const db = this.db > 0 ? `[${this.db}]` : "";
		return `redstart${db}${this.isMulti ? "(TX)" : ""}> `;
	}

	/** Learns from a command and what it answered. */
	observe(words: readonly string[], replies: readonly RespNode[]): void {
		const name = (words[0] ?? "").toLowerCase();
		const reply = replies.at(-1);
		if (!reply) return;
		if (/^[ps]?(un)?subscribe$/.test(name)) {
			if ("items" in reply) this.subscriptions = Number(textOf(reply.items[2])) || 0;
			return;
		}
		if (name === "exec" || name === "discard") {
			this.isMulti = false;
			if (name === "exec" && reply.kind === "array" && this.queuedDb !== undefined) this.db = this.queuedDb;
			this.queuedDb = undefined;
			return;
		}
		if (reply.kind === "error") return;
		if (name === "multi") this.isMulti = true;
		else if (name === "select" && this.isMulti) this.queuedDb = Number(words[1]);
		else if (this.isMulti && name !== "reset") return;
		else if (name === "select") this.db = Number(words[1]);
		else if (name === "hello" && words[1]) this.protocol = words[1] === "3" ? 3 : 2;
		else if (name === "monitor") this.isMonitor = true;
		else if (name === "reset") this.forget();
	}

	/** A new connection. */
	forget(): void {
		this.db = 0;
		this.protocol = 2;
		this.isMulti = false;
		this.isMonitor = false;
		this.subscriptions = 0;
		this.queuedDb = undefined;
	}
}
