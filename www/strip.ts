/** The examples above the terminal. */

import { make } from "./dom.ts";
import { EXAMPLES } from "./examples.ts";
import type { Shell } from "./terminal/shell.ts";

const KEYSTROKE_MS = 14;

/** Fills the strip. `onPlay` hears before an example runs. */
export function fillStrip(strip: HTMLElement, shell: Shell, onPlay: () => void): void {
	const isStill = matchMedia("(prefers-reduced-motion: reduce)");
	strip.append(make("span", { class: "strip-label" }, "Try"));
	for (const example of EXAMPLES) {
		const button = make("button", { type: "button", title: example.about }, example.title);
		button.addEventListener("click", async () => {
			onPlay();
			button.setAttribute("aria-busy", "true");
			await shell.play(example.lines, isStill.matches ? 0 : KEYSTROKE_MS);
			button.removeAttribute("aria-busy");
		});
		strip.append(button);
	}
}
