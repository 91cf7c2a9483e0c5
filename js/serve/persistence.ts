/**
 * What a server keeps of its dataset: `dump.rdb` and the append-only file, as redis-server does, file for file and line of
 * the log for line. The engine decides when to save and to rewrite; this moves the bytes.
 */

import { existsSync, renameSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Purpose } from "../dataset.ts";
import { ReplyError } from "../errors.ts";
import { type AofFile, ManifestError } from "../storage/aof-manifest.ts";
import { piecesOf, syncFolder, systemText, zerosAtEnd } from "../storage/node-files.ts";
import { AofFolder, FolderError } from "./aof-folder.ts";
import { Appender, type SyncPolicy } from "./appender.ts";
import type { ServerEngine } from "./engine.ts";
import { Exit, messageOf } from "./exit.ts";
import type { Log } from "./log.ts";
import { linesOf, type RdbFacts, readRdbFacts } from "./rdb-facts.ts";
import type { Gate, GateState } from "./server.ts";
import { SnapshotFile } from "./snapshot-file.ts";

const NOTHING = new Uint8Array(0);

export interface Surroundings {
	engine: ServerEngine;
	log: Log;
	/** A parameter's value. */
	config(name: string): string;
	/** A field of INFO. */
	info(section: string, field: string): string;
	/** Asks for {@link Persistence.commit} to be called soon. */
	retry(): void;
	/** Counts what clients send. */
	traffic(): number;
}

/** A snapshot that is being written. */
interface Job {
	purpose: Purpose;
	snapshot: SnapshotFile;
	/** Puts the file where it belongs. */
	finish(): void;
}

export class Persistence implements Gate {
	/** `dir` as a path from the root. */
	dir = "";
	private readonly engine: ServerEngine;
	private readonly log: Log;
	private readonly config: (name: string) => string;
	private readonly info: Surroundings["info"];
	private readonly retry: () => void;
	private readonly traffic: () => number;
	private readonly folder: AofFolder;
	private appender: Appender | undefined;
	/** Turned on at run time, and its first base is not there yet: a crash leaves what was there before. */
	private isInitial = false;
	private policy: SyncPolicy = "everysec";
	private job: Job | undefined;
	/** A rewrite that is about to begin. */
	private beginning: object | undefined;
	/** Asked for while another snapshot was written. */
	private queued: Purpose[] = [];
	/** Replication offset that the files had when this server began. */
	private firstOffset = 0;

	constructor({ engine, log, config, info, retry, traffic }: Surroundings) {
		this.engine = engine;
		this.log = log;
		this.config = config;
		this.info = info;
		this.retry = retry;
		this.traffic = traffic;
		this.folder = new AofFolder(
			{ dir: () => this.dir, folder: config("appenddirname"), stem: config("appendfilename") },
			log,
		);
	}

	private get dumpPath(): string {
		return join(this.dir, this.config("dbfilename"));
	}

	private fatal(text: string): never {
		this.log.write("warning", text);
		throw new Exit(1);
	}

	/** Bytes or commands, as redis-server counts what it has written. */
	private get offset(): number {
		return this.firstOffset + Number(this.info("replication", "master_repl_offset"));
	}

	// ---- at the start ----

	/** Fills the engine from the files and opens what is to be appended to. Throws an Exit. */
	start(): void {
		this.policy = this.config("appendfsync") as SyncPolicy;
		try {
			this.folder.open();
			if (this.config("appendonly") !== "yes") {
				this.loadDump();
				return;
			}
			this.folder.migrate();
			this.loadAof();
			if (this.folder.isEmpty) this.createBase();
			this.openAof();
		} catch (error) {
			if (error instanceof ManifestError) this.refuseManifest(error);
			if (error instanceof FolderError) this.fatal(error.message);
			throw error;
		}
	}

	private refuseManifest({ at, message }: ManifestError): never {
		const { log } = this;
		log.write("warning", "\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
		if (at) {
			log.write("warning", `Reading the manifest file, at line ${at.number}\n`);
			log.write("warning", `>>> '${at.text}'\n`);
		}
		this.fatal(`${message}\n`);
	}

	private loadDump(): void {
		const { engine, log, dumpPath } = this;
		const start_ms = performance.now();
		if (!existsSync(dumpPath)) return;
		try {
			this.tellOf(readRdbFacts(dumpPath));
			engine.dataset.load(piecesOf(dumpPath));
		} catch (error) {
			this.refuseRdb(error);
		}
		this.tellLoaded();
		log.write("notice", `DB loaded from disk: ${secondsSince(start_ms)} seconds`);
	}

	private refuseRdb(error: unknown): never {
		const { log } = this;
		if (!(error instanceof ReplyError)) {
			log.write(
				"warning",
				`Fatal error: can't open the RDB file ${this.config("dbfilename")} for reading: ${systemText(error)}`,
			);
		} else log.write("warning", messageOf(error));
		this.fatal("Fatal error loading the DB, check server logs. Exiting.");
	}

	private tellOf(facts: RdbFacts): void {
		for (const line of linesOf(facts)) this.log.write("notice", line);
	}

	private tellLoaded(): void {
		const count = (field: string) => this.info("persistence", `rdb_last_load_keys_${field}`);
		this.log.write(
			"notice",
			`Done loading RDB, keys loaded: ${count("loaded")}, keys expired: ${count("expired")}.`,
		);
	}

	private loadAof(): void {
		const { folder, log } = this;
		if (folder.isEmpty) return;
		const start_ms = performance.now();
		const { base, incr } = folder.files;
		const all = base ? [base, ...incr] : incr;
		// Nothing is loaded when a file is missing.
		const filled = all.filter((file) => folder.lengthOf(file) > 0);
		for (const file of filled) {
			const from_ms = performance.now();
			this.loadFile(file, file === base, file === all.at(-1), file === filled.at(-1));
			const kind = file === base ? "base" : "incr";
			log.write("notice", `DB loaded from ${kind} file ${file.name}: ${secondsSince(from_ms)} seconds`);
		}
		log.write("notice", `DB loaded from append only file: ${secondsSince(start_ms)} seconds`);
		const last = incr.at(-1);
		this.firstOffset = last?.end ?? last?.start ?? 0;
	}

	/** `isEnd`: a torn end is to be expected; `isLast`: no other file with anything in it follows. */
	private loadFile(one: AofFile, isBase: boolean, isEnd: boolean, isLast: boolean): void {
		const { engine, folder, log } = this;
		const { name } = one;
		const path = folder.at(name);
		const facts = readRdbFacts(path);
		const isOld = name === Buffer.from(this.config("appendfilename")).toString("latin1");
		if (facts.isRdb) {
			log.write(
				"notice",
				isOld ? "Reading RDB preamble from AOF file..." : "Reading RDB base file on AOF loading...",
			);
			this.tellOf(facts);
		}
		// Commands do not end in zeros; the end of a dump may.
		const length_bytes = folder.lengthOf(one);
		const end_bytes = length_bytes - (isEnd && !facts.isRdb ? zerosAtEnd(path) : 0);
		let good_bytes: number;
		try {
			const file = {
				name: Buffer.from(name, "latin1").toString(),
				total_bytes: length_bytes,
				isLast,
			};
			good_bytes = engine.dataset.replay(piecesOf(path, end_bytes), file);
		} catch (error) {
			this.refuseAof(error, name, facts.isRdb && isBase && !isOld);
		}
		// What the engine has to say of the file comes before what is said here.
		engine.pump();
		if (facts.isRdb) {
			this.tellLoaded();
			if (isOld) log.write("notice", "Reading the remaining AOF tail...");
		}
		if (good_bytes < length_bytes) this.cutOff(name, good_bytes, isEnd);
	}

	private refuseAof(error: unknown, name: string, isRdb: boolean): never {
		const why = messageOf(error);
		if (!(error instanceof ReplyError)) {
			this.fatal(`Unrecoverable error reading the append only file ${name}: ${why}`);
		}
		this.engine.pump();
		if (isRdb) {
			this.log.write("warning", why);
			this.fatal(`Error reading the RDB base file ${name}, AOF loading aborted`);
		}
		this.fatal(why);
	}

	/** A file ends inside of a command or a transaction, as a crash leaves it: only the last one may. */
	private cutOff(name: string, good_bytes: number, isLast: boolean): void {
		const { folder, log } = this;
		if (this.config("aof-load-truncated") !== "yes") {
			this.fatal(
				`Unexpected end of file reading the append only file ${name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.`,
			);
		}
		log.write("warning", `!!! Warning: short read while loading the AOF file ${name}!!!`);
		// redis-server cuts it off before it looks; a file that is in the middle stays here as it is.
		if (!isLast) this.fatal("Fatal error: the truncated file is not the last file");
		log.write("warning", `!!! Truncating the AOF ${name} at offset ${good_bytes} !!!`);
		try {
			truncateSync(folder.at(name), good_bytes);
		} catch (error) {
			this.fatal(`Error truncating the AOF file ${name}: ${systemText(error)}`);
		}
		log.write("warning", `AOF ${name} loaded anyway because aof-load-truncated is enabled`);
	}

	/** The first base of a new append-only file. */
	private createBase(): void {
		const { engine, folder, log } = this;
		folder.makeFolder();
		const base = folder.nextBase;
		log.write("notice", `Creating AOF base file ${base.name} on server start`);
		const snapshot = new SnapshotFile(
			engine.dataset,
			join(this.dir, `temp-rewriteaof-${process.pid}.aof`),
			"rewrite",
			false,
		);
		try {
			snapshot.runWhole();
			renameSync(snapshot.path, folder.at(base.name));
			folder.files = { ...folder.files, base };
		} catch (error) {
			snapshot.abandon();
			this.fatal(`Error moving temp append only file on the final destination: ${systemText(error)}`);
		}
		engine.dataset.endSnapshot(true);
	}

	private openAof(): void {
		const { folder } = this;
		const { file, length_bytes } = folder.openLast(this.offset);
		folder.removeHistory();
		this.record(file, length_bytes);
	}

	// ---- appending ----

	/** Records writes from now on, into `file`. */
	private record(file: number, length_bytes: number): void {
		const { engine, log } = this;
		engine.dataset.setAof(true);
		this.appender = new Appender(file, length_bytes, log, {
			onStored: (written_bytes, durable_bytes) => {
				// Nothing of it is there after a crash while its base is not.
				if (this.isInitial) engine.dataset.aofStored(0, 0);
				else engine.dataset.aofStored(written_bytes, durable_bytes);
			},
			onFailed: (why) => engine.dataset.aofFailed(why),
			onRetry: this.retry,
			onFatal: (text) => {
				log.write("warning", text);
				process.exit(1);
			},
		});
	}

	get isOn(): boolean {
		return this.appender !== undefined;
	}

	/** Writes what was recorded: replies go out after that. */
	commit(): GateState {
		const { appender, engine } = this;
		if (!appender) return "open";
		const isFresh = engine.hasAof;
		const bytes = isFresh ? engine.dataset.takeAof() : NOTHING;
		if (appender.append(bytes, this.policy)) return "open";
		return isFresh ? "shut" : "behind";
	}

	setPolicy(policy: SyncPolicy): void {
		this.policy = policy;
		// What was written under the old one is to be as durable as the new one says.
		this.commit();
	}

	// ---- requests ----

	/** SAVE: in one go. */
	save(): boolean {
		this.finishJob();
		return this.saveNow();
	}

	private saveNow(): boolean {
		const { log } = this;
		const name = `temp-${process.pid}.rdb`;
		const snapshot = this.begin("save", name);
		if (!snapshot) return false;
		try {
			snapshot.runWhole();
			this.keepDump(snapshot);
		} catch (error) {
			snapshot.abandon();
			log.write("warning", `Write error while saving DB to the disk(rdbSaveRio): ${messageOf(error)}`);
			this.engine.dataset.endSnapshot(false);
			return false;
		}
		this.engine.dataset.endSnapshot(true);
		return true;
	}

	/** A file for a snapshot; none when it cannot be made, which the engine then knows. */
	private begin(purpose: Purpose, name: string): SnapshotFile | undefined {
		const { engine, log } = this;
		const isSynced = this.config(
			purpose === "save" ? "rdb-save-incremental-fsync" : "aof-rewrite-incremental-fsync",
		);
		try {
			return new SnapshotFile(engine.dataset, join(this.dir, name), purpose, isSynced === "yes");
		} catch (error) {
			log.write(
				"warning",
				purpose === "save"
					? `Failed opening the temp RDB file ${name} (in server root dir ${this.dir}) for saving: ${messageOf(error)}`
					: `Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): ${messageOf(error)}`,
			);
			// A cut is a cut: the segment that goes on selects its database.
			engine.dataset.beginSnapshot(purpose);
			engine.dataset.endSnapshot(false);
			return undefined;
		}
	}

	private keepDump({ path }: SnapshotFile): void {
		const { dumpPath } = this;
		renameSync(path, dumpPath);
		syncFolder(dirname(dumpPath));
		this.log.write("notice", "DB saved on disk");
	}

	/** BGSAVE: in slices. */
	saveAside(): void {
		const { log } = this;
		if (this.job || this.beginning) {
			this.queued.push("save");
			return;
		}
		log.write("notice", `Background saving started by pid ${process.pid}`);
		const snapshot = this.begin("save", `temp-${process.pid}.rdb`);
		if (!snapshot) {
			log.write("warning", "Background saving error");
			return;
		}
		void this.run({
			purpose: "save",
			snapshot,
			finish: () => {
				this.keepDump(snapshot);
				log.write("notice", "Background saving terminated with success");
			},
		});
	}

	/** BGREWRITEAOF: in slices. */
	async rewriteAside(): Promise<void> {
		if (this.job || this.beginning) {
			this.queued.push("rewrite");
			return;
		}
		const { appender, isInitial } = this;
		if (appender && !isInitial) {
			// Nobody waits for the disk: what is left to do at the cut is little.
			const beginning = {};
			this.beginning = beginning;
			await appender.settle();
			// Half of what a script does is not to be stored.
			await this.engine.whenIdle();
			if (this.beginning !== beginning) return;
			this.beginning = undefined;
		}
		this.rewriteNow();
		this.goOn();
	}

	private rewriteNow(): void {
		const { appender, folder, log } = this;
		// What was recorded belongs to the segment that ends here.
		this.commit();
		try {
			if (appender?.isBehind) throw new FolderError("what was recorded cannot be written");
			// A segment in the middle has to be whole, also after a power cut.
			appender?.sync();
			if (appender && !this.isInitial) appender.exchange(folder.beginIncr(this.offset));
			// What came before the cut is in the base.
			else if (appender && appender.fileLength_bytes > 0) {
				appender.exchange(folder.beginInitial());
			}
		} catch (error) {
			log.write("warning", `Can't rewrite append only file in background: ${messageOf(error)}`);
			this.engine.dataset.beginSnapshot("rewrite");
			this.engine.dataset.endSnapshot(false);
			return;
		}
		const snapshot = this.begin("rewrite", `temp-rewriteaof-bg-${process.pid}.aof`);
		if (!snapshot) return;
		log.write("notice", `Background append only file rewriting started by pid ${process.pid}`);
		void this.run({ purpose: "rewrite", snapshot, finish: () => this.keepBase(snapshot) });
	}

	private keepBase({ path }: SnapshotFile): void {
		const { folder, log } = this;
		log.write(
			"notice",
			`Successfully created the temporary AOF base file temp-rewriteaof-bg-${process.pid}.aof`,
		);
		log.write("notice", "Background AOF rewrite terminated with success");
		folder.makeFolder();
		folder.finishRewrite(path, this.isInitial ? { initial: this.firstOffset } : this.isOn ? "last" : "none");
		log.write("notice", "Background AOF rewrite finished successfully");
		if (this.isInitial) {
			this.isInitial = false;
			this.appender?.report();
		}
	}

	private async run(job: Job): Promise<void> {
		this.job = job;
		let failure: unknown;
		try {
			if (!(await job.snapshot.run(this.traffic))) return;
			job.finish();
		} catch (error) {
			// An end that was hurried has been told of already.
			if (this.job !== job) return;
			failure = error;
			job.snapshot.abandon();
		}
		this.end(job, failure);
	}

	private end(job: Job, failure: unknown): void {
		this.job = undefined;
		if (failure !== undefined) this.tellFailure(job, failure);
		this.engine.dataset.endSnapshot(failure === undefined);
		this.goOn();
	}

	/** Begins what was asked for meanwhile. */
	private goOn(): void {
		if (this.job || this.beginning) return;
		const next = this.queued.shift();
		if (next === "save") this.saveAside();
		else if (next === "rewrite") void this.rewriteAside();
	}

	private tellFailure({ purpose }: Job, failure: unknown): void {
		const { log } = this;
		const why = messageOf(failure);
		if (purpose === "save") {
			log.write("warning", `Write error while saving DB to the disk(rdbSaveRio): ${why}`);
			log.write("warning", "Background saving error");
		} else {
			log.write("warning", `Write error writing append only file on disk: ${why}`);
			log.write("warning", "Background AOF rewrite terminated with error");
		}
	}

	/** Brings a snapshot that is being written to its end at once. */
	private finishJob(): void {
		const { job } = this;
		if (!job) return;
		let failure: unknown;
		try {
			job.snapshot.runWhole();
			job.finish();
		} catch (error) {
			failure = error;
			job.snapshot.abandon();
		}
		this.end(job, failure);
	}

	/** `isTold`: the engine still waits for a rewrite that has not begun. */
	private abandonJob(isTold: boolean): void {
		const { job } = this;
		this.queued = [];
		if (this.beginning) {
			this.beginning = undefined;
			if (isTold) this.engine.dataset.endSnapshot(false);
		}
		if (!job) return;
		this.job = undefined;
		job.snapshot.abandon();
		this.engine.dataset.endSnapshot(false);
	}

	/** CONFIG SET appendonly yes. */
	turnOn(): void {
		if (this.isOn) return;
		try {
			const file = this.folder.beginInitial();
			this.isInitial = true;
			this.record(file, 0);
		} catch (error) {
			const { dataset } = this.engine;
			this.log.write("warning", messageOf(error));
			// redis-server answers with an error; here it is too late for that, and nothing is written until it works.
			dataset.aofFailed(messageOf(error));
			dataset.beginSnapshot("rewrite");
			dataset.endSnapshot(false);
			return;
		}
		this.rewriteNow();
	}

	/** CONFIG SET appendonly no. */
	turnOff(): void {
		this.queued = this.queued.filter((purpose) => purpose !== "rewrite");
		if (this.beginning || this.job?.purpose === "rewrite") {
			this.log.write("notice", `Killing running AOF rewrite child: ${process.pid}`);
			this.abandonJob(false);
		}
		this.endAof();
		this.engine.dataset.setAof(false);
	}

	/** Stores what is left and closes the files. */
	private endAof(): void {
		const { appender, folder, log } = this;
		if (!appender) return;
		this.commit();
		try {
			if (appender.isBehind) throw new Error("not everything could be written");
			appender.sync();
			if (!this.isInitial) folder.noteEnd(this.offset);
		} catch (error) {
			log.write("warning", `Fail to fsync the AOF file: ${systemText(error)}.`);
		}
		if (this.isInitial) {
			this.isInitial = false;
			folder.dropInitial();
		}
		appender.close();
		this.appender = undefined;
	}

	/** Before the end; false when it cannot be, and then the server goes on. */
	shutDown(isSaved: boolean, isForced: boolean): boolean {
		const { log } = this;
		if (this.job) {
			log.write(
				"warning",
				this.job.purpose === "save"
					? "There is a child saving an .rdb. Killing it!"
					: "There is a child rewriting the AOF. Killing it!",
			);
		}
		if (this.appender && this.isInitial) {
			if (!isForced) {
				log.write("warning", "Writing initial AOF, can't exit.");
				return false;
			}
			log.write("warning", "Writing initial AOF. Exit anyway.");
		}
		this.abandonJob(true);
		if (this.appender) {
			log.write("notice", "Calling fsync() on the AOF file.");
			this.commit();
			if (this.appender.isBehind) log.write("warning", "Fail to write the AOF file.");
			else this.syncLast(this.appender);
		}
		if (isSaved) {
			log.write("notice", "Saving the final RDB snapshot before exiting.");
			if (!this.saveNow() && !isForced) {
				log.write("warning", "Error trying to save the DB, can't exit.");
				return false;
			}
		}
		return true;
	}

	private syncLast(appender: Appender): void {
		try {
			appender.sync();
			// A script that never ends answers no questions.
			if (!this.isInitial && !this.engine.isBusy) this.folder.noteEnd(this.offset);
		} catch (error) {
			this.log.write("warning", `Fail to fsync the AOF file: ${systemText(error)}.`);
		}
	}
}

const secondsSince = (start_ms: number) => ((performance.now() - start_ms) / 1000).toFixed(3);
