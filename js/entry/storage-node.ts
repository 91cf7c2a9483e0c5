/** The storage drivers under Node, with the one for folders: `redstart/storage` there. */
export { FileStorage, type FileStorageOptions } from "../storage/fs.ts";
export * from "./storage.ts";
