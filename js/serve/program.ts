/** `redstart`: the command line, configuration, log, signals and exit codes of redis-server. */

import { chmodSync, existsSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { HostRequest } from "../engine.ts";
import { ReplyError } from "../errors.ts";
import { TEXT_MODE } from "../reply.ts";
import { systemText } from "../storage/node-files.ts";
import { toText } from "../text.ts";
import type { EngineExports } from "../wasm.ts";
import type { SyncPolicy } from "./appender.ts";
import { ServerEngine } from "./engine.ts";
import { Exit } from "./exit.ts";
import { Log, type LogLevel } from "./log.ts";
import { Persistence } from "./persistence.ts";
import { Server } from "./server.ts";
import { AclFile } from "./users.ts";

const USAGE = `Usage: redstart [/path/to/redis.conf] [options] [-]
       redstart - (read the configuration from standard input)
       redstart -v or --version
       redstart -h or --help

Options are the directives of redis.conf, each with two dashes in front:
       redstart --port 7777
       redstart /etc/redis/6379.conf --loglevel verbose
       echo 'maxmemory 128mb' | redstart -
`;

/** The configuration's sources on a command line. */
interface CommandLine {
	path: string | undefined;
	readsStdin: boolean;
	options: string[];
}

function parseCommandLine(argv: readonly string[]): CommandLine {
	const words = [...argv];
	const path =
		words[0] !== undefined && !words[0].startsWith("-") ? resolve(words.shift() as string) : undefined;
	const readsStdin = words.at(-1) === "-";
	if (readsStdin) words.pop();
	return { path, readsStdin, options: words };
}

/** One server process. */
class Program {
	private readonly log = new Log();
	private readonly engine: ServerEngine;
	private readonly session: number;
	private readonly server: Server;
	private readonly persistence: Persistence;
	private readonly users: AclFile;
	private readonly line: CommandLine;
	private isEnding = false;
	/** A signal has asked for the end. */
	private isAsked = false;

	constructor(exports: EngineExports, argv: readonly string[]) {
		this.engine = new ServerEngine(exports);
		this.engine.dataset.setKeeps("aof");
		this.line = parseCommandLine(argv);
		this.loadConfig();
		this.engine.setProcessId(process.pid);
		this.session = this.engine.connect(2, { onReady() {} });
		this.engine.trust(this.session);
		this.users = new AclFile(this.engine, this.log, () => this.config("aclfile"));
		this.log.level = this.config("loglevel") as LogLevel;
		this.log.file = this.config("logfile");
		this.persistence = new Persistence({
			engine: this.engine,
			log: this.log,
			config: (name) => this.config(name),
			info: (section, field) => this.info(section, field),
			retry: () => this.server.turnSoon(),
			traffic: () => this.server.traffic,
		});
		this.server = new Server(this.engine, {
			gate: this.persistence,
			maxClients: () => Number(this.config("maxclients")),
			timeout_s: () => Number(this.config("timeout")),
			keepAlive_s: () => Number(this.config("tcp-keepalive")),
			isProtected: () => this.isProtected(),
		});
	}

	private config(name: string): string {
		const reply = this.engine.call(this.session, this.engine.op("CONFIG"), ["GET", name], TEXT_MODE);
		return Array.isArray(reply) ? String(reply[1] ?? "") : "";
	}

	private info(section: string, field: string): string {
		const reply = this.engine.call(this.session, this.engine.op("INFO"), [section], TEXT_MODE);
		return new RegExp(`^${field}:(.*?)\r?$`, "m").exec(String(reply))?.[1] ?? "";
	}

	/** Whether only this machine may connect: no password and no address was chosen. */
	private isProtected(): boolean {
		return (
			this.config("protected-mode") === "yes" && this.isDefaultOpen() && this.config("bind") === "* -::*"
		);
	}

	/** Whether a client needs no password. */
	private isDefaultOpen(): boolean {
		const acl = this.engine.op("ACL");
		const reply = this.engine.call(this.session, acl, ["GETUSER", "default"], TEXT_MODE);
		return Array.isArray(reply) && Array.isArray(reply[1]) && reply[1].includes("nopass");
	}

	/** Whether the configuration has users besides the default one. */
	private declaresUsers(): boolean {
		const users = this.engine.call(this.session, this.engine.op("ACL"), ["USERS"], TEXT_MODE);
		return Array.isArray(users) && users.length > 1;
	}

	/** Reads the ACL file, if there is one to be. */
	private loadUsers(): void {
		const path = this.config("aclfile");
		if (path === "") return;
		if (this.declaresUsers()) {
			this.fatal(
				"Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.",
			);
		}
		try {
			this.users.load();
		} catch (error) {
			this.fatal(`Aborting Redis startup because of ACL errors: ${(error as Error).message}`);
		}
	}

	private loadConfig(): void {
		const { path, readsStdin, options } = this.line;
		let text = "";
		if (path !== undefined) {
			try {
				text = readFileSync(path, "latin1");
			} catch (error) {
				this.fatal(`Fatal error, can't open config file '${path}': ${systemText(error)}`);
			}
		}
		if (readsStdin) text += `\n${readFileSync(0, "latin1")}`;
		try {
			this.engine.configure(path ?? "", Buffer.from(text, "latin1"), options);
		} catch (error) {
			if (!(error instanceof ReplyError)) throw error;
			process.stderr.write(`\n${error.message.replace(/^ERR /, "").replaceAll("\v", "\n")}\n`);
			throw new Exit(1);
		}
	}

	private fatal(text: string): never {
		this.log.write("warning", text);
		throw new Exit(1);
	}

	/** From the configuration to open sockets. */
	async start(): Promise<void> {
		const { log, engine, line } = this;
		if (this.config("daemonize") === "yes")
			this.fatal("Fatal error, daemonize is not supported: start the server in the background instead");
		log.write("notice", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
		log.write(
			"notice",
			`Redis version=8.2.3, bits=32, commit=00000000, modified=0, pid=${process.pid}, just started`,
		);
		if (line.path === undefined && line.options.length === 0 && !line.readsStdin) {
			log.write(
				"warning",
				"Warning: no config file specified, using the default config. In order to specify a config file use redstart /path/to/redis.conf",
			);
		} else {
			log.write("notice", "Configuration loaded");
		}
		this.enterFolder();
		log.role = "M";
		log.write("notice", "monotonic clock: POSIX clock_gettime");
		log.write("notice", `Running mode=standalone, port=${this.config("port")}.`);
		await this.listen();
		this.loadUsers();
		this.writePidFile();
		log.write("notice", "Server initialized");
		engine.onRequest = (request) => this.serve(request);
		this.persistence.start();
		engine.onAof = () => this.server.turnSoon();
		engine.onTrap = (error) => {
			log.write("warning", `The engine failed and cannot go on: ${error.message}`);
			process.exit(1);
		};
		for (const [signal, name] of [
			["SIGTERM", "SIGTERM"],
			["SIGINT", "SIGINT"],
		] as const) {
			process.on(signal, () => {
				if (this.isAsked && signal === "SIGINT") {
					log.signal("You insist... exiting now.");
					process.exit(1);
				}
				log.signal(`Received ${name} scheduling shutdown...`);
				this.isAsked = true;
				// As redis-server, not in the middle of a script.
				void engine.whenIdle().then(() => {
					this.isAsked = false;
					const words = this.config(`shutdown-on-${signal.toLowerCase()}`).split(" ");
					const mode = words.find((word) => word === "save" || word === "nosave");
					this.shutDown(mode ?? "default", words.includes("force"));
				});
			});
		}
		if (this.config("port") !== "0") log.write("notice", "Ready to accept connections tcp");
		if (this.config("unixsocket") !== "") log.write("notice", "Ready to accept connections unix");
		engine.tick();
		this.server.open();
	}

	private enterFolder(): void {
		const folder = this.config("dir");
		try {
			process.chdir(folder);
		} catch (error) {
			this.fatal(`Can't chdir to '${folder}': ${systemText(error)}`);
		}
		this.persistence.dir = process.cwd();
	}

	/** CONFIG SET of what this side has to know. */
	private configChanged(name: string, value: string): void {
		switch (name) {
			case "dir":
				try {
					process.chdir(value);
					this.persistence.dir = process.cwd();
				} catch (error) {
					this.log.write("warning", `Can't chdir to '${value}': ${systemText(error)}`);
				}
				return;
			case "appendfsync":
				this.persistence.setPolicy(value as SyncPolicy);
				return;
			case "loglevel":
				this.log.level = value as LogLevel;
				return;
		}
	}

	private async listen(): Promise<void> {
		const port = Number(this.config("port"));
		const path = this.config("unixsocket");
		const backlog = Number(this.config("tcp-backlog"));
		if (port === 0 && path === "") this.fatal("Configured to not listen anywhere, exiting.");
		if (port !== 0) await this.listenTcp(port, backlog);
		if (path === "") return;
		if (existsSync(path)) unlinkSync(path);
		try {
			await this.server.listen({ path, backlog });
		} catch (error) {
			this.fatal(`Failed opening Unix socket: bind: ${systemText(error)}`);
		}
		const mode = Number.parseInt(this.config("unixsocketperm"), 8);
		if (mode > 0) chmodSync(path, mode);
	}

	/** Every address of `bind`; one with a `-` in front may be missing on this machine. */
	private async listenTcp(port: number, backlog: number): Promise<void> {
		const addresses = this.config("bind").split(" ").filter(Boolean);
		let listening = 0;
		for (const word of addresses) {
			const isOptional = word.startsWith("-");
			const address = isOptional ? word.slice(1) : word;
			const host = address === "*" ? "0.0.0.0" : address === "::*" ? "::" : address;
			try {
				await this.server.listen({ port, host, backlog, ipv6Only: host.includes(":") });
				listening++;
			} catch (error) {
				const { code } = error as NodeJS.ErrnoException;
				if (isOptional && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) continue;
				this.log.write(
					"warning",
					`Warning: Could not create server TCP listening socket ${address}:${port}: bind: ${systemText(error)}`,
				);
				if (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT") continue;
				this.fatal(`Failed listening on port ${port} (tcp), aborting.`);
			}
		}
		if (listening === 0) this.fatal(`Failed listening on port ${port} (tcp), aborting.`);
	}

	private writePidFile(): void {
		const path = this.config("pidfile");
		if (path === "") return;
		try {
			writeFileSync(path, `${process.pid}\n`);
		} catch (error) {
			this.log.write("warning", `Failed to write PID file: ${systemText(error)}`);
		}
	}

	private serve({ name, args }: HostRequest): void {
		const words = args.map((arg) => (arg instanceof Uint8Array ? toText(arg) : String(arg)));
		switch (name) {
			case "save":
				// Half of what a script does is not to be stored.
				void this.engine.whenIdle().then(() => {
					if (words[0] === "bg") this.persistence.saveAside();
					else this.persistence.save();
				});
				return;
			case "rewrite":
				void this.engine.whenIdle().then(() => this.persistence.rewriteAside());
				return;
			case "appendonly":
				void this.engine.whenIdle().then(() => {
					if (words[0] === "yes") this.persistence.turnOn();
					else this.persistence.turnOff();
					this.server.turnSoon();
				});
				return;
			case "config":
				this.configChanged(words[0] ?? "", words[1] ?? "");
				return;
			case "shutdown":
				this.shutDown(words[0] ?? "default", words.includes("force"));
				return;
			case "log":
				this.log.write(words[0] as LogLevel, words[1] ?? "");
				return;
			case "acl-load":
				this.users.reload();
				return;
			case "acl-save":
				this.users.save(args[0] as Uint8Array);
				return;
			case "config-rewrite":
				if (this.line.path !== undefined) writeFileSync(this.line.path, words[0] ?? "", "latin1");
				return;
		}
	}

	private shutDown(mode: string, isForced: boolean): void {
		if (this.isEnding) return;
		const { log } = this;
		log.write("notice", "User requested shutdown...");
		const isSaved = mode === "save" || (mode === "default" && this.config("save") !== "");
		if (!this.persistence.shutDown(isSaved, isForced)) {
			log.write("warning", "Errors trying to shut down the server. Check the logs for more information.");
			this.engine.failShutdown();
			return;
		}
		this.isEnding = true;
		const [pidFile, socketFile] = [this.config("pidfile"), this.config("unixsocket")];
		if (pidFile !== "" && existsSync(pidFile)) {
			log.write("notice", "Removing the pid file.");
			unlinkSync(pidFile);
		}
		if (socketFile !== "") log.write("notice", "Removing the unix socket file.");
		this.server.close().finally(() => {
			log.write("warning", "Redis is now ready to exit, bye bye...");
			process.exit(0);
		});
	}
}

/** Runs the program; never throws. */
export async function main(exports: () => EngineExports, argv: readonly string[]): Promise<void> {
	if (argv.length === 1 && (argv[0] === "-v" || argv[0] === "--version")) {
		process.stdout.write("Redis server v=8.2.3 sha=00000000:0 malloc=redstart bits=32 build=redstart\n");
		return;
	}
	if (argv.length === 1 && (argv[0] === "-h" || argv[0] === "--help")) {
		process.stderr.write(USAGE);
		process.exitCode = 1;
		return;
	}
	try {
		await new Program(exports(), argv).start();
	} catch (error) {
		if (!(error instanceof Exit)) process.stderr.write(`redstart: ${(error as Error).stack ?? error}\n`);
		process.exit(error instanceof Exit ? error.code : 1);
	}
}
