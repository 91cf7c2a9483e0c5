/** The terminal on the page: xterm, its size and colours, and what screen readers hear. */

import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { watchTheme } from "../theme.ts";
import type { Shell } from "./shell.ts";

const LIGHT: ITheme = {
	background: "#ffffff",
	foreground: "#1c2530",
	cursor: "#b23f17",
	cursorAccent: "#ffffff",
	selectionBackground: "#f6cdb9",
	red: "#b3261e",
	green: "#1c7a4a",
	yellow: "#b23f17",
	brightYellow: "#b23f17",
	cyan: "#0b6a83",
	brightBlack: "#6b7784",
	scrollbarSliderBackground: "#1c25301f",
	scrollbarSliderHoverBackground: "#1c253040",
	scrollbarSliderActiveBackground: "#1c253059",
};
const DARK: ITheme = {
	background: "#141a21",
	foreground: "#e3e9ef",
	cursor: "#f0794b",
	cursorAccent: "#141a21",
	selectionBackground: "#5a3423",
	red: "#ff8a80",
	green: "#58c48c",
	yellow: "#f0794b",
	brightYellow: "#f0794b",
	cyan: "#6cc5dd",
	brightBlack: "#8292a2",
	scrollbarSliderBackground: "#e3e9ef1f",
	scrollbarSliderHoverBackground: "#e3e9ef40",
	scrollbarSliderActiveBackground: "#e3e9ef59",
};
/** On narrower pages letters are smaller, so that lines wrap less. */
const NARROW_PX = 500;
/** So many replies stay in the log that screen readers walk through. */
const SPOKEN_LINES = 60;
const SPOKEN_CHARACTERS = 2000;

export class TerminalView {
	readonly terminal: Terminal;
	private readonly fit = new FitAddon();
	private readonly spoken: HTMLElement;
	private isReaderMode = false;

	constructor(host: HTMLElement, spoken: HTMLElement) {
		this.spoken = spoken;
		this.terminal = new Terminal({
			cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
			fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim(),
			fontSize: innerWidth < NARROW_PX ? 12 : 14,
			lineHeight: 1.25,
			minimumContrastRatio: 4.5,
			scrollback: 5000,
			convertEol: false,
			macOptionIsMeta: true,
		});
		this.terminal.loadAddon(this.fit);
		this.terminal.open(host);
		watchTheme((isDark) => {
			this.terminal.options.theme = isDark ? DARK : LIGHT;
		});
		// Pastes come marked, so that their lines can be told from typing.
		this.terminal.write("\x1b[?2004h");
		this.terminal.textarea?.setAttribute(
			"aria-label",
			"Terminal input. Type a Redis command and press Enter.",
		);
		new ResizeObserver(() => this.resize()).observe(host);
		this.resize();
	}

	private resize(): void {
		const size = this.fit.proposeDimensions();
		if (size && size.cols > 1 && size.rows > 1) this.fit.fit();
	}

	/** Lets `shell` have the keys. */
	attach(shell: Shell): void {
		const { terminal } = this;
		terminal.onData((data) => shell.input(data));
		terminal.onResize(() => shell.redraw());
		terminal.attachCustomKeyEventHandler((event) => {
			if (event.key === "Tab") return !event.shiftKey && !shell.isIdle;
			const key = event.key.toLowerCase();
			// The browser pastes; copying a selection is not an interrupt.
			if (event.ctrlKey && key === "v") return false;
			return !(event.ctrlKey && key === "c" && terminal.hasSelection());
		});
	}

	focus(): void {
		this.terminal.focus();
	}

	/** xterm's own reading of its rows instead of the log of replies. */
	setReaderMode(isOn: boolean): void {
		this.isReaderMode = isOn;
		this.terminal.options.screenReaderMode = isOn;
	}

	/** Has a reply read out. */
	speak(text: string): void {
		if (this.isReaderMode) return;
		const line = document.createElement("p");
		line.textContent = text.slice(0, SPOKEN_CHARACTERS);
		this.spoken.append(line);
		while (this.spoken.childElementCount > SPOKEN_LINES) this.spoken.firstElementChild?.remove();
	}
}
