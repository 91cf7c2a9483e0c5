/** The terminal's behaviour: keys in, commands to the engine, replies out. It knows no DOM. */

import type { Engine } from "../../js/index.ts";
import { encodeText, type RespNode, textOf } from "../engine/resp.ts";
import { type Exchange, WireSession } from "../engine/wire.ts";
import { complete, hint, type KeyFinder } from "./completion.ts";
import { CommandDocs } from "./docs.ts";
import { LineEditor } from "./editor.ts";
import { formatRaw, formatReply, isRawOutput, type Paint } from "./format.ts";
import { helpText } from "./help.ts";
import type { History } from "./history.ts";
import { type Key, readKeys } from "./keys.ts";
import { type Output, Screen, styled } from "./screen.ts";
import { splitLine } from "./split.ts";
import { SessionState } from "./state.ts";

export interface ShellOptions {
	readonly output: Output;
	readonly engine: () => Engine;
	readonly history: History;
	readonly findKeys: KeyFinder;
	/** Something to read out: a reply or a message, without colours. */
	onSpoken(text: string): void;
	/** A command has been answered. */
	onDone(words: readonly string[], elapsed_us: number): void;
	/** Ends a script; why that cannot be, or undefined. */
	killScript?(): string | undefined;
	/** Prompt, protocol or database may have changed. */
	onState(state: SessionState): void;
}

type Job =
	| Key
	| { name: "run"; line: string }
	| { name: "wait"; delay_ms: number }
	| { name: "call"; run(): void };

const paint: Paint = (tone, text) => {
	switch (tone) {
		case "error":
			return styled("error", text);
		case "type":
			return styled("type", text);
		case "index":
			return styled("faint", text);
		case "status":
			return styled("status", text);
		default:
			return text;
	}
};
const helpPaint = {
	title: (text: string) => styled("title", text),
	faint: (text: string) => styled("faint", text),
};
const unpainted = { title: (text: string) => text, faint: (text: string) => text };

/** As redis-cli: replies that took this long tell how long. */
const SLOW_US = 500_000;
const MOST_REPEATS = 100_000;

export class Shell {
	readonly state = new SessionState();
	private docs = new CommandDocs(undefined);
	private readonly options: ShellOptions;
	private readonly screen: Screen;
	private readonly editor: LineEditor;
	private session: WireSession;
	private readonly jobs: Job[] = [];
	private isWorking = false;
	/** A command is under way; the prompt comes back after it. */
	private isRunning = false;
	private isInterrupted = false;
	private hasHints = true;
	private stopWaiting: (() => void) | undefined;

	constructor(options: ShellOptions) {
		this.options = options;
		this.screen = new Screen(options.output);
		this.editor = new LineEditor(
			options.history,
			(line) => complete(line, this.docs, options.findKeys).lines,
		);
		this.session = this.connect();
	}

	// ---- connection ----

	private connect(): WireSession {
		const session = new WireSession(this.options.engine(), {
			onPush: (node) => this.showPush(node),
			onClosed: () => {
				if (this.session === session) this.reconnect();
			},
		});
		return session;
	}

	/** A fresh connection in place of one that ended, in the same database and protocol. */
	private reconnect(): void {
		const { db, protocol } = this.state;
		this.state.forget();
		this.session = this.connect();
		this.introduce();
		if (protocol === 3) void this.ask("HELLO", "3");
		if (db > 0) void this.ask("SELECT", String(db));
		// Both were possible on the connection before, and run before anything typed from now on.
		this.state.protocol = protocol;
		this.state.db = db;
		this.options.onState(this.state);
	}

	/** CLIENT LIST tells which connection this is. */
	private introduce(): void {
		void this.ask("CLIENT", "SETNAME", "terminal");
	}

	/** The engine was rebuilt: everything about the old session is gone. */
	renew(): void {
		const { session } = this;
		session.abandon();
		this.reconnect();
	}

	/** There is no engine any more; a command that waits ends without a reply. */
	stop(): void {
		this.session.abandon();
	}

	private ask(...words: string[]): Promise<Exchange> {
		return this.session.call(words.map(encodeText));
	}

	/** Speaks RESP2 or RESP3 from now on. */
	async setProtocol(protocol: 2 | 3): Promise<void> {
		if (this.session.isWaiting || this.state.isMulti) return;
		const { replies } = await this.ask("HELLO", String(protocol));
		if (replies[0] && replies[0].kind !== "error") this.state.protocol = protocol;
		this.options.onState(this.state);
	}

	/** Reads the engine's own documentation and shows the prompt. */
	async start(greeting: string): Promise<void> {
		this.introduce();
		const { replies } = await this.ask("COMMAND", "DOCS");
		this.docs = new CommandDocs(replies[0]);
		this.print(greeting);
		this.drawLine();
	}

	// ---- input ----

	/** Bytes from the keyboard or the clipboard, as xterm gives them. */
	input(data: string): void {
		for (const key of readKeys(data)) {
			if (key.name === "interrupt" && (this.isRunning || this.jobs.length > 0)) this.interrupt();
			else this.jobs.push(key);
		}
		void this.work();
	}

	/** The line is empty and nothing runs: Tab may leave the terminal. */
	get isIdle(): boolean {
		return !this.isRunning && this.jobs.length === 0 && this.editor.text === "";
	}

	/**
	 * Types lines and runs them, one after another, out of whatever the session is in. Resolves at the end, or when
	 * somebody interrupts.
	 */
	play(lines: readonly string[], keystroke_ms: number, isRunLast = true): Promise<void> {
		return new Promise((resolve) => {
			const { state } = this;
			if (this.editor.text !== "") this.jobs.push({ name: "interrupt" });
			if (state.subscriptions > 0 || state.isMonitor) this.jobs.push({ name: "interrupt" });
			if (state.isMulti) this.jobs.push({ name: "run", line: "DISCARD" });
			for (const [i, line] of lines.entries()) {
				if (keystroke_ms === 0) this.jobs.push({ name: "text", text: line });
				for (const char of keystroke_ms > 0 ? line : "") {
					this.jobs.push({ name: "text", text: char }, { name: "wait", delay_ms: keystroke_ms });
				}
				if (i < lines.length - 1 || isRunLast) this.jobs.push({ name: "enter" });
				if (keystroke_ms > 0) this.jobs.push({ name: "wait", delay_ms: keystroke_ms * 12 });
			}
			this.jobs.push({ name: "call", run: resolve });
			void this.work();
		});
	}

	/** Ctrl-C while something runs or waits to run: it ends, and what was to follow is dropped. */
	private interrupt(): void {
		this.isInterrupted = true;
		for (const job of this.jobs.splice(0)) if (job.name === "call") job.run();
		this.stopWaiting?.();
		if (this.session.isWaiting) {
			if (this.options.engine().isBusy) this.endScript();
			else this.session.close();
		} else if (!this.isRunning) this.jobs.push({ name: "interrupt" });
	}

	/** Ends the script that runs, which redis-cli would leave to another client; its caller reads so. */
	private endScript(): void {
		const refusal = this.options.killScript?.();
		if (refusal) this.say(styled("error", `${refusal}\n`), refusal);
	}

	private async work(): Promise<void> {
		if (this.isWorking) return;
		this.isWorking = true;
		try {
			for (let job = this.jobs.shift(); job; job = this.jobs.shift()) await this.handle(job);
		} finally {
			this.isWorking = false;
		}
	}

	private async handle(job: Job): Promise<void> {
		switch (job.name) {
			case "run":
				this.editor.set(job.line);
				this.drawLine();
				return this.handle({ name: "enter" });
			case "call":
				return job.run();
			case "wait":
				return new Promise((resolve) => {
					const timer = setTimeout(resolve, job.delay_ms);
					this.stopWaiting = () => {
						clearTimeout(timer);
						resolve();
					};
				});
		}
		const action = this.editor.handle(job);
		switch (action.kind) {
			case "redraw":
				return this.drawLine();
			case "interrupt":
			case "end-of-input":
				return this.cancelLine();
			case "clear-screen":
				this.screen.clear();
				return this.drawLine();
			case "submit":
				this.drawLine(action.line);
				this.screen.leave();
				await this.run(action.line);
				return this.drawLine();
			case "paste": {
				const last = action.lines.pop() as string;
				const runs = action.lines.map((line) => ({ name: "run", line }) as const);
				this.jobs.unshift(...runs, { name: "text", text: last });
			}
		}
	}

	/** Ctrl-C or Ctrl-D at the prompt: an empty line; from an empty line, out of what the session is in. */
	private cancelLine(): void {
		const isEmpty = this.editor.text === "";
		this.drawLine(`${this.editor.text}^C`);
		this.screen.leave();
		this.editor.reset();
		if (isEmpty && (this.state.subscriptions > 0 || this.state.isMonitor)) this.session.close();
		this.drawLine();
	}

	// ---- running ----

	private async run(line: string): Promise<void> {
		if (line.trim() === "") return;
		const words = splitLine(line);
		if (!words) return this.say(styled("error", "Invalid argument(s)\n"), "Invalid arguments");
		this.isRunning = true;
		this.isInterrupted = false;
		try {
			const texts = words.map((word) => word.text);
			if (this.runLocal(texts)) return;
			const repeats = texts.length > 1 && /^[1-9]\d{0,5}$/.test(texts[0] as string) ? Number(texts[0]) : 0;
			const args = words.slice(repeats > 0 ? 1 : 0);
			for (let i = 0; i < Math.min(repeats || 1, MOST_REPEATS) && !this.isInterrupted; i++) {
				await this.runOnce(
					args.map((word) => word.bytes),
					args.map((word) => word.text),
				);
				// Room for Ctrl-C and for the screen.
				if (i % 100 === 99) await new Promise((resolve) => setTimeout(resolve));
			}
		} catch (error) {
			this.say(styled("error", `${(error as Error).message}\n`), (error as Error).message);
		} finally {
			this.isRunning = false;
			this.options.onState(this.state);
		}
	}

	private async runOnce(args: readonly Uint8Array[], words: readonly string[]): Promise<void> {
		const { session } = this;
		const { replies, elapsed_us } = await session.call(args);
		if (session === this.session) this.state.observe(words, replies);
		if (replies.length === 0) {
			const why = this.isInterrupted
				? "interrupted; the connection is a new one"
				: "the connection was closed";
			this.say(styled("faint", `(${why})\n`), why);
		}
		for (const reply of replies) this.show(reply, words);
		if (this.state.subscriptions > 0 && /^[ps]?subscribe$/i.test(words[0] ?? "")) {
			this.print(styled("faint", "Reading messages... (press Ctrl-C to quit or type a command)\n"));
		}
		if (elapsed_us >= SLOW_US) this.print(`(${(elapsed_us / 1e6).toFixed(2)}s)\n`);
		this.options.onDone(words, elapsed_us);
	}

	/** Words that only the terminal knows. True when they were one. */
	private runLocal(words: readonly string[]): boolean {
		const name = (words[0] as string).toLowerCase();
		if (name === "clear" && words.length === 1) this.screen.clear();
		else if (name === "help" || name === "?") {
			const rest = words.slice(1);
			this.say(helpText(rest, this.docs, helpPaint), helpText(rest, this.docs, unpainted));
		} else if (name === "history") this.showHistory(words[1]);
		else if (name === ":set" && /^(no)?hints$/.test(words[1] ?? "")) this.hasHints = words[1] === "hints";
		else if (name === "exit") {
			const text = "The server runs in this tab: close the tab to leave. QUIT ends the connection.\n";
			this.say(text, text);
		} else return false;
		return true;
	}

	private showHistory(word: string | undefined): void {
		const { history } = this.options;
		if (word?.toLowerCase() === "clear") {
			history.clear();
			this.editor.reset();
			return;
		}
		const { all } = history;
		const width = String(all.length).length;
		this.print(all.map((line, i) => `${styled("faint", String(i + 1).padStart(width))}  ${line}\n`).join(""));
	}

	// ---- output ----

	private show(reply: RespNode, words: readonly string[]): void {
		const isRaw = isRawOutput(words) && reply.kind !== "error";
		this.say(
			isRaw ? formatRaw(reply) : formatReply(reply, paint),
			isRaw ? formatRaw(reply) : formatReply(reply),
		);
	}

	private showPush(node: RespNode): void {
		const isInvalidation = node.kind === "push" && textOf(node.items[0]) === "invalidate";
		const text = (dress: Paint | undefined) =>
			isInvalidation ? `-> invalidate: ${textOfKeys(node.items[1])}\n` : formatReply(node, dress);
		this.say(text(paint), text(undefined));
		if (!this.isRunning) this.drawLine();
	}

	private say(text: string, spoken: string): void {
		this.print(text);
		this.options.onSpoken(spoken);
	}

	private print(text: string): void {
		this.screen.print(text);
	}

	/** Draws the line again, after a change of size for instance. */
	redraw(): void {
		if (!this.isRunning) this.drawLine();
	}

	private drawLine(text?: string): void {
		const { editor } = this;
		const { searching } = editor;
		const line = text ?? editor.text;
		const prompt = searching
			? `(${searching.isFound ? "" : "failed "}reverse-i-search)\`${searching.text}': `
			: this.state.prompt;
		const isHinted = this.hasHints && text === undefined && editor.isAtEnd && !searching;
		this.screen.draw({
			prompt,
			text: line,
			before: text ?? editor.before,
			hint: isHinted ? hint(line, this.docs) : "",
		});
	}
}

function textOfKeys(node: RespNode | undefined): string {
	return node && "items" in node ? node.items.map((key) => `'${textOf(key)}'`).join(", ") : "all keys";
}
