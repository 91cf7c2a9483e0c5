// The driver for folders: the suite of all drivers, and what only files have.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileStorage } from "../../js/storage/fs.ts";
import { conforms } from "./storage.suite.ts";

const newFolder = () => mkdtempSync(join(tmpdir(), "redstart-fs-"));

conforms("storage in a folder", () => {
	const folder = newFolder();
	return {
		open: () => new FileStorage(folder),
		isFenced: true,
		hasLog: true,
		takesAnyName: true,
		remove: () => rmSync(folder, { recursive: true, force: true }),
	};
});
