/** What a Worker needs besides: `redstart/edge`. */

export { type IsolateDatabase, type IsolateOptions, openInIsolate, type WaitUntil } from "../edge/kv.ts";
export { DurableObjectStorage, type ObjectStorage } from "../storage/durable-object.ts";
export { type KeyValue, KvStorage } from "../storage/kv.ts";
export * from "./workerd.ts";
