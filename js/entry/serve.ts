/** `redstart/serve`: a database of this process behind a socket. */
export { type ServeOptions, type Serving, serve } from "../serve/serve.ts";
