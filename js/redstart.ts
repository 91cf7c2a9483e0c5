/** A database: an engine with its storage, its tabs and its sessions. */

import { ASYNC_DISPOSE, Client, DISPOSE, type Link } from "./client.ts";
import { Connection, OpTable } from "./connection.ts";
import { type Arg, Engine, type HostRequest, type ScriptLimits } from "./engine.ts";
import { RedstartError, ReplyError } from "./errors.ts";
import { beginsWithLoad, type LoadOptions, Persistence, type SaveReport } from "./persist/persist.ts";
import { findPlace, hasLocks, type Place, takeLock } from "./place.ts";
import {
	type ExportOptions,
	exportRdb,
	type ImportOptions,
	type ImportReport,
	importRdb,
	type RdbSource,
} from "./rdb.ts";
import { type Reply, type ReplyMode, type ReplyOptions, replyMode, TEXT_MODE } from "./reply.ts";
import { Bridge } from "./share/broadcast.ts";
import type { Storage } from "./storage/storage.ts";
import { toText } from "./text.ts";
import { compile, compileSync, type Glue, instantiate, type Statistics, type WasmInput } from "./wasm.ts";

export interface OpenOptions extends ReplyOptions {
	/** The engine's module, when it is not to be fetched from beside this file. */
	wasm?: WasmInput;
	/** Where the dataset is kept, instead of what the URL says. */
	storage?: Storage;
	/**
	 * The name under which PUBLISH reaches other tabs and workers of the origin, or false for none. By default the
	 * database's name: `idb://app` and `memory://app` are heard by others of the name `app`, `memory://` by nobody.
	 */
	broadcast?: string | false;
	/** Directives as of CONFIG SET, set before the dataset is loaded. */
	config?: Readonly<Record<string, Arg>>;
	/** What to do with a stored snapshot that cannot be read: fail (`throw`, the default) or set it aside (`keep`). */
	onCorrupt?: "throw" | "keep";
	/** 128 bits for hashing and random replies. */
	seed?: readonly [number, number, number, number];
	/** The clock, in ms since 1970. */
	now?: () => number;
	/** Whether timers may be set (expiry, save schedule). Default true. */
	timers?: boolean;
	/** How long scripts run at once, and at most. */
	scripts?: ScriptLimits;
}

/** Events of a database and what their listeners get. */
export interface DatabaseEvents {
	/** A listener threw, or something failed that nobody waits for. */
	error: unknown;
	/** The dataset was stored. */
	save: SaveReport;
	/** Changes are not stored: storage is absent, full, taken over or failing. Commands go on. */
	"persistence-lost": RedstartError;
	/** Changes are stored again: storage works as it should, or the tab that owned the database is gone and this one owns it. */
	"persistence-gained": undefined;
	/** The engine trapped and was rebuilt from storage. */
	reopen: RedstartError;
	/** A push that no subscription is there for. */
	push: Reply;
	/** A line of the engine's log. */
	log: { level: string; text: string };
	close: undefined;
}

const SPARE_CONNECTIONS = 4;

type WasmSource = () => WasmInput;
let source: WasmSource | undefined;

/** Tells where the module is when `open` is not told. Called by the entry of each host. */
export function setWasmSource(from: WasmSource): void {
	source = from;
}

let compiled: Promise<WebAssembly.Module> | undefined;

async function moduleFor(options: OpenOptions): Promise<WebAssembly.Module> {
	if (options.wasm) return compile(options.wasm);
	if (!source) throw new RedstartError("wasm", "no engine: give `wasm`");
	compiled ??= compile(source());
	try {
		return await compiled;
	} catch (error) {
		// The next open may find the network back.
		compiled = undefined;
		throw error;
	}
}

/** Everything behind a database; the clients see only what {@link Link} has. */
class Core implements Link {
	readonly module: WebAssembly.Module;
	readonly options: OpenOptions;
	/** Where the dataset is kept; undefined in memory. */
	private place: Place | undefined;
	engine: Engine;
	glue: Glue | undefined;
	table: OpTable;
	connection: Connection;
	persistence: Persistence | undefined;
	bridge: Bridge | undefined;
	isClosed = false;
	private closing: Promise<void> | undefined;
	ready: Promise<void> = Promise.resolve();
	private readonly listeners = new Map<string, Set<(value: never) => void>>();
	private readonly spare: Connection[] = [];
	private readonly lent = new Set<Connection>();
	readonly sessions = new Set<Connection>();
	private loadOptions: LoadOptions = {};
	/** Told to the first listener: whoever opens cannot listen before. */
	private unheardLoss: RedstartError | undefined;
	private stopWatching: (() => void) | undefined;
	private releaseLock: (() => void) | undefined;

	constructor(module: WebAssembly.Module, options: OpenOptions, place?: Place) {
		this.module = module;
		this.options = options;
		this.place = place;
		this.engine = this.start();
		this.table = new OpTable(this.engine);
		this.connection = this.connect();
		this.configure();
	}

	private start(): Engine {
		const { exports, glue } = instantiate(this.module);
		this.glue = glue;
		const engine = new Engine(exports, this.options);
		engine.onRequest = (request) => this.serve(request);
		engine.onTrap = (error) => this.rebuild(error);
		engine.onListenerError = (error) => this.emit("error", error);
		this.setKeeps(engine);
		return engine;
	}

	private setKeeps(engine: Engine): void {
		const { place } = this;
		engine.dataset.setKeeps(place ? (place.storage.hasAof ? "aof" : "snapshots") : "nothing");
	}

	private connect(): Connection {
		const connection = new Connection(this.engine, this.table);
		connection.onPush = (push) => this.emit("push", push);
		return connection;
	}

	/** Sets what the place wants, and then what the caller wants. */
	configure(more: Readonly<Record<string, Arg>> = {}): void {
		this.control((connection) => {
			const all = { ...this.place?.config, ...this.options.config, ...more };
			for (const [name, value] of Object.entries(all))
				connection.run("CONFIG", ["SET", name, value], TEXT_MODE);
		});
	}

	/** The value of a directive. */
	private directive(name: string): string {
		const found = this.control((connection) => connection.run("CONFIG", ["GET", name], TEXT_MODE));
		return String(Object.values(found as Record<string, Reply>)[0] ?? "");
	}

	/** Asks the engine, whatever the main session is doing. */
	private control<T>(use: (connection: Connection) => T): T {
		const { connection, engine, table } = this;
		if (connection.engine === engine && connection.isFree && !connection.isMulti) return use(connection);
		const other = new Connection(engine, table);
		try {
			return use(other);
		} finally {
			other.close();
		}
	}

	// ---- Link ----

	async blocking<T>(use: (connection: Connection) => T | Promise<T>): Promise<T> {
		const { db } = this.connection;
		const connection = this.spare.pop() ?? new Connection(this.engine, this.table);
		if (connection.db !== db) connection.run("SELECT", [db], TEXT_MODE);
		this.lent.add(connection);
		try {
			return await use(connection);
		} finally {
			this.lent.delete(connection);
			if (connection.isFree && connection.engine === this.engine && this.spare.length < SPARE_CONNECTIONS) {
				this.spare.push(connection);
			} else if (connection.engine === this.engine && !this.isClosed) connection.close();
		}
	}

	// ---- events ----

	on(event: string, listener: (value: never) => void): () => void {
		let listeners = this.listeners.get(event);
		if (!listeners) {
			listeners = new Set();
			this.listeners.set(event, listeners);
		}
		listeners.add(listener);
		const loss = this.unheardLoss;
		if (event === "persistence-lost" && loss) {
			this.unheardLoss = undefined;
			queueMicrotask(() => listener(loss as never));
		}
		return () => listeners.delete(listener);
	}

	/** Tells the listeners. An error or a loss that nobody listens to goes to the console: it must be visible. */
	emit<E extends keyof DatabaseEvents>(event: E, value: DatabaseEvents[E]): void {
		const listeners = this.listeners.get(event);
		if (listeners?.size) for (const listener of listeners) listener(value as never);
		else if (event === "error") console.error("redstart:", value);
		else if (event === "persistence-lost") {
			this.unheardLoss = value as RedstartError;
			console.warn("redstart:", this.unheardLoss.message);
		}
	}

	// ---- what the engine asks ----

	private serve(request: HostRequest): void {
		const { name, args } = request;
		switch (name) {
			case "publish":
			case "spublish":
				this.bridge?.publish(name === "spublish", args[0] as Uint8Array, args[1] as Uint8Array);
				return;
			case "save":
				if (this.engine.isBusy) void this.engine.whenIdle().then(() => this.serve(request));
				else if (!this.persistence) this.engine.dataset.skipSnapshot();
				else if (toText(args[0] as Uint8Array) === "sync") this.persistence.save().catch(() => undefined);
				else this.persistence.saveSoon();
				return;
			case "rewrite":
				this.persistence?.rewrite().catch(() => undefined);
				return;
			case "appendonly":
				this.reconfigure(name, args[0] as Uint8Array);
				return;
			case "config":
				this.reconfigure(toText(args[0] as Uint8Array), args[1] as Uint8Array);
				return;
			case "shutdown":
				void this.close(toText(args[0] as Uint8Array) !== "nosave").catch((error) =>
					this.emit("error", error),
				);
				return;
			case "log":
				this.emit("log", { level: toText(args[0] as Uint8Array), text: toText(args[1] as Uint8Array) });
		}
	}

	// ---- storage ----

	/** Fills the engine from storage and keeps what changes. */
	async attach(storage: Storage, options: LoadOptions): Promise<void> {
		const persistence = new Persistence(storage, {
			onSave: (report) => this.emit("save", report),
			onLost: (error) => this.emit("persistence-lost", error),
			onGained: () => this.emit("persistence-gained", undefined),
			onLog: (level, text) => this.emit("log", { level, text }),
			config: (name) => this.directive(name),
		});
		this.loadOptions = { keepCorrupt: this.options.onCorrupt === "keep", ...options };
		await persistence.load(this.engine, this.loadOptions);
		// The commands of a log that was run are no changes of whoever only reads it.
		if (options.isReader) this.engine.dataset.skipSnapshot();
		this.persistence = persistence;
		this.stopWatching = persistence.watchPage();
	}

	/** Comes to own the storage that it only read. */
	async inherit(): Promise<boolean> {
		const { persistence } = this;
		if (!persistence || !(await persistence.takeOver(() => this.configure()))) return false;
		this.loadOptions = { ...this.loadOptions, isReader: false, isExclusive: true };
		return true;
	}

	private reconfigure(name: string, value: Uint8Array): void {
		if (this.persistence) void this.persistence.reconfigure(name, toText(value)).catch(() => undefined);
		else if (name === "appendonly" && this.place) beginsWithLoad(this.engine.dataset, toText(value));
	}

	/** The dataset is another one now, from a file. */
	async replaced(): Promise<void> {
		await this.persistence?.replaced();
	}

	/** Hears and tells other engines of the same name through `bridge`. */
	join(bridge: Bridge): void {
		this.bridge = bridge;
		bridge.engine = this.engine;
		this.engine.setBridged(true);
	}

	hold(release: () => void): void {
		this.releaseLock = release;
	}

	/** After a trap: a new instance, filled from storage; the main session and its subscriptions are renewed. */
	private rebuild(error: RedstartError): void {
		if (this.isClosed) return;
		const gone = new RedstartError("closed", "the session ended when the engine was rebuilt");
		for (const connection of [...this.lent, ...this.sessions]) connection.drop(gone);
		this.spare.length = 0;
		this.engine = this.start();
		this.table = new OpTable(this.engine);
		if (this.bridge) this.join(this.bridge);
		this.configure();
		const finish = () => {
			this.connection.attach(this.engine, this.table);
			this.emit("reopen", error);
		};
		const { persistence } = this;
		if (!persistence) {
			finish();
			return;
		}
		const { engine } = this;
		this.ready = persistence.load(engine, this.loadOptions).then(finish);
		this.ready.catch((cause) => this.emit("error", cause));
	}

	/** Ends the script that is paused, or waits for its end when it has written. */
	private async endScript(): Promise<void> {
		const { engine } = this;
		if (!engine.isBusy) return;
		for (const name of ["SCRIPT", "FUNCTION"]) {
			try {
				this.connection.run(name, ["KILL"], TEXT_MODE);
			} catch (error) {
				if (!(error instanceof ReplyError)) throw error;
			}
		}
		engine.tick();
		await engine.whenIdle();
	}

	close(isSaving = true): Promise<void> {
		this.closing ??= this.closeNow(isSaving);
		return this.closing;
	}

	private async closeNow(isSaving: boolean): Promise<void> {
		this.isClosed = true;
		this.stopWatching?.();
		const { persistence } = this;
		try {
			if (isSaving) await this.endScript();
			await persistence?.finish(isSaving);
		} finally {
			const closed = new RedstartError("closed", "the database is closed");
			for (const connection of [...this.lent, ...this.spare, ...this.sessions, this.connection]) {
				connection.drop(closed);
			}
			this.engine.close(closed);
			this.bridge?.close();
			await persistence?.close();
			this.releaseLock?.();
			this.emit("close", undefined);
		}
	}
}

/** A connection of its own, with its own database number, transaction and subscriptions, as a Redis client has one. */
export class Session extends Client {
	private readonly connection: Connection;
	private readonly forget: () => void;

	/** @internal */
	constructor(core: Core, mode: ReplyMode, protocol: 2 | 3) {
		const connection = new Connection(core.engine, core.table, protocol);
		super(
			{
				connection,
				blocking: async (use) => use(connection),
			},
			mode,
		);
		this.connection = connection;
		core.sessions.add(connection);
		this.forget = () => core.sessions.delete(connection);
		connection.onClosed = this.forget;
	}

	/** Calls `listener` with pushes that no subscription is there for: MONITOR, tracking. */
	onPush(listener: (push: Reply) => void): void {
		this.connection.onPush = listener;
	}

	/** Ends the session. */
	close(): void {
		this.connection.close();
	}

	[DISPOSE](): void {
		this.close();
	}
}

export interface SessionOptions extends ReplyOptions {
	/** Replies as of RESP2 or RESP3. Default 3. */
	protocol?: 2 | 3;
}

/** An open database; its own commands run in a session of their own. */
export class Redstart extends Client {
	private readonly core: Core;

	private constructor(core: Core, mode: ReplyMode) {
		super(core, mode);
		this.core = core;
	}

	/** Opens `memory://`, `memory://name`, `idb://name`, or what else this host has. */
	static async open(url = "memory://", options: OpenOptions = {}): Promise<Redstart> {
		const { storage } = options;
		const found = await findPlace(url);
		const place = storage ? { storage } : found.place;
		const core = new Core(await moduleFor(options), options, place);
		const database = new Redstart(core, replyMode(options));
		try {
			if (place) await attach(core, place);
			else if (found.problem) core.emit("persistence-lost", found.problem);
		} catch (error) {
			core.engine.close();
			await place?.storage.close().catch(() => undefined);
			throw error;
		}
		const name = options.broadcast ?? found.name;
		if (name && Bridge.isAvailable) core.join(new Bridge(name, core.engine));
		return database;
	}

	/** Opens `memory://` at once, where the module is at hand: given, or in a host that reads it synchronously. */
	static openSync(options: OpenOptions = {}): Redstart {
		const input: unknown = options.wasm ?? source?.();
		if (
			!(input instanceof WebAssembly.Module || input instanceof ArrayBuffer || input instanceof Uint8Array)
		) {
			throw new RedstartError("wasm", "openSync wants a module or its bytes as `wasm`");
		}
		return new Redstart(new Core(compileSync(input), options), replyMode(options));
	}

	/** The engine below: raw sessions, RESP over bytes, ticks. */
	get engine(): Engine {
		return this.core.engine;
	}

	/** Resolves when the database can be used; it cannot while it is rebuilt after a trap. */
	get ready(): Promise<void> {
		return this.core.ready;
	}

	get isClosed(): boolean {
		return this.core.isClosed;
	}

	/** A further connection. */
	session(options: SessionOptions = {}): Session {
		return new Session(this.core, replyMode(options, this.mode), options.protocol ?? 3);
	}

	/** Calls `listener` at each `event`. Returns the end of it. */
	on<E extends keyof DatabaseEvents>(event: E, listener: (value: DatabaseEvents[E]) => void): () => void {
		return this.core.on(event, listener);
	}

	/** Figures of the engine. */
	stats(): Statistics {
		if (!this.core.glue) throw new RedstartError("unsupported", "this build comes without figures");
		return this.core.glue.stats();
	}

	/**
	 * Replaces the dataset by that of an RDB file, as Redis' SAVE writes it: bytes, a file the user chose, what `fetch`
	 * gave, a stream. It is read piece by piece, aside of the dataset, which can be used meanwhile and is exchanged at the
	 * end; watched keys count as changed then. Resolves once the new dataset is stored, where there is storage. A file that
	 * is damaged changes nothing: ReplyError. Another import that begins meanwhile ends this one. Data of modules, which
	 * are not here, is a reason to refuse a file, too, unless `modules` is `"skip"`.
	 */
	importRdb(source: RdbSource, options?: ImportOptions): Promise<ImportReport> {
		return importRdb(this.core, source, options);
	}

	/**
	 * The dataset of this moment as an RDB file, which redis-server loads. It is made piece by piece; commands that run
	 * meanwhile are no part of it. It is no save: LASTSAVE and the changes to be saved stay as they are. Saves come first:
	 * one that begins meanwhile makes this begin anew, of a later moment.
	 */
	exportRdb(options?: ExportOptions & { as?: "bytes" }): Promise<Uint8Array>;
	exportRdb(options: ExportOptions & { as: "blob" }): Promise<Blob>;
	exportRdb(options?: ExportOptions): Promise<Uint8Array | Blob> {
		return exportRdb(this.core, options);
	}

	/** Does what is due by now, where timers are off. Returns the next deadline in ms since 1970. */
	tick(): number {
		return this.core.engine.tick();
	}

	/** Saves what has changed, if there is storage, and frees the engine. */
	close(): Promise<void> {
		return this.core.close();
	}

	[DISPOSE](): void {
		this.close().catch((error) => this.core.emit("error", error));
	}

	[ASYNC_DISPOSE](): Promise<void> {
		return this.close();
	}
}

/** Where its storage does not work the database lives in memory, and says so. */
async function attach(core: Core, place: Place): Promise<void> {
	const { storage, lock } = place;
	if (lock === undefined) return core.attach(storage, {});
	const lost = (text: string) => core.emit("persistence-lost", new RedstartError("storage", text));
	const release = await takeLock(lock, { ifAvailable: true });
	try {
		// A save that can only fail would end in MISCONF.
		if (!release) core.configure({ save: "", appendonly: "no" });
		await core.attach(storage, { isReader: !release, isExclusive: hasLocks() && !!release });
	} catch (error) {
		release?.();
		throw error;
	}
	if (release) return core.hold(release);
	lost("another tab owns this database; changes here are not stored while it is open");
	const inherit = async (signal: AbortSignal) => {
		const freed = await takeLock(lock, { signal });
		if (!freed) return;
		core.hold(freed);
		if (await core.inherit()) core.emit("persistence-gained", undefined);
		else {
			freed();
			lost("another tab has stored changes of its own; those made here are not stored");
		}
	};
	const waiting = new AbortController();
	core.hold(() => waiting.abort());
	inherit(waiting.signal).catch((error) => {
		if (!core.isClosed) core.emit("error", error);
	});
}
