/** The editor of the Lua view: CodeMirror, in the colours of the page. */

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
	bracketMatching,
	HighlightStyle,
	indentUnit,
	StreamLanguage,
	syntaxHighlighting,
} from "@codemirror/language";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { EditorState, RangeSet, StateEffect, StateField } from "@codemirror/state";
import {
	Decoration,
	type DecorationSet,
	drawSelection,
	EditorView,
	GutterMarker,
	gutterLineClass,
	keymap,
	lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const COLOURS = HighlightStyle.define([
	{ tag: tags.keyword, color: "var(--code-keyword)" },
	{ tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
	{ tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
	{ tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
	{ tag: [tags.standard(tags.variableName), tags.standard(tags.name)], color: "var(--code-name)" },
]);

/** The line an error is in, from 1; undefined for none. */
const setError = StateEffect.define<number | undefined>();

class ErrorMark extends GutterMarker {
	override readonly elementClass = "cm-error-number";
}

const errorMark = new ErrorMark();

type Marks = { readonly line: DecorationSet; readonly number: RangeSet<GutterMarker> };
const UNMARKED: Marks = { line: Decoration.none, number: RangeSet.empty };

/** The mark goes with the next change: then it may be mended. */
const errorField = StateField.define<Marks>({
	create: () => UNMARKED,
	update(marks, { effects, docChanged, state: { doc } }) {
		for (const effect of effects) {
			if (!effect.is(setError)) continue;
			if (effect.value === undefined || effect.value > doc.lines) return UNMARKED;
			const { from } = doc.line(effect.value);
			return {
				line: Decoration.set(Decoration.line({ class: "cm-error-line" }).range(from)),
				number: RangeSet.of(errorMark.range(from)),
			};
		}
		return docChanged ? UNMARKED : marks;
	},
	provide: (field) => [
		EditorView.decorations.from(field, (marks) => marks.line),
		gutterLineClass.from(field, (marks) => marks.number),
	],
});

export interface EditorEvents {
	/** Ctrl+Enter or Cmd+Enter. */
	onRun(): void;
	onChange(text: string): void;
}

export class LuaEditor {
	private readonly view: EditorView;

	constructor(host: HTMLElement, text: string, events: EditorEvents) {
		const run = () => {
			events.onRun();
			return true;
		};
		this.view = new EditorView({
			parent: host,
			state: EditorState.create({
				doc: text,
				extensions: [
					lineNumbers(),
					history(),
					drawSelection(),
					bracketMatching(),
					indentUnit.of("  "),
					StreamLanguage.define(lua),
					syntaxHighlighting(COLOURS),
					errorField,
					// Escape and then Tab leave the editor: CodeMirror's own rule for keyboards.
					keymap.of([
						{ key: "Mod-Enter", run, preventDefault: true },
						...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"),
						...historyKeymap,
						indentWithTab,
					]),
					EditorView.contentAttributes.of({
						"aria-label": "Lua script. Control and Enter run it; Escape, then Tab leave the editor.",
						autocapitalize: "off",
						autocorrect: "off",
						spellcheck: "false",
					}),
					EditorView.updateListener.of((update) => {
						if (update.docChanged) events.onChange(update.state.doc.toString());
					}),
				],
			}),
		});
	}

	get text(): string {
		return this.view.state.doc.toString();
	}

	/** Another text; what was there comes back by undo. */
	set(text: string): void {
		const { view } = this;
		view.dispatch({
			changes: { from: 0, to: view.state.doc.length, insert: text },
			selection: { anchor: 0 },
		});
	}

	/** Marks the line of an error, or none. */
	mark(line: number | undefined): void {
		const { doc } = this.view.state;
		const at = line !== undefined && line <= doc.lines ? doc.line(line).from : undefined;
		const scroll = at === undefined ? [] : [EditorView.scrollIntoView(at)];
		this.view.dispatch({ effects: [setError.of(line), ...scroll] });
	}

	focus(): void {
		this.view.focus();
	}
}
