/**
 * The files of a multi-part append-only file, under redis-server's names and with its manifest, so that either server opens
 * what the other has left. What the files mean is the manifest's to say: it is exchanged as a whole, durably, and what it
 * does not name does not count.
 */

import { constants, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import {
	type AofFile,
	type AofManifest,
	baseName,
	formatManifest,
	incrName,
	manifestName,
	NO_FILES,
	parseManifest,
} from "../storage/aof-manifest.ts";
import { removeFile, replaceFile, syncFolder, systemText } from "../storage/node-files.ts";
import type { Log } from "./log.ts";

export interface FolderNames {
	/** `dir`, which may change. */
	dir(): string;
	/** `appenddirname`. */
	folder: string;
	/** `appendfilename`: what the files' names begin with. */
	stem: string;
}

/** What went wrong, as the log is to have it. */
export class FolderError extends Error {}

export class AofFolder {
	/** What counts. */
	files: AofManifest = NO_FILES;
	private readonly names: FolderNames;
	private readonly log: Log;

	constructor(names: FolderNames, log: Log) {
		this.names = names;
		this.log = log;
	}

	get path(): string {
		return join(this.names.dir(), this.names.folder);
	}

	/** Where a file of it is. */
	at(name: string): string {
		return join(this.path, Buffer.from(name, "latin1").toString());
	}

	private get stem(): string {
		return Buffer.from(this.names.stem).toString("latin1");
	}

	private get manifestPath(): string {
		return this.at(manifestName(this.stem));
	}

	private get freshManifestPath(): string {
		return this.at(`temp-${manifestName(this.stem)}`);
	}

	private get initialName(): string {
		return `temp-${this.stem}.incr`;
	}

	get isEmpty(): boolean {
		return this.files.base === undefined && this.files.incr.length === 0;
	}

	/** Reads the manifest, if there is one. Throws a ManifestError, or a FolderError. */
	open(): void {
		removeFile(this.freshManifestPath);
		const path = this.manifestPath;
		if (!existsSync(path)) return;
		let text: string;
		try {
			text = readFileSync(path, "latin1");
		} catch (error) {
			throw new FolderError(
				`Fatal error: can't open the AOF manifest file ${manifestName(this.names.stem)} for reading: ${systemText(error)}`,
			);
		}
		this.files = parseManifest(text);
	}

	/** Takes in the append-only file of a redis-server before 7, which is one file beside the folder. */
	migrate(): void {
		const { stem, files } = this;
		const old = join(this.names.dir(), this.names.stem);
		if (!statSync(old, { throwIfNoEntry: false })?.isFile()) return;
		// Where it stopped half way, the manifest names the file and the folder has it not.
		const isHalfDone =
			files.base?.name === stem &&
			files.incr.length + files.history.length === 0 &&
			!existsSync(this.at(stem));
		if (!this.isEmpty && !isHalfDone) return;
		this.makeFolder();
		if (!isHalfDone) this.commit({ ...NO_FILES, base: { name: stem, seq: 1 } });
		try {
			renameSync(old, this.at(stem));
			syncFolder(this.path);
			syncFolder(this.names.dir());
		} catch (error) {
			throw new FolderError(
				`Error trying to move the old AOF file ${this.names.stem} into dir ${this.names.folder}: ${systemText(error)}`,
			);
		}
		this.log.write(
			"notice",
			`Successfully migrated an old-style AOF file (${this.names.stem}) into the AOF directory (${this.names.folder}).`,
		);
	}

	makeFolder(): void {
		try {
			if (existsSync(this.path)) {
				if (!statSync(this.path).isDirectory()) {
					throw Object.assign(new Error(), { code: "ENOTDIR" });
				}
				return;
			}
			mkdirSync(this.path, 0o755);
			syncFolder(this.names.dir());
		} catch (error) {
			throw new FolderError(
				`Can't open or create append-only dir ${this.names.folder}: ${systemText(error)}`,
			);
		}
	}

	/** Makes `files` what counts, durably. */
	commit(files: AofManifest): void {
		const text = Buffer.from(formatManifest(files), "latin1");
		// The files it names are to be there when it is.
		syncFolder(this.path);
		replaceFile(this.manifestPath, this.freshManifestPath, text);
		this.files = files;
	}

	/** The length of a file that counts. */
	lengthOf({ name }: AofFile): number {
		try {
			return statSync(this.at(name)).size;
		} catch (error) {
			throw new FolderError(`Unable to obtain the AOF file ${name} length. stat: ${systemText(error)}`);
		}
	}

	/** Opened for appending: what is cut off of a short write must not leave a gap. */
	private openFile(name: string, isNew: boolean): number {
		const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants;
		try {
			const flags = O_WRONLY | O_APPEND | O_CREAT | (isNew ? O_TRUNC : 0);
			return openSync(this.at(name), flags, 0o644);
		} catch (error) {
			throw new FolderError(`Can't open the append-only file ${name}: ${systemText(error)}`);
		}
	}

	/** The file to append to at the start: the last one, or the first. */
	openLast(offset: number): { file: number; length_bytes: number } {
		const last = this.files.incr.at(-1);
		if (last) {
			const file = this.openFile(last.name, false);
			this.log.write("notice", `Opening AOF incr file ${last.name} on server start`);
			return { file, length_bytes: this.lengthOf(last) };
		}
		const next = this.nextIncr(offset);
		this.log.write("notice", `Creating AOF incr file ${next.name} on server start`);
		const file = this.openFile(next.name, true);
		this.commit({ ...this.files, incr: [next] });
		return { file, length_bytes: 0 };
	}

	private nextIncr(start: number): AofFile {
		const seq = (this.files.incr.at(-1)?.seq ?? 0) + 1;
		return { name: incrName(this.stem, seq), seq, start };
	}

	get nextBase(): AofFile {
		const seq = (this.files.base?.seq ?? 0) + 1;
		return { name: baseName(this.stem, seq), seq };
	}

	/** Begins the segment behind a cut at `offset`, and returns its file. */
	beginIncr(offset: number): number {
		this.makeFolder();
		const next = this.nextIncr(offset);
		this.log.write("notice", `Creating AOF incr file ${next.name} on background rewrite`);
		const file = this.openFile(next.name, true);
		const incr = this.files.incr.map((segment, index, all) =>
			index === all.length - 1 ? { ...segment, end: offset } : segment,
		);
		this.commit({ ...this.files, incr: [...incr, next] });
		return file;
	}

	/** Begins a segment that counts only when its base does, or begins it anew. */
	beginInitial(): number {
		this.makeFolder();
		const name = this.initialName;
		this.log.write("notice", `Creating AOF incr file ${name} on background rewrite`);
		return this.openFile(name, true);
	}

	dropInitial(): void {
		if (removeFile(this.at(this.initialName))) {
			this.log.write("notice", `Removing the temp incr aof file ${this.initialName} in the background`);
		}
	}

	/**
	 * Puts the file at `path` in the place of the base and of every segment except for the one that goes on: the last one,
	 * the one of {@link beginInitial} with its offset, or none.
	 */
	finishRewrite(path: string, goesOn: "last" | "none" | { initial: number }): void {
		const { files } = this;
		const base = this.nextBase;
		this.move(path, basename(path), base.name, "base");
		let next: AofFile | undefined;
		if (goesOn === "last") next = files.incr.at(-1);
		else if (goesOn !== "none") {
			next = this.nextIncr(goesOn.initial);
			this.move(this.at(this.initialName), this.initialName, next.name, "incr");
		}
		const outdated = files.incr.filter(({ name }) => name !== next?.name);
		const history = [...files.history, ...[...outdated].reverse(), ...(files.base ? [files.base] : [])];
		this.commit({ base, history: history.map(({ name, seq }) => ({ name, seq })), incr: next ? [next] : [] });
		this.removeHistory();
	}

	private move(path: string, shownPath: string, name: string, kind: string): void {
		try {
			renameSync(path, this.at(name));
		} catch (error) {
			throw new FolderError(
				`Error trying to rename the temporary AOF ${kind} file ${shownPath} into ${name}: ${systemText(error)}`,
			);
		}
		this.log.write("notice", `Successfully renamed the temporary AOF ${kind} file ${shownPath} into ${name}`);
	}

	/** Removes the files that no longer count; what cannot be removed stays in the manifest as history for the next time. */
	removeHistory(): void {
		const { history } = this.files;
		if (history.length === 0) return;
		for (const { name } of history) {
			this.log.write("notice", `Removing the history file ${name} in the background`);
			unlink(this.at(name)).catch(() => undefined);
		}
		this.commit({ ...this.files, history: [] });
	}

	/** Notes where the last segment ends, at an orderly end. */
	noteEnd(offset: number): void {
		const last = this.files.incr.at(-1);
		if (!last) return;
		this.commit({ ...this.files, incr: [...this.files.incr.slice(0, -1), { ...last, end: offset }] });
	}
}
