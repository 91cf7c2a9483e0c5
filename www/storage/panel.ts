/** The Storage sheet: what is kept, how, and how much room there is. */

import type { Redstart } from "redstart";
import { byId, formatBytes, formatCount, make } from "../dom.ts";
import type { DumpFiles } from "./dump.ts";

/** What INFO says of persistence, by field. */
function readInfo(text: string): ReadonlyMap<string, string> {
	return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = "", value = ""]) => [name, value]));
}

/** What the browser grants; undefined where it does not tell. */
interface Room {
	readonly usage?: number;
	readonly quota?: number;
	readonly isPersisted: boolean;
}

async function askRoom(): Promise<Room | undefined> {
	try {
		const { usage, quota } = await navigator.storage.estimate();
		return { usage, quota, isPersisted: await navigator.storage.persisted() };
	} catch {
		return undefined;
	}
}

export class StoragePanel {
	/** Commands of its own, which are not the visitor's. */
	calls = 0;
	private readonly database: Redstart;
	/** Why changes are not stored; undefined while they are. */
	private readonly lost: () => string | undefined;
	private readonly dialog = byId<HTMLDialogElement>("storage");
	private room: Room | undefined;
	/** The dataset is kept as a file that every write is appended to. */
	private isAppending = false;

	constructor(database: Redstart, lost: () => string | undefined, dump: DumpFiles) {
		this.database = database;
		this.lost = lost;
		byId("storage-close").addEventListener("click", () => this.dialog.close());
		byId("storage-save").addEventListener("click", () => this.save());
		byId("storage-persist").addEventListener("click", () => void this.askToKeep());
		byId("storage-download").addEventListener("click", () => {
			this.dialog.close();
			void dump.download();
		});
		this.dialog.addEventListener("click", (event) => {
			// Beside it.
			if (event.target === this.dialog && !isWithin(this.dialog, event)) this.dialog.close();
		});
	}

	open(): void {
		byId("storage-note").textContent = "";
		this.show();
		this.dialog.showModal();
		byId("storage-close").focus();
		void this.look();
	}

	/** Follows what happens while it is open. */
	tick(): void {
		if (this.dialog.open) this.show();
	}

	private async look(): Promise<void> {
		this.room = await askRoom();
		this.show();
	}

	private show(): void {
		const { database, room } = this;
		if (database.isClosed) return;
		let info: ReadonlyMap<string, string>;
		try {
			this.calls++;
			info = readInfo(database.call("INFO", "persistence") as string);
		} catch {
			// A script runs; the next look may be luckier.
			return;
		}
		const number = (name: string) => Number(info.get(name) ?? 0);
		const facts: [string, string][] = [];
		const lost = this.lost();
		facts.push(["Kept in", lost ? "memory only" : "IndexedDB of this browser"]);
		this.isAppending = info.get("aof_enabled") === "1";
		if (this.isAppending) {
			facts.push(["Append-only file", `${formatBytes(number("aof_current_size"))}, every write at once`]);
			facts.push(["Base of it", formatBytes(number("aof_base_size"))]);
			const isWell = info.get("aof_last_write_status") === "ok";
			facts.push(["Last write", isWell ? "stored" : "failed: writes are refused"]);
			const isRewriting = info.get("aof_rewrite_in_progress") === "1";
			if (isRewriting) facts.push(["Rewrite", "under way"]);
		} else {
			facts.push(["Append-only file", "off"]);
			facts.push(["Last save", new Date(number("rdb_last_save_time") * 1000).toLocaleString()]);
			facts.push(["Changes since", formatCount(number("rdb_changes_since_last_save"))]);
		}
		if (room?.quota !== undefined) {
			facts.push(["Room", `${formatBytes(room.usage ?? 0)} used of ${formatBytes(room.quota)}`]);
		}
		if (room) {
			facts.push([
				"When room is short",
				room.isPersisted ? "the browser keeps it" : "the browser may delete it",
			]);
		}
		byId("storage-facts").replaceChildren(
			...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
		);
		byId("storage-persist").hidden = !room || room.isPersisted;
		const save = byId("storage-save");
		save.textContent = this.isAppending ? "Rewrite now" : "Save now";
		save.title = this.isAppending ? "BGREWRITEAOF" : "BGSAVE";
		save.hidden = lost !== undefined;
	}

	private save(): void {
		this.calls++;
		try {
			this.say(String(this.database.call(this.isAppending ? "BGREWRITEAOF" : "BGSAVE")));
		} catch (error) {
			this.say((error as Error).message);
		}
		this.show();
	}

	/** Browsers grant this by their own lights: to pages that are visited often, or installed. */
	private async askToKeep(): Promise<void> {
		const isKept = await navigator.storage.persist().catch(() => false);
		this.say(isKept ? "The browser keeps it from now on." : "The browser does not promise it.");
		byId("storage-close").focus();
		await this.look();
	}

	private say(text: string): void {
		byId("storage-note").textContent = text;
	}
}

function isWithin(element: Element, { clientX, clientY }: MouseEvent): boolean {
	const { left, right, top, bottom } = element.getBoundingClientRect();
	return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}
