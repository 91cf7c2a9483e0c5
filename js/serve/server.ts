/** RESP over sockets: any number of TCP and unix sockets in front of one engine. */

import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Engine } from "../engine.ts";
import { Outlet } from "./outlet.ts";

/** Output of a client that does not read may pile up to this; then its input waits. */
const OUTPUT_PAUSE_BYTES = 1 << 20;

/**
 * While its input waits, a client gets only messages. One that lets more than this pile up is cut off, as the default
 * `client-output-buffer-limit pubsub 32mb` does.
 */
const MESSAGES_LIMIT_BYTES = 32 << 20;

/** Where to listen. */
export type Endpoint =
	| { port: number; host?: string; backlog?: number; ipv6Only?: boolean }
	| { path: string; backlog?: number };

/** Asked for every new connection, since CONFIG SET may change them. */
export interface ServerOptions {
	/** Connections beyond this are refused with Redis' error. */
	maxClients?: () => number;
	/** Idle time in seconds after which a connection is closed; 0 for never. */
	timeout_s?: () => number;
	/** TCP keep-alive in seconds; 0 for none. */
	keepAlive_s?: () => number;
	/** Whether only this machine may connect. */
	isProtected?: () => boolean;
	/** Keeps output back until what it tells of is stored. Clients are let in by {@link Server.open}. */
	gate?: Gate;
}

const PROTECTED =
	"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. To let other machines in, choose one: 1) CONFIG SET protected-mode no from this machine, and make sure the server cannot be reached from outside; 2) the same with `protected-mode no` in the configuration file; 3) for a test, start the server with --protected-mode no; 4) set a password.\r\n";

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** `open`: output may go. `shut`: what asked for this turn's output is not stored. `behind`: that of an earlier turn is not. */
export type GateState = "open" | "shut" | "behind";

/** Stands between the engine and the sockets: what was written is stored before anybody hears of it. */
export interface Gate {
	/** Whether there is anything to store. */
	readonly isOn: boolean;
	/** Stores what was written so far. */
	commit(): GateState;
}

/** One connection: its socket and its session. */
class Peer {
	readonly session: number;
	private readonly socket: Socket;
	private readonly outlet: Outlet;
	private isGone = false;
	/** What it has asked for in this turn of the loop wrote nothing. */
	hasOnlyRead = false;
	private hasWritten = false;

	constructor(
		engine: Engine,
		socket: Socket,
		onRequest: () => void,
		onReady: (peer: Peer) => void,
		onGone: () => void,
	) {
		this.socket = socket;
		this.session = engine.connectWire({
			onReady: () => onReady(this),
			onDisconnect: () => socket.destroy(),
		});
		this.outlet = new Outlet(engine, this.session, {
			send: (output) => this.send(output),
			end: () => socket.end(),
			cut: () => socket.destroy(),
		});
		engine.setAddresses(this.session, addressOf(socket, true), addressOf(socket, false));
		socket.on("data", (bytes) => {
			onRequest();
			const before_bytes = engine.aofPending;
			engine.feed(this.session, bytes);
			this.hasOnlyRead = engine.aofPending === before_bytes && !this.hasWritten;
			this.hasWritten = !this.hasOnlyRead;
		});
		socket.on("drain", () => socket.resume());
		// Half-closed is closed, as for Redis.
		socket.on("end", () => socket.end());
		socket.on("error", () => socket.destroy());
		socket.on("close", () => {
			this.isGone = true;
			engine.disconnect(this.session);
			onGone();
		});
	}

	/** A turn of the loop is over. */
	endTurn(): void {
		this.hasOnlyRead = false;
		this.hasWritten = false;
	}

	/** Sends what the engine has for this client. */
	flush(): void {
		if (!this.isGone) this.outlet.flush();
	}

	private send(output: Uint8Array): void {
		const { socket, outlet } = this;
		if (socket.destroyed) return;
		socket.write(output);
		const pending_bytes = socket.writableLength + outlet.held_bytes;
		if (pending_bytes > MESSAGES_LIMIT_BYTES && socket.isPaused()) socket.destroy();
		else if (pending_bytes > OUTPUT_PAUSE_BYTES) socket.pause();
	}

	/** Resolves once what the client is to hear is on its way. */
	async close(isSent: boolean): Promise<void> {
		if (isSent) {
			this.flush();
			await this.outlet.sent();
		}
		this.socket.destroySoon();
	}
}

function addressOf(socket: Socket, isPeer: boolean): string {
	const [address, port] = isPeer
		? [socket.remoteAddress, socket.remotePort]
		: [socket.localAddress, socket.localPort];
	if (address === undefined) return "";
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Listens for clients of an engine. */
export class Server {
	private readonly engine: Engine;
	private readonly options: ServerOptions;
	private readonly listeners: NetServer[] = [];
	private readonly peers = new Set<Peer>();
	/** Who has output that goes at the end of this turn of the loop, once all of its writes are stored. */
	private ready = new Set<Peer>();
	/** Whose output has to wait until storing works again. */
	private readonly held = new Set<Peer>();
	private isTurnDue = false;
	/** Counts what clients send. */
	traffic = 0;
	/** Who came before the server was open. */
	private early: Socket[] | undefined;

	constructor(engine: Engine, options: ServerOptions = {}) {
		this.engine = engine;
		this.options = options;
		if (options.gate) this.early = [];
	}

	/** Lets in who has been waiting, and everybody from now on. */
	open(): void {
		const { early } = this;
		this.early = undefined;
		for (const socket of early ?? []) if (!socket.destroyed) this.accept(socket);
	}

	/** Calls {@link turn} once what this turn of the loop brings has been run. */
	turnSoon(): void {
		if (this.isTurnDue) return;
		this.isTurnDue = true;
		setImmediate(() => {
			this.isTurnDue = false;
			this.turn();
		});
	}

	/** Stores what was written, then sends what there is to send. */
	private turn(): void {
		const { ready, held } = this;
		const state = this.options.gate?.commit() ?? "open";
		this.ready = new Set();
		if (state === "open" && held.size > 0) {
			for (const peer of held) ready.add(peer);
			held.clear();
		}
		for (const peer of ready) {
			if (state === "shut" && !peer.hasOnlyRead) held.add(peer);
			if (!held.has(peer)) peer.flush();
			peer.endTurn();
		}
	}

	private sendSoon(peer: Peer): void {
		if (!this.options.gate?.isOn && this.held.size === 0) peer.flush();
		else {
			this.ready.add(peer);
			this.turnSoon();
		}
	}

	/** How many clients are connected. */
	get clients(): number {
		return this.peers.size;
	}

	/** Starts to listen; the port, which is of interest when 0 was asked for. */
	async listen(endpoint: Endpoint): Promise<number> {
		const listener = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.accept(socket));
		await new Promise<void>((resolve, reject) => {
			listener.once("error", reject);
			listener.listen(endpoint, () => {
				listener.off("error", reject);
				resolve();
			});
		});
		this.listeners.push(listener);
		const address = listener.address();
		return typeof address === "object" && address !== null ? address.port : 0;
	}

	private accept(socket: Socket): void {
		if (this.early) {
			socket.on("error", () => socket.destroy());
			this.early.push(socket);
			return;
		}
		const { maxClients, timeout_s, keepAlive_s, isProtected } = this.options;
		if (this.peers.size >= (maxClients?.() ?? 10000)) {
			socket.end("-ERR max number of clients reached\r\n");
			return;
		}
		const { remoteAddress } = socket;
		if (remoteAddress !== undefined && !LOOPBACK.test(remoteAddress) && isProtected?.()) {
			socket.end(PROTECTED);
			return;
		}
		const alive_s = keepAlive_s?.() ?? 300;
		if (alive_s > 0) socket.setKeepAlive(true, alive_s * 1000);
		const idle_s = timeout_s?.() ?? 0;
		if (idle_s > 0) socket.setTimeout(idle_s * 1000, () => socket.destroy());
		const peer = new Peer(
			this.engine,
			socket,
			() => {
				this.traffic++;
			},
			(ready) => this.sendSoon(ready),
			() => {
				this.peers.delete(peer);
				this.ready.delete(peer);
				this.held.delete(peer);
			},
		);
		this.peers.add(peer);
	}

	/** Stops listening and closes every connection once its output is sent. */
	async close(): Promise<void> {
		const closed = this.listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
		await Promise.all([...this.peers].map((peer) => peer.close(!this.held.has(peer))));
		await Promise.all(closed);
	}
}
