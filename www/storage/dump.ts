/** dump.rdb in and out: chosen, or dropped anywhere on the page. */

import type { Redstart, TransferProgress } from "redstart";
import { byId, formatBytes, formatCount } from "../dom.ts";
import { downloadBlob } from "../export.ts";

interface Parts {
	readonly database: Redstart;
	readonly notice: (text: string) => void;
	readonly changed: () => void;
}

/** What an RDB file of Redis or Valkey begins with. */
const MAGIC = /^(REDIS|VALKEY)/;
const MAGIC_BYTES = 6;

export class DumpFiles {
	private readonly parts: Parts;
	/** The transfer under way. */
	private transfer: AbortController | undefined;

	constructor(parts: Parts) {
		this.parts = parts;
		const input = byId<HTMLInputElement>("dump-file");
		input.addEventListener("change", () => {
			const [file] = input.files ?? [];
			input.value = "";
			if (file) void this.open(file);
		});
		byId("transfer-cancel").addEventListener("click", () => this.transfer?.abort());
		byId("replace-download").addEventListener("click", () => void this.download());
		this.watchDrops();
	}

	/** Lets the visitor choose a file. */
	choose(): void {
		byId("dump-file").click();
	}

	/** Hands the dataset out as a file. */
	async download(): Promise<void> {
		await this.run("Writing dump.rdb", undefined, async (options) => {
			const file = await this.parts.database.exportRdb({ ...options, as: "blob" });
			downloadBlob("dump.rdb", file);
			return `dump.rdb was downloaded: ${formatBytes(file.size)}.`;
		});
	}

	/** Puts the file's keys in the place of those that are here, if the visitor wants that. */
	private async open(file: File): Promise<void> {
		const { database, changed } = this.parts;
		if (this.transfer) return;
		const start = await file
			.slice(0, MAGIC_BYTES)
			.text()
			.catch(() => "");
		if (!MAGIC.test(start)) {
			this.parts.notice(`${file.name} is no RDB file: it does not begin with REDIS. Nothing was changed.`);
			return;
		}
		const { keys } = database.stats();
		if (keys > 0 && !(await this.mayReplace(file, keys))) return;
		await this.run(`Opening ${file.name}`, file.name, async (options) => {
			const report = await database.importRdb(file, { ...options, modules: "skip" });
			changed();
			const expired = report.expired > 0 ? `; ${formatCount(report.expired)} had expired` : "";
			const skipped =
				report.skipped > 0 ? `; ${formatCount(report.skipped)} values of modules were left out` : "";
			const count = `${formatCount(report.keys)} ${report.keys === 1 ? "key" : "keys"}`;
			return `${file.name} is open: ${count} in ${(report.took_ms / 1000).toFixed(1)} s${expired}${skipped}.`;
		});
	}

	/** Asks; while it is open, what is here can be downloaded. */
	private mayReplace(file: File, keys: number): Promise<boolean> {
		const dialog = byId<HTMLDialogElement>("replace");
		byId("replace-title").textContent = `Open ${file.name}?`;
		byId("replace-text").textContent =
			`It is ${formatBytes(file.size)} long and takes the place of the ${formatCount(keys)} ${keys === 1 ? "key that is" : "keys that are"} here now, in all databases.`;
		dialog.returnValue = "";
		dialog.showModal();
		byId("replace-cancel").focus();
		return new Promise((resolve) => {
			byId("replace-go").onclick = () => dialog.close("go");
			byId("replace-cancel").onclick = () => dialog.close();
			dialog.onclose = () => resolve(dialog.returnValue === "go");
		});
	}

	/** Shows how far `work` is; says how it ended. `name`: what cannot be opened when it fails. */
	private async run(
		what: string,
		name: string | undefined,
		work: (options: { signal: AbortSignal; onProgress(progress: TransferProgress): void }) => Promise<string>,
	): Promise<void> {
		if (this.transfer) return;
		const transfer = new AbortController();
		this.transfer = transfer;
		const bar = byId<HTMLProgressElement>("transfer-bar");
		bar.removeAttribute("value");
		byId("transfer-text").textContent = what;
		byId("transfer").hidden = false;
		this.parts.notice("");
		try {
			const done = await work({
				signal: transfer.signal,
				onProgress({ done_bytes, total_bytes }) {
					if (total_bytes) bar.value = done_bytes / total_bytes;
				},
			});
			this.parts.notice(done);
		} catch (error) {
			this.parts.notice(transfer.signal.aborted ? `${what} was given up.` : failure(error, name));
		} finally {
			this.transfer = undefined;
			byId("transfer").hidden = true;
		}
	}

	/** Files may be dropped on the whole page. Text that is dragged is none of our business. */
	private watchDrops(): void {
		const overlay = byId("drop");
		const isFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
		addEventListener("dragover", (event) => {
			if (!isFile(event)) return;
			event.preventDefault();
			if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
			overlay.hidden = false;
		});
		addEventListener("dragleave", (event) => {
			// Only when the window is left is there nothing it goes to.
			if (!event.relatedTarget) overlay.hidden = true;
		});
		addEventListener("drop", (event) => {
			if (!isFile(event)) return;
			event.preventDefault();
			overlay.hidden = true;
			const files = [...(event.dataTransfer?.files ?? [])];
			if (files.length > 1) this.parts.notice("One file at a time.");
			else if (files[0]) void this.open(files[0]);
		});
	}
}

/** Why a file could not be opened, and that it did no harm; other errors as they are. */
function failure(error: unknown, name: string | undefined): string {
	const { message, name: kind } = error as Error;
	const text = message.replace(/^ERR /, "");
	if (name === undefined || kind !== "ReplyError") return `${text}.`;
	return `${name} cannot be opened: ${text}. Nothing was changed.`;
}
