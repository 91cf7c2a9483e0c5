// A disk whose power can be cut: ext4 in a file behind a loop device. EXT4_IOC_SHUTDOWN without a flush of the journal makes
// the filesystem forget what was not on the disk yet, which is what kill -9 cannot do: there the page cache survives.
// Needs root, a loop device, mkfs.ext4 and python3, which calls the ioctl.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, within } from "./place.mjs";

const SIZE_bytes = 1 << 30;
/** _IOR('X', 125, __u32), and the flag for "do not flush the journal". */
const CUTTER = `
import fcntl, os, struct, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
sys.stdin.readline()
fcntl.ioctl(folder, 0x8004587D, struct.pack("I", 2))
print("cut", flush=True)
`;

function must(command, ...args) {
	const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", timeout: 60_000 });
	if (status !== 0)
		throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr ?? `exit ${status}`}`);
}

export class Disk {
	/** Why there can be none here, or undefined. */
	static lack() {
		if (process.platform !== "linux") return "needs Linux";
		if (process.getuid() !== 0) return "needs root";
		if (!existsSync("/dev/loop-control")) return "needs loop devices";
		for (const program of ["mkfs.ext4", "mount", "umount", "python3"]) {
			if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `needs ${program}`;
		}
		return undefined;
	}

	/** A disk in a file of `folder`, with an empty filesystem, mounted. */
	constructor(folder) {
		this.image = join(folder, "disk.img");
		this.mount = join(folder, "disk");
		mkdirSync(this.mount);
		writeFileSync(this.image, "");
		truncateSync(this.image, SIZE_bytes);
		must("mkfs.ext4", "-q", "-F", this.image);
		this.plugIn();
	}

	plugIn() {
		must("mount", "-o", "loop", this.image, this.mount);
	}

	/** Everything that was written is on the disk. */
	flush() {
		must("sync", "--file-system", this.mount);
	}

	/** Nothing may use it any more. */
	async unplug() {
		for (let attempt = 1; ; attempt++) {
			try {
				must("umount", this.mount);
				return;
			} catch (error) {
				if (attempt === 100) throw error;
				await sleep(50);
			}
		}
	}

	/** Gets ready to cut the power. What is returned does it at once, and resolves with the time right before. */
	async cutter() {
		const child = spawn("python3", ["-c", CUTTER, this.mount], { stdio: ["pipe", "pipe", "inherit"] });
		const exited = new Promise((resolve) => child.once("exit", resolve));
		await within(
			20_000,
			"the helper that cuts the power",
			new Promise((go) => child.stdout.once("data", go)),
		);
		return async () => {
			const at_ms = Date.now();
			child.stdin.end("\n");
			const code = await within(20_000, "cutting the power", exited);
			if (code !== 0) throw new Error("the power could not be cut: is this kernel's ext4 without the ioctl?");
			return at_ms;
		};
	}
}
