/**
 * The manifest of a multi-part append-only file, in Redis' text: which files it consists of. Names in it are bytes; here
 * they are strings with a unit for each byte (latin1).
 */

/** A file of the append-only file. */
export interface AofFile {
	readonly name: string;
	/** Counts the files of its kind, from 1. */
	readonly seq: number;
	/** Replication offsets, where they are known. */
	readonly start?: number;
	readonly end?: number;
}

/** What a manifest says. Files of the history are to be removed. */
export interface AofManifest {
	readonly base: AofFile | undefined;
	readonly history: readonly AofFile[];
	readonly incr: readonly AofFile[];
}

export const NO_FILES: AofManifest = { base: undefined, history: [], incr: [] };

/** Why a manifest cannot be read, in redis-server's words, and where. */
export class ManifestError extends Error {
	/** The line, counted from 1, and what stands there; none when no line is at fault. */
	readonly at: { readonly number: number; readonly text: string } | undefined;

	constructor(message: string, at?: { number: number; text: string }) {
		super(message);
		this.at = at;
	}
}

/** A line may be so long, with its end. */
const LONGEST_LINE = 1023;

export const manifestName = (stem: string) => `${stem}.manifest`;
export const baseName = (stem: string, seq: number, isRdb = true) =>
	`${stem}.${seq}.base.${isRdb ? "rdb" : "aof"}`;
export const incrName = (stem: string, seq: number) => `${stem}.${seq}.incr.aof`;

/** Reads a manifest. Throws a {@link ManifestError}. */
export function parseManifest(text: string): AofManifest {
	const found: { base?: AofFile; history: AofFile[]; incr: AofFile[] } = { history: [], incr: [] };
	if (text === "") throw new ManifestError("Found an empty AOF manifest");
	let number = 0;
	for (let from = 0; from < text.length; ) {
		const end = text.indexOf("\n", from);
		number++;
		if (text[from] === "#" && end >= 0 && end - from < LONGEST_LINE) {
			from = end + 1;
			continue;
		}
		if (end < 0 || end - from >= LONGEST_LINE) {
			throw new ManifestError("The AOF manifest file contains too long line");
		}
		const line = text.slice(from, end).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
		const why = addLine(found, line);
		if (why !== undefined) throw new ManifestError(why, { number, text: line });
		from = end + 1;
	}
	return { base: found.base, history: found.history, incr: found.incr };
}

/** Adds what a line says; the complaint about it, if any. */
function addLine(
	found: { base?: AofFile; history: AofFile[]; incr: AofFile[] },
	line: string,
): string | undefined {
	const invalid = "Invalid AOF manifest file format";
	const words = splitWords(line);
	if (words === undefined || words.length < 6 || words.length % 2 === 1) return invalid;
	const fields = new Map<string, string>();
	for (let i = 0; i < words.length; i += 2) {
		const key = (words[i] as string).toLowerCase();
		const value = words[i + 1] as string;
		if (key === "file" && /[/\\]/.test(value)) return "File can't be a path, just a filename";
		fields.set(key, value);
	}
	const name = fields.get("file") ?? "";
	const seq = leadingNumber(fields.get("seq"));
	const type = fields.get("type")?.[0];
	if (name === "" || seq === 0 || type === undefined) return invalid;
	const start = fields.has("startoffset") ? { start: leadingNumber(fields.get("startoffset")) } : {};
	const end = fields.has("endoffset") ? { end: leadingNumber(fields.get("endoffset")) } : {};
	const file: AofFile = { name, seq, ...start, ...end };
	switch (type) {
		case "b":
			if (found.base) return "Found duplicate base file information";
			found.base = file;
			return undefined;
		case "h":
			found.history.push(file);
			return undefined;
		case "i":
			if (seq <= (found.incr.at(-1)?.seq ?? 0)) return "Found a non-monotonic sequence number";
			found.incr.push(file);
			return undefined;
		default:
			return "Unknown AOF file type";
	}
}

/** As C's atoll: digits at the beginning, else 0. */
function leadingNumber(text = ""): number {
	return Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0);
}

/** The words of a line, some of them in quotes; undefined when the quotes are not in order. */
function splitWords(line: string): string[] | undefined {
	const words: string[] = [];
	const pattern =
		/[ \t\r\n\v\f]*("(?:\\x[0-9a-fA-F]{2}|\\[\s\S]|[^"\\])*"|'(?:\\'|[^'])*'|[^ \t\r\n\v\f"']+)/y;
	while (pattern.lastIndex < line.length) {
		const before = pattern.lastIndex;
		const match = pattern.exec(line);
		if (!match) return line.slice(before).trim() === "" ? words : undefined;
		const word = match[1] as string;
		const next = line[pattern.lastIndex];
		const isQuoted = word[0] === '"' || word[0] === "'";
		if (isQuoted && next !== undefined && !/\s/.test(next)) return undefined;
		words.push(word[0] === '"' ? unescaped(word.slice(1, -1)) : isQuoted ? single(word) : word);
	}
	return words;
}

const single = (word: string) => word.slice(1, -1).replaceAll("\\'", "'");

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

function unescaped(text: string): string {
	return text.replace(/\\x([0-9a-fA-F]{2})|\\([\s\S])/g, (_, hex: string | undefined, letter: string) =>
		hex === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
	);
}

/** A name as it stands in a manifest. */
function written(name: string): string {
	if (/^[!#-&(-[\]-~]+$/.test(name)) return name;
	const backwards = Object.entries(ESCAPES);
	const escaped = [...name].map((letter) => {
		const short = backwards.find(([, meant]) => meant === letter);
		if (short) return `\\${short[0]}`;
		if (letter === '"' || letter === "\\") return `\\${letter}`;
		if (letter >= " " && letter <= "~") return letter;
		return `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
	});
	return `"${escaped.join("")}"`;
}

/** A manifest's text. */
export function formatManifest({ base, history, incr }: AofManifest): string {
	const line = ({ name, seq, start, end }: AofFile, type: string) => {
		const offsets = `${start === undefined ? "" : ` startoffset ${start}`}${end === undefined ? "" : ` endoffset ${end}`}`;
		return `file ${written(name)} seq ${seq} type ${type}${offsets}\n`;
	};
	const lines = base ? [line(base, "b")] : [];
	for (const file of history) lines.push(line(file, "h"));
	for (const file of incr) lines.push(line(file, "i"));
	return lines.join("");
}
