/** The buttons on top: protocol, second tab, appearance, export, deletion. */

import type { Redstart } from "redstart";
import { byId, press } from "./dom.ts";
import { download, exportCommands } from "./export.ts";
import type { DumpFiles } from "./storage/dump.ts";
import type { StoragePanel } from "./storage/panel.ts";
import type { Shell } from "./terminal/shell.ts";
import { splitLine } from "./terminal/split.ts";
import type { TerminalView } from "./terminal/view.ts";
import { chosenTheme, setTheme, type Theme } from "./theme.ts";

/** An event of Chromium; other browsers have their own way to install a page. */
interface InstallEvent extends Event {
	prompt(): Promise<unknown>;
}

interface Parts {
	readonly database: Redstart;
	readonly shell: Shell;
	readonly view: TerminalView;
	readonly notice: (text: string) => void;
	readonly changed: () => void;
	readonly dump: DumpFiles;
	readonly storage: StoragePanel;
	/** The Lua view is there to be seen. */
	readonly showLua: () => void;
}

export function wireMenu(parts: Parts): void {
	const { shell, view } = parts;
	const menu = byId<HTMLDetailsElement>("menu");
	const close = () => {
		menu.open = false;
	};
	for (const protocol of [2, 3] as const) {
		byId(`resp${protocol}`).addEventListener("click", () => void shell.setProtocol(protocol));
	}
	byId("second-tab").addEventListener("click", () => openSecondTab(shell));
	byId<HTMLInputElement>("reader-mode").addEventListener("change", (event) => {
		view.setReaderMode((event.target as HTMLInputElement).checked);
	});
	for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="theme"]')) {
		radio.checked = radio.value === chosenTheme();
		radio.addEventListener("change", () => setTheme(radio.value as Theme));
	}
	document.addEventListener("click", (event) => {
		if (menu.open && !menu.contains(event.target as Node)) close();
	});
	menu.addEventListener("keydown", (event) => {
		if (event.key !== "Escape") return;
		close();
		menu.querySelector("summary")?.focus();
	});
	wireTouchKeys(shell, view);
	wireData(parts, close);
	wireInstall();
	wireViews(view, parts.showLua);
}

const TOUCH_KEYS: Readonly<Record<string, string>> = {
	tab: "\t",
	up: "\x1b[A",
	down: "\x1b[B",
	interrupt: "\x03",
};

/** Keys for touch screens; the keyboard stays open. */
function wireTouchKeys(shell: Shell, view: TerminalView): void {
	for (const button of document.querySelectorAll<HTMLElement>("#touch-keys button")) {
		button.addEventListener("click", () => {
			shell.input(TOUCH_KEYS[button.dataset.send ?? ""] ?? "");
			view.focus();
		});
	}
}

/** Subscribes here unless something is subscribed already, and opens a tab that has a PUBLISH typed. */
function openSecondTab(shell: Shell): void {
	const url = new URL(location.href);
	url.hash = "publish";
	open(url.href, "_blank", "noopener");
	if (shell.state.subscriptions === 0) void shell.play(["SUBSCRIBE news"], 0);
}

function wireData({ database, notice, changed, dump, storage }: Parts, close: () => void): void {
	const chosen = (id: string, action: () => void) =>
		byId(id).addEventListener("click", () => {
			close();
			action();
		});
	chosen("open-dump", () => dump.choose());
	chosen("download-dump", () => void dump.download());
	chosen("open-storage", () => storage.open());
	byId("saved").addEventListener("click", () => storage.open());
	byId("export").addEventListener("click", async () => {
		close();
		download("redstart-playground.redis", await exportCommands(database));
	});
	const file = byId<HTMLInputElement>("import-file");
	byId("import").addEventListener("click", () => {
		close();
		file.click();
	});
	file.addEventListener("change", async () => {
		const [chosen] = file.files ?? [];
		file.value = "";
		if (!chosen) return;
		notice(await runFile(database, await chosen.text()));
		changed();
	});
	byId("clear-all").addEventListener("click", () => {
		close();
		if (!confirm("Delete all keys of all databases, here and in storage?")) return;
		database.call("FLUSHALL");
		changed();
	});
}

/** Work on a file goes on this long before the page gets its turn. */
const SLICE_MS = 12;

/** Runs each line of a file; what became of it in a sentence. */
export async function runFile(database: Redstart, text: string): Promise<string> {
	const session = database.session();
	let done = 0;
	let from_ms = performance.now();
	const failed: string[] = [];
	try {
		for (const [i, line] of text.split("\n").entries()) {
			const words = splitLine(line);
			if (words?.length === 0 || line.startsWith("#")) continue;
			try {
				if (!words) throw new Error("Invalid argument(s)");
				const [name, ...args] = words;
				await session.call(name?.text ?? "", ...args.map((word) => word.bytes));
				done++;
			} catch (error) {
				failed.push(`line ${i + 1}: ${(error as Error).message}`);
			}
			if (performance.now() - from_ms > SLICE_MS) {
				await new Promise((resolve) => setTimeout(resolve));
				from_ms = performance.now();
			}
		}
	} finally {
		session.close();
	}
	const bad = failed.length > 0 ? `; ${failed.length} failed, first ${failed[0]}` : "";
	return `${done} commands ran${bad}.`;
}

function wireInstall(): void {
	const button = byId("install");
	let offer: InstallEvent | undefined;
	addEventListener("beforeinstallprompt", (event) => {
		event.preventDefault();
		offer = event as InstallEvent;
		button.hidden = false;
	});
	button.addEventListener("click", () => {
		button.hidden = true;
		void offer?.prompt();
	});
}

/** What the page shows: the terminal, Lua, or on narrow screens the keys. */
export function showView(name: string): void {
	const buttons = [...document.querySelectorAll<HTMLElement>(".views button")];
	document.body.dataset.view = name;
	press(
		buttons,
		buttons.find((button) => button.dataset.view === name),
	);
}

function wireViews(view: TerminalView, showLua: () => void): void {
	for (const button of document.querySelectorAll<HTMLElement>(".views button")) {
		button.addEventListener("click", () => {
			const { view: name = "" } = button.dataset;
			showView(name);
			if (name === "terminal") view.focus();
			if (name === "lua") showLua();
		});
	}
}
