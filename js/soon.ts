/** The next turn of the host's loop, without the delay that browsers give to timers. */

/** Runs `task` once the host has seen to what else waits: input, timers, the page. */
export function soon(task: () => void): void {
	const { setImmediate } = globalThis as { setImmediate?: (task: () => void) => void };
	if (setImmediate) setImmediate(task);
	else if (typeof MessageChannel !== "undefined" && !("WebSocketPair" in globalThis)) {
		// A browser slows timers down to one in four milliseconds, and to one a second in a page that is hidden. Not so
		// workerd.
		const { port1, port2 } = new MessageChannel();
		port1.onmessage = () => {
			port1.close();
			task();
		};
		port2.postMessage(undefined);
	} else setTimeout(task, 0);
}
