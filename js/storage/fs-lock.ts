/**
 * Who owns a folder: a small file with the owner's process in it. A process that has died owns nothing; one that lives keeps
 * others out. Within a process the last one to come is the owner, as with every driver.
 */

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { RedstartError } from "../errors.ts";
import { replaceFile } from "./node-files.ts";

const NAME = "redstart.lock";

interface Owner {
	epoch: number;
	/** 0 when it has gone in order. */
	pid: number;
	/** When the process began, where the system tells: a number may be given to another one. */
	start: string;
	host: string;
	/** Differs for every owner. */
	token: string;
}

/** Tokens of owners in this process. */
const here = new Set<string>();

export class FolderLock {
	private readonly path: string;
	private readonly freshPath: string;
	private token = "";

	constructor(folder: string) {
		this.path = join(folder, NAME);
		this.freshPath = join(folder, `temp-${process.pid}-${NAME}`);
	}

	private read(): Owner | undefined {
		try {
			return JSON.parse(readFileSync(this.path, "utf8")) as Owner;
		} catch (error) {
			// What a power cut has emptied says nothing, either.
			if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT")
				return undefined;
			throw error;
		}
	}

	/** How often the folder has changed hands. */
	get epoch(): number {
		return this.read()?.epoch ?? 0;
	}

	/** Makes the caller the owner; its epoch. Refused while another process is. */
	take(): number {
		const owner = this.read();
		if (owner && isAlive(owner)) {
			throw new RedstartError("storage", `process ${owner.pid} has this database open`);
		}
		const epoch = (owner?.epoch ?? 0) + 1;
		this.token = crypto.randomUUID();
		here.add(this.token);
		this.write({ epoch, pid: process.pid, start: startOf(process.pid), host: hostname(), token: this.token });
		return epoch;
	}

	private write(owner: Owner): void {
		replaceFile(this.path, this.freshPath, Buffer.from(JSON.stringify(owner)));
	}

	/** Whether nobody has taken over since. */
	get isOurs(): boolean {
		return this.token !== "" && this.read()?.token === this.token;
	}

	/** The folder is nobody's; its epoch stays. */
	release(): void {
		if (this.isOurs) this.write({ epoch: this.epoch, pid: 0, start: "", host: "", token: "" });
		here.delete(this.token);
		this.token = "";
	}
}

/** Whether another process holds the folder. One on another machine cannot be asked; the fence stops it. */
function isAlive({ pid, start, host, token }: Owner): boolean {
	if (pid === 0 || here.has(token) || pid === process.pid || host !== hostname()) return false;
	try {
		process.kill(pid, 0);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
	return startOf(pid) === start;
}

/** When a process began, in the system's clock ticks; empty where nobody tells, or for one that has ended. */
function startOf(pid: number): string {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		const [state, start = ""] = [fields[0], fields[19]];
		return state === "Z" || state === "X" ? "ended" : start;
	} catch {
		return "";
	}
}
