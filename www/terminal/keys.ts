/** Terminal input as keys. */

export type Key =
	| { name: "text" | "paste"; text: string }
	| {
			name:
				| "enter"
				| "tab"
				| "back-tab"
				| "backspace"
				| "delete"
				| "left"
				| "right"
				| "up"
				| "down"
				| "home"
				| "end"
				| "word-left"
				| "word-right"
				| "delete-word"
				| "delete-next-word"
				| "delete-to-start"
				| "delete-to-end"
				| "transpose"
				| "search"
				| "interrupt"
				| "end-of-input"
				| "clear-screen"
				| "cancel";
	  };

type PlainName = Exclude<Key["name"], "text" | "paste">;

const CONTROL: Readonly<Record<string, PlainName>> = {
	"\r": "enter",
	"\n": "enter",
	"\t": "tab",
	"\x7f": "backspace",
	"\x08": "backspace",
	"\x01": "home",
	"\x02": "left",
	"\x03": "interrupt",
	"\x04": "end-of-input",
	"\x05": "end",
	"\x06": "right",
	"\x07": "cancel",
	"\x0b": "delete-to-end",
	"\x0c": "clear-screen",
	"\x0e": "down",
	"\x10": "up",
	"\x12": "search",
	"\x14": "transpose",
	"\x15": "delete-to-start",
	"\x17": "delete-word",
};

const SEQUENCES: Readonly<Record<string, PlainName>> = {
	"[A": "up",
	"[B": "down",
	"[C": "right",
	"[D": "left",
	OA: "up",
	OB: "down",
	OC: "right",
	OD: "left",
	"[H": "home",
	"[F": "end",
	OH: "home",
	OF: "end",
	"[1~": "home",
	"[4~": "end",
	"[3~": "delete",
	"[Z": "back-tab",
	"[1;5D": "word-left",
	"[1;5C": "word-right",
	"[1;3D": "word-left",
	"[1;3C": "word-right",
	b: "word-left",
	f: "word-right",
	d: "delete-next-word",
	"\x7f": "delete-word",
};

const PASTE_FROM = "\x1b[200~";
const PASTE_TO = "\x1b[201~";

/** The keys in a piece of input. A paste comes whole, as one key. */
export function readKeys(input: string): Key[] {
	const keys: Key[] = [];
	let at = 0;
	while (at < input.length) {
		if (input.startsWith(PASTE_FROM, at)) {
			const from = at + PASTE_FROM.length;
			const end = input.indexOf(PASTE_TO, from);
			keys.push({ name: "paste", text: input.slice(from, end < 0 ? undefined : end) });
			at = end < 0 ? input.length : end + PASTE_TO.length;
			continue;
		}
		if (input[at] === "\x1b") {
			const [sequence] = /^(?:\[[\d;]*[A-Za-z~]|O[A-Z]|[\s\S])?/.exec(input.slice(at + 1)) ?? [""];
			const name = sequence === "" ? "cancel" : SEQUENCES[sequence];
			if (name) keys.push({ name });
			at += 1 + sequence.length;
			continue;
		}
		const name = CONTROL[input[at] as string];
		if (name) {
			keys.push({ name });
			at++;
			continue;
		}
		let to = at;
		while (to < input.length && (input[to] as string) >= " " && input[to] !== "\x7f") to++;
		if (to > at) keys.push({ name: "text", text: input.slice(at, to) });
		at = Math.max(to, at + 1);
	}
	return keys;
}
