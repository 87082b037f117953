import { describe, expect, it } from "vitest";
import { dataPlaces, qrCode } from "./qr_code";

/** Reads a code back: only what a reader does, with the patterns of the standard as it would find them. */
function read(code: boolean[][]): { text: string; level: number } {
  const size = code.length;
  const version = (size - 17) / 4;
  let format = 0;
  for (let i = 14; i >= 0; --i) {
    const [row, column] = i < 6 ? [i, 8] : i < 8 ? [i + 1, 8] : i === 8 ? [8, 7] : [8, 14 - i];
    format = format * 2 + Number(code[row]![column]);
  }
  format ^= 0x5412;
  const mask = (format >> 10) & 7;
  const hits = [
    (r: number, c: number) => (r + c) % 2, (r: number) => r % 2, (_: number, c: number) => c % 3, (r: number, c: number) => (r + c) % 3,
    (r: number, c: number) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2, (r: number, c: number) => ((r * c) % 2) + ((r * c) % 3),
    (r: number, c: number) => (((r * c) % 2) + ((r * c) % 3)) % 2, (r: number, c: number) => (((r + c) % 2) + ((r * c) % 3)) % 2,
  ];
  const centres: Record<number, number[]> = { 1: [], 2: [6, 18], 5: [6, 30], 7: [6, 22, 38], 10: [6, 28, 50] }; // ISO/IEC 18004 annex E
  const at = centres[version]!;
  const fixed = code.map((line, r) => line.map((_, c) => {
    const corner = (r < 9 && c < 9) || (r < 9 && c >= size - 8) || (r >= size - 8 && c < 9);
    const aligned = at.some((y) => at.some((x) => !((y < 9 && x < 9) || (y < 9 && x > size - 9) || (y > size - 9 && x < 9)) && Math.abs(r - y) < 3 && Math.abs(c - x) < 3));
    const stated = version >= 7 && ((r < 6 && c >= size - 11) || (c < 6 && r >= size - 11));
    return corner || aligned || stated || r === 6 || c === 6;
  }));
  const bits = dataPlaces(fixed).map(([r, c]) => Number(code[r]![c] !== (hits[mask]!(r, c) === 0)));
  const words = Array.from({ length: bits.length >> 3 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8).join(""), 2));
  const shapes: Record<number, { check: number; blocks: number }> = { 1: { check: 10, blocks: 1 }, 2: { check: 16, blocks: 1 }, 5: { check: 24, blocks: 2 }, 7: { check: 18, blocks: 4 }, 10: { check: 26, blocks: 5 } };
  const { check, blocks } = shapes[version]!;
  const room = words.length - check * blocks;
  const parts = Array.from({ length: blocks }, (): number[] => []);
  const long = Math.ceil(room / blocks);
  let next = 0;
  for (let i = 0; i < long; ++i) for (let b = 0; b < blocks; ++b) if (i < Math.floor(room / blocks) || b >= blocks - (room % blocks)) parts[b]!.push(words[next++]!);
  const data = parts.flat();
  for (let i = 0; i < check; ++i) for (let b = 0; b < blocks; ++b) parts[b]!.push(words[next++]!);
  for (const part of parts) expect(syndromes(part, check)).toEqual(new Array(check).fill(0));
  const stream = data.map((word) => word.toString(2).padStart(8, "0")).join("");
  const width = version < 10 ? 8 : 16;
  const length = parseInt(stream.slice(4, 4 + width), 2);
  const bytes = Uint8Array.from({ length }, (_, i) => parseInt(stream.slice(4 + width + i * 8, 12 + width + i * 8), 2));
  return { text: new TextDecoder().decode(bytes), level: format >> 13 };
}

function syndromes(part: number[], count: number): number[] {
  const times = (a: number, b: number) => {
    let out = 0;
    for (; b > 0; b >>= 1, a = (a << 1) ^ (a & 0x80 ? 0x11d : 0)) if (b & 1) out ^= a;
    return out;
  };
  let root = 1;
  return Array.from({ length: count }, () => {
    const value = part.reduce((sum, word) => times(sum, root) ^ word, 0);
    root = times(root, 2);
    return value;
  });
}

describe("a QR code", () => {
  it.each([
    ["of version 1", "fieldwatch", 21],
    ["of version 2", "otpauth://totp/é", 25],
    ["with two blocks", "x".repeat(84), 37],
    ["with its version in it", `otpauth://totp/${"a".repeat(100)}`, 45],
    ["with blocks of two lengths", "z".repeat(200), 57],
  ])("%s reads back, with every block's codewords consistent", (_, text, size) => {
    const code = qrCode(text);
    expect(code?.length).toBe(size);
    expect(read(code!)).toEqual({ text, level: 0 });
  });
  it("is none for a text that is too long", () => expect(qrCode("x".repeat(500))).toBeNull());
});
