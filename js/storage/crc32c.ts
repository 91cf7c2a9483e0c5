/** CRC-32C (Castagnoli), reflected, as in iSCSI and ext4. */

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
	return Uint32Array.from({ length: 256 }, (_, index) => {
		let crc = index;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
		return crc;
	});
}

/** The checksum of `bytes`, continuing from that of what came before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
	table ??= makeTable();
	let crc = ~before;
	for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
	return ~crc >>> 0;
}
