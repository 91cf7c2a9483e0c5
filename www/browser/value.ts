/** The panel of one key: its value, its time to live, and what can be done to it. */

import { formatBytes, icon, make, press } from "../dom.ts";
import { tickTable } from "./cells.ts";
import type { KeyName } from "./names.ts";
import { badgeText, formatTtl } from "./rows.ts";
import type { KeySession } from "./session.ts";
import { type Contents, READERS, type View } from "./viewers.ts";

/** Elements of a collection that are read at first, and what each "more" multiplies them by. */
const FIRST_ELEMENTS = 100;
const MORE = 5;

export interface ValueEvents {
	/** Runs a command that changes something; its text is shown in the terminal too. */
	run(words: readonly (string | Uint8Array)[]): void;
	close(): void;
}

export class ValuePanel {
	private readonly host: HTMLElement;
	private readonly events: ValueEvents;
	private key: KeyName | undefined;
	private expires_ms: number | undefined;
	/** The title of the view that the visitor chose. */
	private chosen: string | undefined;
	private most = FIRST_ELEMENTS;
	/** The label of the key whose value is on the page. */
	private drawn: string | undefined;
	private isEditing = false;
	private facts: HTMLElement | undefined;
	private fixedFacts: readonly string[] = [];

	constructor(host: HTMLElement, events: ValueEvents) {
		this.host = host;
		this.events = events;
		host.addEventListener("keydown", (event) => {
			if (event.key === "Escape") this.close();
		});
	}

	get shown(): KeyName | undefined {
		return this.key;
	}

	open(session: KeySession, key: KeyName): void {
		this.isEditing = false;
		if (key.label !== this.key?.label) {
			this.chosen = undefined;
			this.most = FIRST_ELEMENTS;
		}
		this.key = key;
		this.host.hidden = false;
		this.refresh(session);
	}

	close(): void {
		if (!this.key) return;
		this.key = undefined;
		this.isEditing = false;
		this.host.hidden = true;
		this.events.close();
	}

	/** Reads the key again; an edit under way is left alone. */
	refresh(session: KeySession): void {
		const { key } = this;
		if (!key || this.isEditing) return;
		const type = session.text("TYPE", key.arg);
		if (type === "none") {
			this.close();
			return;
		}
		this.expires_ms = session.expires_ms(key.arg);
		const memory = session.optional<number | null>("MEMORY", "USAGE", key.arg);
		this.draw(session, key, type, session.text("OBJECT", "ENCODING", key.arg), memory ?? undefined);
	}

	private draw(
		session: KeySession,
		key: KeyName,
		type: string,
		encoding: string,
		memory: number | undefined,
	): void {
		const contents = READERS[type]?.(session, key, this.most);
		const close = make("button", {
			class: "icon-button",
			type: "button",
			title: "Close (Esc)",
			"aria-label": "Close",
		});
		close.append(icon("M3 3l10 10M13 3 3 13"));
		close.addEventListener("click", () => this.close());
		const head = make("div", { class: "value-head" });
		head.append(
			make("span", { class: "badge" }, badgeText(type)),
			make("h3", { title: key.label }, key.label),
			close,
		);
		this.facts = make("p", { class: "value-facts" });
		this.fixedFacts = [
			...(contents?.facts ?? []),
			...(encoding ? [encoding] : []),
			...(memory !== undefined ? [`${formatBytes(memory)} in memory`] : []),
		];
		this.drawFacts();
		const body = make("div", { class: "value-body", tabindex: "0", role: "group", "aria-label": "Content" });
		const tools = make("div", { class: "value-tools" });
		if (contents) this.addViews(session, contents, tools, body);
		else body.append(`A ${type}. Ask the terminal about it.`);
		tools.append(make("span", { class: "gap" }));
		const text = contents?.text;
		if (text !== undefined) tools.append(this.button("Edit", () => this.edit(session, key, text)));
		const actions = make("div", { class: "value-tools" });
		this.addActions(key, actions);
		// A write somewhere else is no reason to lose one's place.
		const top_px = this.drawn === key.label ? this.host.querySelector(".value-body")?.scrollTop : 0;
		const rows = tools.childElementCount > 1 ? [tools, actions] : [actions];
		this.host.replaceChildren(head, this.facts, ...rows, body);
		body.scrollTop = top_px ?? 0;
		this.drawn = key.label;
	}

	private addViews(session: KeySession, contents: Contents, tools: HTMLElement, body: HTMLElement): void {
		const group = make("div", { class: "segmented small", role: "group", "aria-label": "Show as" });
		const { views } = contents;
		const buttons: HTMLElement[] = [];
		const show = (view: View) => {
			press(buttons, buttons[views.indexOf(view)]);
			body.className = "value-body";
			body.replaceChildren();
			view.show(body);
			if (contents.isCut && view === contents.best) body.append(this.more(session));
		};
		for (const view of views) {
			const button = this.button(view.title, () => {
				this.chosen = view.title;
				show(view);
			});
			buttons.push(button);
		}
		group.append(...buttons);
		if (views.length > 1) tools.append(group);
		show(views.find((view) => view.title === this.chosen) ?? contents.best);
	}

	private more(session: KeySession): HTMLElement {
		const button = this.button("Show more", () => {
			this.most *= MORE;
			this.refresh(session);
		});
		return make("p", { class: "faint" }, `first ${this.most} `, button);
	}

	private addActions(key: KeyName, tools: HTMLElement): void {
		const ttl = make("input", {
			type: "text",
			inputmode: "numeric",
			"aria-label": "Time to live in seconds",
			placeholder: "seconds",
		});
		const expire = () => {
			if (/^\d+$/.test(ttl.value)) this.events.run(["EXPIRE", key.arg, ttl.value]);
		};
		ttl.addEventListener("keydown", (event) => {
			if (event.key === "Enter") expire();
		});
		tools.append(ttl, this.button("Expire", expire));
		if (this.expires_ms !== undefined) {
			tools.append(this.button("Persist", () => this.events.run(["PERSIST", key.arg])));
		}
		const remove = this.button("Delete", () => this.events.run(["DEL", key.arg]));
		remove.classList.add("danger");
		tools.append(make("span", { class: "gap" }), remove);
	}

	private button(text: string, work: () => void): HTMLButtonElement {
		return make("button", { class: "small-button", type: "button", onclick: work }, text);
	}

	private edit(session: KeySession, key: KeyName, text: string): void {
		this.isEditing = true;
		const area = make("textarea", {
			class: "value-body",
			"aria-label": `Value of ${key.label}`,
			spellcheck: "false",
		});
		area.value = text;
		const leave = () => {
			this.isEditing = false;
			this.refresh(session);
		};
		const save = () => {
			this.isEditing = false;
			this.events.run(["SET", key.arg, area.value, "KEEPTTL"]);
			this.refresh(session);
		};
		area.addEventListener("keydown", (event) => {
			if (event.key === "Escape") {
				event.stopPropagation();
				leave();
			} else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
		});
		const tools = make("div", { class: "value-tools" });
		tools.append(this.button("Save", save), this.button("Cancel", leave));
		const [views, actions] = this.host.querySelectorAll(".value-tools");
		actions?.remove();
		views?.replaceWith(tools);
		this.host.querySelector(".value-body")?.replaceWith(area);
		area.focus();
	}

	private drawFacts(): void {
		const left =
			this.expires_ms === undefined ? "no expiry" : `expires in ${formatTtl(this.expires_ms - Date.now())}`;
		this.facts?.replaceChildren(...[...this.fixedFacts, left].map((fact) => make("span", {}, fact)));
	}

	/** Each second: the countdowns, and the end when the key or a field of it is gone. */
	tick(session: KeySession): void {
		if (!this.key) return;
		const now_ms = Date.now();
		const isOver = this.expires_ms !== undefined && this.expires_ms <= now_ms;
		if (tickTable(this.host, now_ms) || isOver) this.refresh(session);
		else if (this.expires_ms !== undefined) this.drawFacts();
	}
}
