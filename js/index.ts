/** What the package exports, whatever the host. */

export {
	AsyncClient,
	Client,
	type ExecOptions,
	type MessageOptions,
	Pipeline,
	type PubSubMessage,
	type ScanOptions,
	type SubscribeOptions,
	type Unsubscribe,
} from "./client.ts";
export type * from "./commands.gen.ts";
export type { Listener, SubscriptionKind } from "./connection.ts";
export type { LoadReport } from "./dataset.ts";
export {
	type Arg,
	Engine,
	type EngineOptions,
	type HostRequest,
	type Message,
	type ScriptLimits,
	type SessionEvents,
} from "./engine.ts";
export { RedstartError, type RedstartErrorKind, ReplyError } from "./errors.ts";
export type { SaveReport } from "./persist/persist.ts";
export type {
	ExportOptions,
	ImportOptions,
	ImportReport,
	RdbSource,
	TransferOptions,
	TransferProgress,
} from "./rdb.ts";
export { type DatabaseEvents, type OpenOptions, Redstart, Session, type SessionOptions } from "./redstart.ts";
export type { Reply, ReplyMode, ReplyOptions } from "./reply.ts";
export { type BoundScript, defineScript, Script, type ScriptOptions } from "./script.ts";
export type { Base, Manifest, Segment, Storage } from "./storage/storage.ts";
export { compile, type EngineExports, instantiate, type WasmInput } from "./wasm.ts";
