import { describe, expect, it, vi } from "vitest";

/** The module as Node has it, and as a host without Buffer has it. */
async function load(isNode: boolean): Promise<typeof import("../../js/text.ts")> {
	vi.resetModules();
	if (!isNode) vi.stubGlobal("Buffer", undefined);
	try {
		return await import("../../js/text.ts");
	} finally {
		vi.unstubAllGlobals();
	}
}

const utf8 = (text: string) => new TextEncoder().encode(text);

const EDGES = [
	"",
	"\0",
	"\x7f\x80",
	"\u07ff\u0800",
	"\ud7ff\ue000\uffff",
	"\ufeffa byte order mark stays",
	"\u{10000}\u{10ffff}",
	"\u{1f600}".repeat(100),
	"\ud800",
	"\udfff",
	"a\ud800b",
	"\udc00\ud800",
	"\ud83d\ud83d\ude00",
	`${"x".repeat(23)}\u00e9`,
	`${"x".repeat(24)}\u00e9`,
	`${"x".repeat(159)}\u20ac`,
	`${"x".repeat(160)}\ud800`,
];

describe.each([
	["Buffer", true],
	["TextEncoder and TextDecoder", false],
])("text with %s", (_, isNode) => {
	it("writes UTF-8 as TextEncoder does, lone surrogates included", async () => {
		const { Text } = await load(isNode);
		const text = new Text(new ArrayBuffer(4096));
		for (const edge of EDGES) {
			const length = text.write(edge, 100);
			expect([...text.bytes.subarray(100, 100 + length)], JSON.stringify(edge)).toEqual([...utf8(edge)]);
		}
	});

	it("reads UTF-8 as TextDecoder does, whatever the bytes", async () => {
		const { Text } = await load(isNode);
		const text = new Text(new ArrayBuffer(4096));
		const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
		const inputs = EDGES.map(utf8).concat(
			[
				[0xff],
				[0xc0, 0x80],
				[0xe2, 0x82],
				[0xed, 0xa0, 0x80],
				[0xf4, 0x90, 0x80, 0x80],
				[0x61, 0x80, 0x62],
			].map((bytes) => Uint8Array.from(bytes)),
		);
		for (const bytes of inputs) {
			text.bytes.set(bytes, 7);
			const isAscii = bytes.every((byte) => byte < 128);
			expect(text.read(7, bytes.length, isAscii)).toBe(decoder.decode(bytes));
		}
	});

	it("moves ASCII of every length from 0 to 300", async () => {
		const { Text } = await load(isNode);
		const text = new Text(new ArrayBuffer(1024));
		for (let length = 0; length <= 300; length++) {
			const value = Array.from({ length }, (_, i) => String.fromCharCode((i * 7 + length) & 127)).join("");
			expect(text.write(value, length & 7)).toBe(length);
			expect(text.read(length & 7, length, true)).toBe(value);
		}
	});

	it("moves text with one wide character at every place", async () => {
		const { Text } = await load(isNode);
		const text = new Text(new ArrayBuffer(2048));
		for (const length of [1, 12, 24, 25, 128, 160, 161, 300]) {
			for (let at = 0; at < length; at++) {
				const value = `${"a".repeat(at)}\u00fc${"b".repeat(length - at - 1)}`;
				const written = text.write(value, 0);
				expect(written).toBe(length + 1);
				expect(text.read(0, written, false)).toBe(value);
			}
		}
	});
});

describe("bounds", () => {
	it("never says less than the length, and the length itself for long text", async () => {
		const { boundBytes } = await load(true);
		for (const edge of EDGES) expect(boundBytes(edge)).toBeGreaterThanOrEqual(utf8(edge).length);
		for (const unit of ["a", "\u00e9", "\u20ac", "\u{1f600}", "\ud800", "\udc00\ud800x"]) {
			const long = unit.repeat(70000);
			expect(boundBytes(long), JSON.stringify(unit)).toBe(utf8(long).length);
		}
	});

	it("tells any two byte strings apart as binary text", async () => {
		const { toBinary } = await load(true);
		const all = Uint8Array.from({ length: 20000 }, (_, i) => i * 31);
		expect(Uint8Array.from(toBinary(all), (c) => c.charCodeAt(0))).toEqual(all);
		expect(toBinary(Uint8Array.of(0xff))).not.toBe(toBinary(Uint8Array.of(0xfe)));
	});
});
