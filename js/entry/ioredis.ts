/** `redstart/ioredis`: ioredis, and what is built on it, without a socket. */
export { connectorFor, type IoredisConnector } from "../serve/ioredis.ts";
