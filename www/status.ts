/** The bar at the bottom: is it saved, how much is there, how fast is it. */

import type { Redstart } from "redstart";
import { byId, formatBytes, formatCount } from "./dom.ts";
import type { Start } from "./engine/open.ts";

type SaveState = "saved" | "pending" | "lost";

/** Words that stand for less than this would only flicker. */
const CALM_MS = 300;

export class StatusBar {
	private readonly database: Redstart;
	private readonly ownCalls: () => number;
	/** Why changes are not stored. */
	lost: string | undefined;
	private commands = 0;
	private at_ms = performance.now();
	private savedAt: Date | undefined;
	/** Since when something waits to be stored. */
	private pendingSince_ms = Number.POSITIVE_INFINITY;

	/** `ownCalls` are commands of the page itself, which are not counted as the visitor's. */
	constructor(database: Redstart, ownCalls: () => number) {
		this.database = database;
		this.ownCalls = ownCalls;
		database.on("save", () => {
			this.savedAt = new Date();
			this.lost = undefined;
			this.tick();
		});
	}

	/** Changes are in memory only. */
	lose(why: string): void {
		this.lost = why;
		this.tick();
	}

	/** Changes are stored again. */
	regain(): void {
		this.lost = undefined;
		this.tick();
	}

	/** How the page began. */
	showStart(start: Start): void {
		const transfer = start.transfer_bytes && start.transfer_bytes < start.wasm_bytes;
		const size = `${formatBytes(start.wasm_bytes)} wasm${transfer ? ` (${formatBytes(start.transfer_bytes as number)} sent)` : ""}`;
		const element = byId("stat-start");
		element.textContent = `${size}, started in ${(start.load_ms + start.open_ms).toFixed(0)} ms`;
		element.title = `fetched and compiled in ${start.load_ms.toFixed(1)} ms; instance, ${formatCount(start.keys)} stored keys and a first command in ${start.open_ms.toFixed(1)} ms`;
	}

	/** A command of the terminal was answered. The clock of a page that is not isolated has steps of 100 us. */
	showCommand(name: string, elapsed_us: number): void {
		const step_us = crossOriginIsolated ? 5 : 100;
		const time =
			elapsed_us < step_us
				? `under ${step_us} \u00b5s`
				: elapsed_us < 10_000
					? `${elapsed_us.toFixed(0)} \u00b5s`
					: `${(elapsed_us / 1000).toFixed(0)} ms`;
		byId("stat-last").textContent = `${name.toUpperCase()} took ${time}`;
	}

	tick(): void {
		const { database } = this;
		if (database.isClosed) return;
		const stats = database.stats();
		const now_ms = performance.now();
		if (now_ms - this.at_ms > 500) {
			const commands = stats.commands - this.ownCalls();
			const ops = ((commands - this.commands) / (now_ms - this.at_ms)) * 1000;
			byId("stat-ops").textContent = formatCount(Math.max(0, Math.round(ops)));
			this.commands = commands;
			this.at_ms = now_ms;
		}
		byId("stat-keys").textContent = formatCount(stats.keys);
		byId("stat-memory").textContent = formatBytes(stats.usedBytes);
		byId("stat-memory").title = `${formatBytes(database.engine.memory_bytes)} of wasm memory`;
		const { whenStored } = database.engine;
		const waiting = whenStored?.();
		if (waiting) {
			this.pendingSince_ms = Math.min(this.pendingSince_ms, now_ms);
			const again = () => this.tick();
			void waiting.then(again, again);
		} else this.pendingSince_ms = Number.POSITIVE_INFINITY;
		// With an append-only file nothing waits for a save.
		this.showSaved(whenStored ? (waiting ? "pending" : "saved") : stats.changesSinceSave);
	}

	private showSaved(changes: number | SaveState): void {
		const isAppending = typeof changes === "string";
		const isSaved = isAppending ? changes === "saved" : changes === 0;
		const state: SaveState = this.lost ? "lost" : isSaved ? "saved" : "pending";
		const button = byId("saved");
		if (button.dataset.state !== state) button.dataset.state = state;
		const when = this.savedAt?.toLocaleTimeString() ?? "on an earlier visit";
		const text = {
			saved: "Saved in this browser",
			pending: isAppending ? "Saving" : `${formatCount(changes)} unsaved`,
			lost: "Not saved",
		}[state];
		const title = {
			saved: isAppending
				? "every write is stored at once"
				: this.savedAt
					? `last saved at ${when}`
					: "as left on the last visit",
			pending: "stored within a second or so",
			lost: this.lost ?? "",
		}[state];
		const label = byId("saved-text");
		const isBrief = isAppending && state === "pending" && performance.now() - this.pendingSince_ms < CALM_MS;
		if (label.textContent !== text && !isBrief) label.textContent = text;
		button.title = title;
	}
}
