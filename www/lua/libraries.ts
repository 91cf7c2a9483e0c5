/** The libraries that are loaded, and their functions. */

import { make } from "../dom.ts";
import type { Library, LibraryFunction } from "./runner.ts";

export interface LibraryEvents {
	call(one: LibraryFunction): void;
	/** Brings the code of a library into the editor. */
	open(code: string): void;
	remove(name: string): void;
}

export class LibraryList {
	private readonly host: HTMLElement;
	private readonly events: LibraryEvents;

	constructor(host: HTMLElement, events: LibraryEvents) {
		this.host = host;
		this.events = events;
	}

	draw(libraries: readonly Library[]): void {
		const title = make("h3", {}, "Functions");
		if (libraries.length === 0) {
			const hint =
				"None yet. A source that begins with #!lua name=... is a library: load it to call its functions.";
			this.host.replaceChildren(title, make("p", { class: "faint" }, hint));
			return;
		}
		this.host.replaceChildren(title, ...libraries.map((library) => this.library(library)));
	}

	private library({ name, functions, code }: Library): HTMLElement {
		const { events } = this;
		const head = make("div", { class: "library-head" });
		head.append(
			make("span", { class: "library-name" }, name),
			button("Open", `Open library ${name} in the editor`, () => events.open(code)),
			button("Delete", `Delete library ${name}`, () => events.remove(name), "danger"),
		);
		const list = make("ul", {});
		for (const one of functions) {
			const about = [one.description, ...one.flags].filter((text) => text !== "").join(", ");
			const item = make("li", {});
			item.append(
				make("code", { title: about }, one.name),
				...(one.flags.includes("no-writes") ? [make("span", { class: "faint" }, "reads only")] : []),
				button("Call", `Call ${one.name} with KEYS and ARGV`, () => events.call(one)),
			);
			list.append(item);
		}
		const box = make("div", { class: "library" });
		box.append(head, list);
		return box;
	}
}

function button(text: string, label: string, work: () => void, more = ""): HTMLButtonElement {
	const className = `small-button ${more}`.trim();
	return make(
		"button",
		{ class: className, type: "button", "aria-label": label, title: label, onclick: work },
		text,
	);
}
