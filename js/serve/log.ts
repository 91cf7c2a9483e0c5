/** The server's log, line for line as redis-server writes it. */

import { appendFileSync, writeSync } from "node:fs";

/** From the chattiest to the quietest, as `loglevel` orders them; a line's sign. */
const LEVELS = { debug: ".", verbose: "-", notice: "*", warning: "#", nothing: "" } as const;

export type LogLevel = keyof typeof LEVELS;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number) => String(value).padStart(2, "0");

export class Log {
	/** `C` while the configuration is read, `M` for a master. */
	role: "C" | "M" = "C";
	level: LogLevel = "notice";
	/** Where lines go; standard output when empty. */
	file = "";

	write(level: LogLevel, text: string): void {
		const levels = Object.keys(LEVELS);
		if (levels.indexOf(level) < levels.indexOf(this.level)) return;
		const now = new Date();
		const day = `${two(now.getDate())} ${MONTHS[now.getMonth()]} ${now.getFullYear()}`;
		const clock = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":");
		const ms = String(now.getMilliseconds()).padStart(3, "0");
		this.line(`${process.pid}:${this.role} ${day} ${clock}.${ms} ${LEVELS[level]} ${text}`);
	}

	/** A line without level and role, as from a signal handler. */
	signal(text: string): void {
		this.line(`${process.pid}:signal-handler (${Math.floor(Date.now() / 1000)}) ${text}`);
	}

	private line(text: string): void {
		if (this.file !== "") appendFileSync(this.file, `${text}\n`);
		else writeOut(`${text}\n`);
	}
}

/** Writes to standard output at once, so that whoever waits for a line has it; a pipe that is gone is no error. */
function writeOut(text: string): void {
	try {
		writeSync(1, text);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EAGAIN") process.stdout.write(text);
	}
}
