/** The storage drivers, for `open` with `storage`: `redstart/storage`. */
export { DurableObjectStorage, type ObjectStorage } from "../storage/durable-object.ts";
export { IndexedDbStorage } from "../storage/indexeddb.ts";
export { type KeyValue, KvStorage } from "../storage/kv.ts";
export { type MemoryDisk, MemoryStorage, memoryDisk } from "../storage/memory.ts";
export { OpfsStorage } from "../storage/opfs.ts";
export type { Base, Manifest, Segment, Storage } from "../storage/storage.ts";
