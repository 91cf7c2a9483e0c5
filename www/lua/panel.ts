/** The Lua view: an editor, the fields of KEYS and ARGV, what came back, and the functions that are loaded. */

import type { Redstart } from "redstart";
import { byId, make } from "../dom.ts";
import { killScript } from "../engine/kill.ts";
import { textOf } from "../engine/resp.ts";
import { quoteBytes } from "../terminal/format.ts";
import type { Shell } from "../terminal/shell.ts";
import { LuaEditor } from "./editor.ts";
import { LUA_EXAMPLES, type LuaExample } from "./examples.ts";
import { LibraryList } from "./libraries.ts";
import { replyNodes } from "./output.ts";
import { type LibraryFunction, libraryName, type Outcome, ScriptRunner, wordsOf } from "./runner.ts";

export interface LuaParts {
	readonly database: Redstart;
	readonly shell: Shell;
	/** Where the draft is kept. */
	readonly store: Storage | undefined;
	/** Something may have been written. */
	changed(): void;
	/** Shows the terminal. */
	showTerminal(): void;
}

/** What a visitor has typed, across visits. */
interface Draft {
	source: string;
	keys: string;
	args: string;
}

const DRAFT_KEY = "redstart:lua";
const SAVE_WAIT_MS = 500;
/** A run that takes this long gets its Stop button. */
const LONG_MS = 150;

/** What the buttons do: a piece of work with a reply. */
type Work = (keys: Uint8Array[], args: Uint8Array[]) => Promise<Outcome>;

export class LuaPanel {
	readonly runner: ScriptRunner;
	private readonly parts: LuaParts;
	private readonly editor: LuaEditor;
	private readonly libraries: LibraryList;
	private readonly keys = byId<HTMLInputElement>("lua-keys");
	private readonly args = byId<HTMLInputElement>("lua-args");
	private readonly readOnly = byId<HTMLInputElement>("lua-read-only");
	private readonly result = byId("lua-result");
	private readonly status = byId("lua-status");
	private readonly runButton = byId<HTMLButtonElement>("lua-run");
	private readonly stopButton = byId<HTMLButtonElement>("lua-stop");
	private readonly keepButton = byId<HTMLButtonElement>("lua-keep");
	private readonly log: string[] = [];
	private saving: ReturnType<typeof setTimeout> | undefined;
	private isBusy = false;

	constructor(parts: LuaParts) {
		this.parts = parts;
		this.runner = new ScriptRunner(
			() => parts.database.engine,
			() => parts.shell.state,
		);
		const draft = this.restore();
		this.keys.value = draft.keys;
		this.args.value = draft.args;
		this.editor = new LuaEditor(byId("lua-editor"), draft.source, {
			onRun: () => void this.run(),
			onChange: () => this.drawMode(),
		});
		this.libraries = new LibraryList(byId("lua-libraries"), {
			call: (one) => void this.call(one),
			open: (code) => this.editor.set(code),
			remove: (name) => void this.remove(name),
		});
		this.listen();
		this.fillStrip();
		this.drawMode();
		void this.refresh();
	}

	private listen(): void {
		this.runButton.addEventListener("click", () => void this.run());
		this.stopButton.addEventListener("click", () => this.stop());
		this.keepButton.addEventListener("click", () => void this.toTerminal());
		for (const field of [this.keys, this.args]) {
			field.addEventListener("input", () => this.saveSoon());
			field.addEventListener("keydown", (event) => {
				if (event.key === "Enter") void this.run();
			});
		}
		this.parts.database.on("log", ({ level, text }) => {
			if (this.isBusy) this.log.push(`${level}: ${text}`);
		});
	}

	private fillStrip(): void {
		const strip = byId("lua-strip");
		strip.append(make("span", { class: "strip-label" }, "Try"));
		for (const example of LUA_EXAMPLES) {
			const button = make("button", { type: "button", title: example.about }, example.title);
			button.addEventListener("click", () => this.show(example));
			strip.append(button);
		}
	}

	private show(example: LuaExample): void {
		this.editor.set(example.source);
		this.keys.value = example.keys;
		this.args.value = example.args;
		this.editor.focus();
	}

	focus(): void {
		this.editor.focus();
	}

	/** The engine was rebuilt or is gone. */
	renew(): void {
		this.runner.renew();
		void this.refresh();
	}

	// ---- the draft ----

	private restore(): Draft {
		const [{ source, keys, args } = { source: "", keys: "", args: "" }] = LUA_EXAMPLES;
		try {
			const kept = JSON.parse(this.parts.store?.getItem(DRAFT_KEY) ?? "{}") as Partial<Draft>;
			if (typeof kept.source === "string" && kept.source.trim() !== "") {
				return { source: kept.source, keys: String(kept.keys ?? ""), args: String(kept.args ?? "") };
			}
		} catch {
			// What is kept is no draft of ours.
		}
		return { source, keys, args };
	}

	private saveSoon(): void {
		clearTimeout(this.saving);
		this.saving = setTimeout(() => {
			const draft: Draft = { source: this.editor.text, keys: this.keys.value, args: this.args.value };
			try {
				this.parts.store?.setItem(DRAFT_KEY, JSON.stringify(draft));
			} catch {
				// Storage is full: the draft lasts as long as the page.
			}
		}, SAVE_WAIT_MS);
	}

	/** A library is loaded, a script is run. */
	private drawMode(): void {
		const isLibrary = libraryName(this.editor.text) !== undefined;
		this.runButton.textContent = isLibrary ? "Load library" : "Run";
		this.keepButton.hidden = isLibrary;
		this.readOnly.disabled = isLibrary;
		this.saveSoon();
	}

	// ---- running ----

	private async run(): Promise<void> {
		const source = this.editor.text;
		if (libraryName(source) === undefined) {
			await this.work((keys, args) => this.runner.eval(source, keys, args, this.readOnly.checked));
		} else {
			await this.work(() => this.runner.loadLibrary(source));
			await this.refresh();
		}
	}

	private async call({ name, flags }: LibraryFunction): Promise<void> {
		await this.work((keys, args) => this.runner.call(name, keys, args, flags.includes("no-writes")));
	}

	private async remove(name: string): Promise<void> {
		await this.work(() => this.runner.deleteLibrary(name));
		await this.refresh();
	}

	/** Keeps the script, and types its EVALSHA in the terminal. */
	private async toTerminal(): Promise<void> {
		const outcome = await this.work(() => this.runner.load(this.editor.text));
		if (outcome?.reply?.kind !== "bulk") return;
		const keys = wordsOf(this.keys.value) ?? [];
		const words = [...keys, ...(wordsOf(this.args.value) ?? [])].map(quoted);
		const name = this.readOnly.checked ? "EVALSHA_RO" : "EVALSHA";
		this.parts.showTerminal();
		void this.parts.shell.play([[name, textOf(outcome.reply), keys.length, ...words].join(" ")], 0);
	}

	private async work(work: Work): Promise<Outcome | undefined> {
		const keys = wordsOf(this.keys.value);
		const args = wordsOf(this.args.value);
		if (!keys || !args) {
			this.fail(`${keys ? "ARGV" : "KEYS"}: the quotes do not close`);
			return undefined;
		}
		if (this.isBusy) return undefined;
		this.isBusy = true;
		this.log.length = 0;
		this.editor.mark(undefined);
		this.runButton.disabled = true;
		const long = setTimeout(() => {
			this.stopButton.hidden = false;
			this.status.textContent = "running";
		}, LONG_MS);
		try {
			const outcome = await work(keys, args);
			this.draw(outcome);
			return outcome;
		} catch (error) {
			this.fail((error as Error).message);
			return undefined;
		} finally {
			clearTimeout(long);
			this.isBusy = false;
			this.runButton.disabled = false;
			this.stopButton.hidden = true;
			this.parts.changed();
		}
	}

	private draw({ reply, elapsed_us, line }: Outcome): void {
		this.result.replaceChildren();
		for (const text of this.log) this.result.append(make("span", { class: "log-line" }, `${text}\n`));
		if (reply) this.result.append(...replyNodes(reply));
		else this.result.append("(the connection was closed)\n");
		this.editor.mark(line);
		this.status.textContent =
			elapsed_us < 10_000 ? `${elapsed_us.toFixed(0)} \u00b5s` : `${(elapsed_us / 1000).toFixed(0)} ms`;
	}

	private fail(text: string): void {
		this.status.textContent = "";
		this.result.replaceChildren(make("span", { class: "tone-error" }, `${text}\n`));
	}

	/** Ends a script that runs long, if it has not written yet. */
	private stop(): void {
		this.status.textContent = killScript(this.parts.database) ?? "stopping";
	}

	/** Reads the list of libraries again. */
	async refresh(): Promise<void> {
		try {
			this.libraries.draw(await this.runner.libraries());
		} catch (error) {
			this.fail((error as Error).message);
		}
	}
}

/** A word as the terminal takes it. */
function quoted(bytes: Uint8Array): string {
	const text = quoteBytes(bytes);
	return /^"[\w:.{}*@/+-]+"$/.test(text) ? text.slice(1, -1) : text;
}
