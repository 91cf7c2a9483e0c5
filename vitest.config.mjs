import { defineConfig } from "vitest/config";

const project = (name, folder, options = {}) => ({
	test: {
		name,
		include: [`${folder}/**/*.test.ts`],
		testTimeout: 30_000,
		// One second, the default, is little for a tab on a busy machine.
		expect: { poll: { timeout: 20_000 } },
		hookTimeout: 60_000,
		...options,
	},
});

export default defineConfig({
	test: {
		maxWorkers: 2,
		projects: [
			project("js", "tests/js"),
			// Queues and limiters live by the clock.
			project("packages", "tests/packages"),
			// One browser at a time, and time for it on a busy machine.
			project("browser", "tests/browser", { fileParallelism: false, testTimeout: 120_000 }),
			project("survival", "tests/survival", { fileParallelism: false, testTimeout: 120_000 }),
			project("www", "tests/www", { fileParallelism: false, testTimeout: 120_000 }),
			project("packed", "tests/packed", {
				fileParallelism: false,
				testTimeout: 300_000,
				hookTimeout: 300_000,
			}),
		],
	},
});
