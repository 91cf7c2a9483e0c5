/** CRC-32C (Castagnoli), reflected, as in iSCSI and ext4; eight bytes a step. */

const STEP = 8;
let tables: Uint32Array | undefined;

/** At `256 * k + byte`: what a byte does to the checksum when `k` more of them follow. */
function makeTables(): Uint32Array {
	const made = new Uint32Array(STEP * 256);
	for (let index = 0; index < 256; index++) {
		let crc = index;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
		made[index] = crc;
	}
	for (let index = 256; index < made.length; index++) {
		const before = made[index - 256] as number;
		made[index] = (before >>> 8) ^ (made[before & 0xff] as number);
	}
	return made;
}

/** The checksum of `bytes`, continuing from that of what came before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
	tables ??= makeTables();
	const table = tables;
	const data = bytes;
	const { length } = data;
	let crc = ~before;
	let at = 0;
	for (; at + STEP <= length; at += STEP) {
		const low =
			crc ^
			((data[at] as number) |
				((data[at + 1] as number) << 8) |
				((data[at + 2] as number) << 16) |
				((data[at + 3] as number) << 24));
		crc =
			(table[1792 + (low & 0xff)] as number) ^
			(table[1536 + ((low >>> 8) & 0xff)] as number) ^
			(table[1280 + ((low >>> 16) & 0xff)] as number) ^
			(table[1024 + (low >>> 24)] as number) ^
			(table[768 + (data[at + 4] as number)] as number) ^
			(table[512 + (data[at + 5] as number)] as number) ^
			(table[256 + (data[at + 6] as number)] as number) ^
			(table[data[at + 7] as number] as number);
	}
	for (; at < length; at++) crc = (crc >>> 8) ^ (table[(crc ^ (data[at] as number)) & 0xff] as number);
	return ~crc >>> 0;
}
