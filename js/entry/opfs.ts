/** The driver behind `opfs://`, which the entries for browsers import when it is wanted. */
export { OpfsStorage } from "../storage/opfs.ts";
