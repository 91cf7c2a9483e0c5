/** The playground: opens the database, and puts terminal, keys and status bar around it. */

import "./style/base.css";
import "./style/frame.css";
import "./style/console.css";
import "./style/keys.css";
import "./style/lua.css";
import "./style/storage.css";
import type { Redstart, RedstartError } from "redstart";
import { KeyBrowser } from "./browser/keys.ts";
import { byId, formatCount, press } from "./dom.ts";
import { killScript } from "./engine/kill.ts";
import { DATABASE, openDatabase } from "./engine/open.ts";
import { PUBLISH_LINE } from "./examples.ts";
import type { LuaPanel } from "./lua/panel.ts";
import { showView, wireMenu } from "./menu.ts";
import { StatusBar } from "./status.ts";
import { DumpFiles } from "./storage/dump.ts";
import { StoragePanel } from "./storage/panel.ts";
import { fillStrip } from "./strip.ts";
import { History } from "./terminal/history.ts";
import { styled } from "./terminal/screen.ts";
import { Shell } from "./terminal/shell.ts";
import { TerminalView } from "./terminal/view.ts";
import { wrapWords } from "./terminal/width.ts";

const TICK_MS = 1000;

function notice(text: string): void {
	byId("notice-bar").hidden = text === "";
	byId("notice").textContent = text;
}

/** localStorage, where there is one. */
function textStore(): Storage | undefined {
	try {
		return localStorage;
	} catch {
		return undefined;
	}
}

/** What stands in the terminal at first. `isCopy`: another tab owns the stored keys. */
function greeting(keys: number, isCopy: boolean, columns: number): string {
	const count = `${formatCount(keys)} ${keys === 1 ? "key" : "keys"}`;
	const kept = isCopy
		? `It has a copy of ${count} of another tab.`
		: keys > 0
			? `${count} of your last visit ${keys === 1 ? "is" : "are"} here.`
			: "What you write is kept in this browser.";
	const next = isPublisher()
		? "Press Enter and look at the other tab. PUBLISH counts receivers in this tab, so it answers 0."
		: "Type a command; Tab completes, help explains. Or press one of the examples above.";
	const [first = "", ...rest] = wrapWords(`Redstart: a Redis server in this tab. ${kept}`, columns);
	const faint = wrapWords(next, columns).map((line) => styled("faint", line));
	const title = first.replace("Redstart", styled("title", "Redstart"));
	return `${[title, ...rest, ...faint].join("\n")}\n\n`;
}

/** The tab was opened to publish to the one it came from. */
function isPublisher(): boolean {
	return location.hash === "#publish";
}

/** Keeps the page for offline use; a page that is not served over HTTPS or from localhost does without. */
async function keepOffline(): Promise<void> {
	if (import.meta.env.MODE === "production" && "serviceWorker" in navigator) {
		await navigator.serviceWorker.register("./sw.js").catch(() => undefined);
	}
}

/** What is kept where, and the parts that look at it. */
interface Parts {
	readonly database: Redstart;
	readonly view: TerminalView;
	readonly keys: KeyBrowser;
	readonly status: StatusBar;
	readonly dump: DumpFiles;
	readonly storage: StoragePanel;
	/** Looks whether anything was written or has expired, and shows it. */
	look(): void;
}

function makeShell({ database, view, keys, status, look }: Parts): Shell {
	return new Shell({
		output: {
			get cols() {
				return view.terminal.cols;
			},
			write: (text) => view.terminal.write(text),
		},
		engine: () => database.engine,
		history: new History(textStore()),
		findKeys: (prefix) => keys.find(prefix),
		onSpoken: (text) => view.speak(text),
		onDone: (words, elapsed_us) => {
			status.showCommand(words[0] ?? "", elapsed_us);
			look();
		},
		killScript: () => killScript(database),
		onState: (state) => {
			press([byId("resp2"), byId("resp3")], byId(`resp${state.protocol}`));
			keys.select(state.db);
		},
	});
}

function makeParts(database: Redstart, view: TerminalView): Parts {
	let seen = "";
	const look = () => {
		if (database.isClosed) return;
		const version = `${database.engine.writeVersion} ${database.stats().keys}`;
		if (version !== seen) keys.refresh();
		seen = version;
		status.tick();
		storage.tick();
	};
	const keys = new KeyBrowser(database, look);
	const status = new StatusBar(database, () => keys.calls + storage.calls);
	const dump = new DumpFiles({ database, notice, changed: look });
	const storage: StoragePanel = new StoragePanel(database, () => status.lost, dump);
	return { database, view, keys, status, dump, storage, look };
}

/** Makes the Lua view when it is first looked at: its editor is no part of what a visitor loads. */
class LuaView {
	panel: LuaPanel | undefined;
	private loading: Promise<void> | undefined;
	private readonly parts: Parts;
	private readonly shell: Shell;

	constructor(parts: Parts, shell: Shell) {
		this.parts = parts;
		this.shell = shell;
	}

	async show(): Promise<void> {
		this.loading ??= this.load();
		await this.loading;
		this.panel?.focus();
	}

	private async load(): Promise<void> {
		try {
			const { LuaPanel } = await import("./lua/panel.ts");
			const { database, view, look } = this.parts;
			this.panel = new LuaPanel({
				database,
				shell: this.shell,
				store: textStore(),
				changed: look,
				showTerminal: () => {
					showView("terminal");
					view.focus();
				},
			});
		} catch (error) {
			this.loading = undefined;
			notice(`The editor cannot be loaded: ${(error as Error).message}`);
		}
	}
}

/** Follows what happens to the database as a whole. */
function watch({ database, keys, status }: Parts, shell: Shell, lua: LuaView): void {
	database.on("persistence-gained", () => {
		const wasOther = /another tab/.test(status.lost ?? "");
		status.regain();
		notice(
			wasOther
				? "The other tab is closed: what is here is stored from now on."
				: "Storage works again: what is here is stored.",
		);
	});
	database.on("reopen", () => {
		notice("The engine stopped and was started again from storage.");
		shell.renew();
		keys.renew();
		lua.panel?.renew();
	});
	database.on("close", () => {
		keys.stop();
		shell.stop();
		notice("The server was shut down. Reload the page to start it again.");
	});
}

async function main(): Promise<void> {
	byId("notice-close").addEventListener("click", () => notice(""));
	const view = new TerminalView(byId("xterm"), byId("spoken"));
	const losses: RedstartError[] = [];
	let onLost = (error: RedstartError): void => {
		losses.push(error);
	};
	const start = await openDatabase((error) => onLost(error));
	const { database } = start;
	const parts = makeParts(database, view);
	const { keys, status, dump, storage, look } = parts;
	status.showStart(start);
	onLost = (error) => {
		status.lose(error.message);
		notice(`Not saved: ${error.message}.`);
	};
	for (const error of losses) onLost(error);
	const shell = makeShell(parts);
	const lua = new LuaView(parts, shell);
	watch(parts, shell, lua);
	view.attach(shell);
	fillStrip(byId("strip"), shell, () => view.focus());
	wireMenu({ database, shell, view, notice, dump, storage, changed: look, showLua: () => void lua.show() });
	const isCopy = losses.some((error) => /another tab/.test(error.message));
	await shell.start(greeting(start.keys, isCopy, view.terminal.cols));
	setInterval(() => {
		look();
		keys.tick();
	}, TICK_MS);
	look();
	keys.rescan();
	view.focus();
	if (isPublisher()) {
		void shell.play([PUBLISH_LINE], 14, false);
		// A reload is an ordinary visit.
		history.replaceState(null, "", location.pathname + location.search);
	}
	document.documentElement.dataset.ready = DATABASE;
	await keepOffline();
}

main().catch((error: unknown) => {
	notice(`The playground cannot start: ${error instanceof Error ? error.message : error}`);
	throw error;
});
