// The worker's end of `inWorker`.

import { host } from "./host.mjs";

self.onmessage = async ({ data: { id, name, args } }) => {
	try {
		self.postMessage({ id, value: await host[name](...args) });
	} catch (error) {
		self.postMessage({ id, error: `${error.message ?? error}` });
	}
};
