/** Lines that were run, oldest first, kept between visits. */

const LIMIT = 500;

/** Where lines are kept; localStorage has this form. */
export interface TextStore {
	getItem(key: string): string | null;
	setItem(key: string, text: string): void;
}

export class History {
	private readonly lines: string[];
	private readonly store: TextStore | undefined;
	private readonly key: string;

	constructor(store?: TextStore, key = "redstart:history") {
		this.store = store;
		this.key = key;
		this.lines = this.read();
	}

	private read(): string[] {
		try {
			const lines: unknown = JSON.parse(this.store?.getItem(this.key) ?? "[]");
			return Array.isArray(lines) ? lines.filter((line) => typeof line === "string") : [];
		} catch {
			// What somebody else wrote there is no history.
			return [];
		}
	}

	get all(): readonly string[] {
		return this.lines;
	}

	get length(): number {
		return this.lines.length;
	}

	at(index: number): string | undefined {
		return this.lines[index];
	}

	/** Adds a line unless it repeats the last one. A line with a password in it is not kept. */
	add(line: string): void {
		if (line.trim() === "" || line === this.lines.at(-1) || isSecret(line)) return;
		this.lines.push(line);
		if (this.lines.length > LIMIT) this.lines.splice(0, this.lines.length - LIMIT);
		try {
			this.store?.setItem(this.key, JSON.stringify(this.lines));
		} catch {
			// Full or forbidden: the history lasts as long as the page.
		}
	}

	clear(): void {
		this.lines.length = 0;
		try {
			this.store?.setItem(this.key, "[]");
		} catch {
			// As above.
		}
	}

	/** The newest line before `before` that contains `text`. */
	findBack(text: string, before: number): number {
		for (let i = Math.min(before, this.lines.length) - 1; i >= 0; i--) {
			if (this.lines[i]?.includes(text)) return i;
		}
		return -1;
	}
}

function isSecret(line: string): boolean {
	return /^\s*auth\b|^\s*acl\s+setuser\b|\brequirepass\b|\bhello\s+\d\s+auth\b|\bmasterauth\b/i.test(line);
}
