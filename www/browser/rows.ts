/** A list of any length of which only what is seen exists as elements. Works by mouse and by keyboard. */

import { formatCount, icon, make } from "../dom.ts";
import type { Row } from "./tree.ts";

const ROW_PX = 28;
const SPARE_ROWS = 6;
/** Browsers cut elements beyond some 30 million pixels. */
const MOST_PX = 8_000_000;

export interface RowFacts {
	readonly type: string;
	/** When the key expires, in ms since 1970. */
	readonly expires_ms: number | undefined;
}

export interface RowEvents {
	facts(row: Row & { kind: "key" }): RowFacts | undefined;
	open(row: Row & { kind: "key" }): void;
	remove(row: Row & { kind: "key" }): void;
	toggle(path: string, isOpen: boolean): void;
}

const BADGES: Readonly<Record<string, string>> = { string: "str", stream: "strm", array: "arr" };

export function badgeText(type: string): string {
	return BADGES[type] ?? type.slice(0, 4);
}

/** A time to live in few letters. */
export function formatTtl(left_ms: number): string {
	const seconds = Math.max(0, Math.ceil(left_ms / 1000));
	if (seconds < 120) return `${seconds}s`;
	if (seconds < 7200) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
	if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
	return `${Math.floor(seconds / 86_400)}d`;
}

export class RowList {
	private rows: readonly Row[] = [];
	private active = -1;
	private readonly host: HTMLElement;
	private readonly space: HTMLElement;
	private readonly events: RowEvents;
	private frame = 0;

	constructor(host: HTMLElement, events: RowEvents) {
		this.host = host;
		this.space = host.firstElementChild as HTMLElement;
		this.events = events;
		host.addEventListener("scroll", () => this.schedule(), { passive: true });
		host.addEventListener("keydown", (event) => this.onKey(event));
		this.space.addEventListener("click", (event) => this.onClick(event));
		new ResizeObserver(() => this.schedule()).observe(host);
	}

	/** Shows other rows; the active one stays active where it still is. */
	set(rows: readonly Row[]): void {
		const active = this.rows[this.active];
		this.rows = rows;
		this.active = active ? rows.findIndex((row) => idOf(row) === idOf(active)) : -1;
		this.space.style.height = `${Math.min(rows.length * ROW_PX, MOST_PX)}px`;
		this.schedule();
	}

	/** Draws at the next frame. */
	schedule(): void {
		if (this.frame) return;
		this.frame = requestAnimationFrame(() => {
			this.frame = 0;
			this.draw();
		});
	}

	/** Rows are at scroll positions in proportion when there are more than fit into an element. */
	private get scale(): number {
		return Math.max(1, (this.rows.length * ROW_PX) / MOST_PX);
	}

	private draw(): void {
		const { scrollTop, clientHeight } = this.host;
		const first = Math.max(0, Math.floor((scrollTop * this.scale) / ROW_PX) - SPARE_ROWS);
		const last = Math.min(this.rows.length, first + Math.ceil(clientHeight / ROW_PX) + 2 * SPARE_ROWS);
		const shift_px = scrollTop - scrollTop * this.scale;
		const elements: HTMLElement[] = [];
		for (let i = first; i < last; i++) {
			elements.push(this.makeRow(this.rows[i] as Row, i, i * ROW_PX + shift_px));
		}
		this.space.replaceChildren(...elements);
		const isShown = this.active >= first && this.active < last;
		if (isShown) this.host.setAttribute("aria-activedescendant", `row-${this.active}`);
		else this.host.removeAttribute("aria-activedescendant");
	}

	private makeRow(row: Row, index: number, top_px: number): HTMLElement {
		const element = make("div", {
			class: "row",
			role: "treeitem",
			id: `row-${index}`,
			"aria-level": String(row.depth + 1),
			"aria-setsize": String(this.rows.length),
			"aria-posinset": String(index + 1),
			"aria-selected": String(index === this.active),
		});
		element.style.top = `${top_px}px`;
		element.style.paddingLeft = `${12 + row.depth * 16}px`;
		element.dataset.index = String(index);
		const name = make(
			"span",
			{ class: "name", title: row.kind === "key" ? row.key.label : row.path },
			row.text,
		);
		if (row.kind === "folder") {
			element.setAttribute("aria-expanded", String(row.isOpen));
			element.append(
				icon("M5 2l6 6-6 6", "twist"),
				name,
				make("span", { class: "count" }, formatCount(row.count)),
			);
			return element;
		}
		const facts = this.events.facts(row);
		element.append(make("span", { class: "badge" }, facts ? badgeText(facts.type) : "gone"), name);
		if (facts?.expires_ms !== undefined) {
			const left_ms = facts.expires_ms - Date.now();
			element.append(make("span", { class: left_ms < 10_000 ? "ttl soon" : "ttl" }, formatTtl(left_ms)));
		}
		return element;
	}

	private onClick(event: MouseEvent): void {
		const target = (event.target as HTMLElement).closest<HTMLElement>(".row");
		if (!target) return;
		this.active = Number(target.dataset.index);
		this.choose();
		this.schedule();
	}

	private choose(): void {
		const row = this.rows[this.active];
		if (row?.kind === "folder") this.events.toggle(row.path, !row.isOpen);
		else if (row) this.events.open(row);
	}

	private onKey(event: KeyboardEvent): void {
		const row = this.rows[this.active];
		const page = Math.max(1, Math.floor(this.host.clientHeight / ROW_PX) - 1);
		switch (event.key) {
			case "ArrowDown":
				this.moveTo(this.active + 1);
				break;
			case "ArrowUp":
				this.moveTo(this.active - 1);
				break;
			case "PageDown":
				this.moveTo(this.active + page);
				break;
			case "PageUp":
				this.moveTo(this.active - page);
				break;
			case "Home":
				this.moveTo(0);
				break;
			case "End":
				this.moveTo(this.rows.length - 1);
				break;
			case "ArrowRight":
				if (row?.kind === "folder" && !row.isOpen) this.events.toggle(row.path, true);
				else this.moveTo(this.active + 1);
				break;
			case "ArrowLeft":
				if (row?.kind === "folder" && row.isOpen) this.events.toggle(row.path, false);
				else this.moveTo(this.parentOf(this.active));
				break;
			case "Enter":
			case " ":
				this.choose();
				break;
			case "Delete":
				if (row?.kind === "key") this.events.remove(row);
				break;
			default:
				return;
		}
		event.preventDefault();
		this.schedule();
	}

	private parentOf(index: number): number {
		const depth = this.rows[index]?.depth ?? 0;
		for (let i = index - 1; i >= 0; i--) if ((this.rows[i] as Row).depth < depth) return i;
		return index;
	}

	private moveTo(index: number): void {
		if (this.rows.length === 0) return;
		this.active = Math.max(0, Math.min(this.rows.length - 1, index));
		const top_px = (this.active * ROW_PX) / this.scale;
		const { scrollTop, clientHeight } = this.host;
		if (top_px < scrollTop) this.host.scrollTop = top_px;
		else if (top_px + ROW_PX > scrollTop + clientHeight) this.host.scrollTop = top_px + ROW_PX - clientHeight;
	}
}

function idOf(row: Row): string {
	return row.kind === "key" ? `k${row.key.label}` : `f${row.path}`;
}
