/** The keys beside the terminal: found by SCAN, fresh after each write, filtered, as a tree or as a list. */

import type { Redstart } from "redstart";
import { byId, formatCount, press } from "../dom.ts";
import { type KeyName, patternOf } from "./names.ts";
import { type RowFacts, RowList } from "./rows.ts";
import { MOST_KEYS, type Scan, scanKeys } from "./scanner.ts";
import { KeySession } from "./session.ts";
import { listRows, type Row, treeRows } from "./tree.ts";
import { ValuePanel } from "./value.ts";

/** A folder of at most so many keys is open until somebody closes it. */
const SMALL_FOLDER = 12;
/** After a scan of n keys the next one waits this long per key, so that scanning never takes most of the time. */
const WAIT_MS_PER_KEY = 0.01;
const LEAST_WAIT_MS = 60;
const FILTER_WAIT_MS = 120;

export class KeyBrowser {
	private readonly database: Redstart;
	private session: KeySession;
	private readonly list: RowList;
	private readonly panel: ValuePanel;
	private readonly filter = byId<HTMLInputElement>("filter");
	private readonly typeFilter = byId<HTMLSelectElement>("type-filter");
	private scan: Scan = { keys: [], isCut: false };
	private isTree = true;
	/** Folders that were opened or closed by hand. */
	private readonly folders = new Map<string, boolean>();
	private readonly facts = new Map<string, RowFacts | undefined>();
	private db = 0;
	private generation = 0;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private isScanning = false;
	private isDue = false;
	private isStopped = false;
	/** The refresh that waits for a script to end. */
	private afterScript: Promise<void> | undefined;

	constructor(database: Redstart, onRun: () => void) {
		this.database = database;
		this.session = new KeySession(this.database, this.db);
		this.panel = new ValuePanel(byId("value"), {
			run: (words) => {
				if (this.isMute) return;
				const [name, ...args] = words;
				this.session.call(String(name), ...args);
				this.refresh();
				onRun();
			},
			close: () => byId("rows").focus({ preventScroll: true }),
		});
		this.list = new RowList(byId("rows"), {
			facts: (row) => this.factsOf(row.key),
			open: (row) => {
				if (!this.isMute) this.panel.open(this.session, row.key);
			},
			remove: (row) => {
				if (this.isMute) return;
				this.session.call("DEL", row.key.arg);
				this.refresh();
				onRun();
			},
			toggle: (path, isOpen) => {
				this.folders.set(path, isOpen);
				this.arrange();
			},
		});
		this.listen();
	}

	private listen(): void {
		let wait: ReturnType<typeof setTimeout> | undefined;
		this.filter.addEventListener("input", () => {
			clearTimeout(wait);
			wait = setTimeout(() => this.rescan(), FILTER_WAIT_MS);
		});
		this.typeFilter.addEventListener("change", () => this.rescan());
		const tree = byId("as-tree");
		const list = byId("as-list");
		const arrange = (isTree: boolean) => {
			this.isTree = isTree;
			press([tree, list], isTree ? tree : list);
			this.arrange();
		};
		tree.addEventListener("click", () => arrange(true));
		list.addEventListener("click", () => arrange(false));
	}

	/** Commands the list itself has run. */
	get calls(): number {
		return this.session.calls;
	}

	/** The engine was rebuilt. */
	renew(): void {
		this.session = new KeySession(this.database, this.db);
		this.rescan();
	}

	/** There is no engine any more: what is seen stays, and nothing is asked. */
	stop(): void {
		this.isStopped = true;
		this.generation++;
		clearTimeout(this.timer);
		this.panel.close();
	}

	/** Shows another database. */
	select(db: number): void {
		if (db === this.db || this.isMute) return;
		this.db = db;
		this.session.call("SELECT", db);
		byId("keys-db").textContent = `db ${db}`;
		this.panel.close();
		this.rescan();
	}

	/** Keys that begin with `prefix`, for completion. */
	find(prefix: string): string[] {
		const found: string[] = [];
		for (const { label, arg } of this.scan.keys) {
			if (typeof arg === "string" && label.startsWith(prefix)) found.push(label);
			if (found.length === 50) break;
		}
		return found;
	}

	private factsOf(key: KeyName): RowFacts | undefined {
		if (this.isMute || this.facts.has(key.label)) return this.facts.get(key.label);
		const type = this.session.text("TYPE", key.arg);
		const facts = type === "none" ? undefined : { type, expires_ms: this.session.expires_ms(key.arg) };
		this.facts.set(key.label, facts);
		return facts;
	}

	/** Nothing can be asked now: there is no engine, or a script is running. */
	private get isMute(): boolean {
		return this.isStopped || this.database.engine.isBusy;
	}

	/** Something was written: what is seen at once, the whole as soon as it is cheap. */
	refresh(): void {
		if (this.isStopped) return;
		if (this.isMute) {
			// One refresh, however much is asked for meanwhile.
			this.afterScript ??= this.database.engine.whenIdle().then(() => {
				this.afterScript = undefined;
				this.refresh();
			});
			return;
		}
		this.facts.clear();
		this.list.schedule();
		this.panel.refresh(this.session);
		this.isDue = true;
		if (this.isScanning || this.timer !== undefined) return;
		const wait_ms = Math.max(LEAST_WAIT_MS, this.scan.keys.length * WAIT_MS_PER_KEY);
		this.timer = setTimeout(() => {
			this.timer = undefined;
			void this.work();
		}, wait_ms);
	}

	/** Scans at once, dropping a scan under way. */
	rescan(): void {
		if (this.isStopped) return;
		this.generation++;
		this.facts.clear();
		this.isDue = true;
		clearTimeout(this.timer);
		this.timer = undefined;
		if (!this.isScanning) void this.work();
	}

	private async work(): Promise<void> {
		this.isScanning = true;
		try {
			while (this.isDue) {
				await this.database.engine.whenIdle();
				this.isDue = false;
				const { generation } = this;
				const options = { match: patternOf(this.filter.value), type: this.typeFilter.value };
				const isStale = () => generation !== this.generation;
				const scan = await scanKeys(this.session, options, this.scan, isStale);
				if (!scan) continue;
				this.scan = scan;
				this.arrange();
				if (this.isDue && generation === this.generation) {
					await new Promise((resolve) => setTimeout(resolve, scan.keys.length * WAIT_MS_PER_KEY));
				}
			}
		} catch (error) {
			// A refusal (NOPERM, a rebuilt engine) is shown where the keys would be.
			this.scan = { keys: [], isCut: false };
			this.arrange();
			byId("rows-empty").textContent = (error as Error).message;
		} finally {
			this.isScanning = false;
		}
	}

	private arrange(): void {
		const { keys, isCut } = this.scan;
		const isFiltered = this.filter.value !== "" || this.typeFilter.value !== "";
		const isOpen = (path: string, count: number) => this.folders.get(path) ?? count <= SMALL_FOLDER;
		const rows: Row[] = this.isTree ? treeRows(keys, isOpen) : listRows(keys);
		const count = isCut ? `first ${formatCount(MOST_KEYS)}` : formatCount(keys.length);
		byId("keys-count").textContent = isFiltered ? `${count} found` : count;
		byId("tab-count").textContent = count;
		const empty = byId("rows-empty");
		empty.hidden = keys.length > 0;
		byId("rows").hidden = keys.length === 0;
		empty.textContent = isFiltered
			? "No key matches the filter."
			: `No keys in db ${this.db} yet. Run SET greeting "hello" in the terminal, or one of the examples above it.`;
		this.list.set(rows);
	}

	/** Each second: countdowns, and keys that expired meanwhile. */
	tick(): void {
		if (this.isMute) return;
		const now_ms = Date.now();
		let hasExpired = false;
		for (const [label, facts] of this.facts) {
			if (facts?.expires_ms !== undefined && facts.expires_ms <= now_ms) {
				this.facts.delete(label);
				hasExpired = true;
			}
		}
		if (hasExpired) this.refresh();
		else this.list.schedule();
		this.panel.tick(this.session);
	}
}
