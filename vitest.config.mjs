import { defineConfig } from "vitest/config";

const project = (name, folder, options = {}) => ({
	test: {
		name,
		include: [`${folder}/**/*.test.ts`],
		testTimeout: 30_000,
		hookTimeout: 60_000,
		...options,
	},
});

export default defineConfig({
	test: {
		maxWorkers: 2,
		projects: [
			project("js", "tests/js"),
			// One browser at a time, and time for it on a busy machine. Two tabs race for the lock of a name, and once one of
			// their tests lost: tried again until that is understood.
			project("browser", "tests/browser", { fileParallelism: false, testTimeout: 120_000, retry: 2 }),
			project("www", "tests/www", { fileParallelism: false, testTimeout: 120_000 }),
			project("packed", "tests/packed", {
				fileParallelism: false,
				testTimeout: 300_000,
				hookTimeout: 300_000,
			}),
		],
	},
});
