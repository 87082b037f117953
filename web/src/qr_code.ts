// A QR code of a short text: bytes, error correction level M, versions 1 to 15 (ISO/IEC 18004): pure.

// Of level M by version: error correction codewords of a block, and blocks (ISO/IEC 18004 table 9).
const levelM = [
  [10, 1], [16, 1], [26, 1], [18, 2], [24, 2], [16, 4], [18, 4], [22, 4], [22, 5], [26, 5], [30, 5], [22, 8], [22, 9], [24, 9], [24, 10],
] as const;

const exp = new Uint8Array(512); // powers of 2 in GF(256) modulo x^8+x^4+x^3+x^2+1
const log = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; ++i, x = (x << 1) ^ (x & 0x80 ? 0x11d : 0)) {
  exp[i] = exp[i + 255] = x;
  log[x] = i;
}
const times = (a: number, b: number) => (a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!);

/** What is left of the data, moved up by `count`, after division by the generator of that degree. */
function correction(data: readonly number[], count: number): number[] {
  let generator = [1];
  for (let i = 0; i < count; ++i) generator = [...generator, 0].map((one, at) => one ^ times(generator[at - 1] ?? 0, exp[i]!));
  const rest = [...data, ...new Array<number>(count).fill(0)];
  for (let at = 0; at < data.length; ++at) {
    const factor = rest[at]!;
    generator.forEach((one, i) => (rest[at + i]! ^= times(one, factor)));
  }
  return rest.slice(data.length);
}

const sizeOf = (version: number) => 17 + 4 * version;

function alignments(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((4 * version + 4) / (2 * count - 2)) * 2;
  return Array.from({ length: count }, (_, i) => (i === 0 ? 6 : sizeOf(version) - 7 - (count - 1 - i) * step));
}

/** BCH: `data` with its remainder behind it. */
function withCheck(data: number, polynomial: number, bits: number): number {
  let rest = data << bits;
  for (let bit = 20; bit >= bits; --bit) if (rest & (1 << bit)) rest ^= polynomial << (bit - bits);
  return (data << bits) | rest;
}

interface Grid {
  dark: boolean[][];
  fixed: boolean[][]; // belongs to a pattern: no data, no mask
}

function patterns(version: number): Grid {
  const size = sizeOf(version);
  const grid: Grid = { dark: Array.from({ length: size }, () => new Array<boolean>(size).fill(false)), fixed: Array.from({ length: size }, () => new Array<boolean>(size).fill(false)) };
  const set = (row: number, column: number, dark: boolean) => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    grid.dark[row]![column] = dark;
    grid.fixed[row]![column] = true;
  };
  const square = (row: number, column: number, reach: number, dark: (distance: number) => boolean) => {
    for (let y = -reach; y <= reach; ++y) for (let x = -reach; x <= reach; ++x) set(row + y, column + x, dark(Math.max(Math.abs(x), Math.abs(y))));
  };
  for (let i = 0; i < size; ++i) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const places = alignments(version);
  const last = places.length - 1;
  places.forEach((row, i) => places.forEach((column, j) => {
    if (!((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0))) square(row, column, 2, (distance) => distance !== 1);
  }));
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]] as const) square(row, column, 4, (distance) => distance !== 2 && distance !== 4);
  if (version >= 7) {
    const bits = withCheck(version, 0x1f25, 12);
    for (let i = 0; i < 18; ++i) {
      const dark = ((bits >> i) & 1) === 1;
      set(Math.floor(i / 3), size - 11 + (i % 3), dark);
      set(size - 11 + (i % 3), Math.floor(i / 3), dark);
    }
  }
  writeFormat(grid, 0, set); // keeps its place
  return grid;
}

/** Level M (00) and the mask, twice. */
function writeFormat(grid: Grid, mask: number, set: (row: number, column: number, dark: boolean) => void) {
  const size = grid.dark.length;
  const bits = withCheck(mask, 0x537, 10) ^ 0x5412;
  for (let i = 0; i < 15; ++i) {
    const dark = ((bits >> i) & 1) === 1;
    if (i < 6) set(i, 8, dark);
    else if (i < 8) set(i + 1, 8, dark);
    else set(8, i === 8 ? 7 : 14 - i, dark);
    if (i < 8) set(8, size - 1 - i, dark);
    else set(size - 15 + i, 8, dark);
  }
  set(size - 8, 8, true);
}

const masks: ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0, (r) => r % 2 === 0, (_, c) => c % 3 === 0, (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0, (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0, (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

/** The places of data in their order: upwards and downwards in pairs of columns from the right. */
export function dataPlaces(fixed: readonly boolean[][]): [row: number, column: number][] {
  const size = fixed.length;
  const out: [number, number][] = [];
  for (let right = size - 1, up = true; right >= 1; right -= 2, up = !up) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; ++i) {
      const row = up ? size - 1 - i : i;
      for (const column of [right, right - 1]) if (!fixed[row]![column]) out.push([row, column]);
    }
  }
  return out;
}

/** How hard it is to read: long runs, blocks, what looks like a finder, too much of one colour. */
function penalty(dark: readonly boolean[][]): number {
  const size = dark.length;
  let sum = 0;
  const lines = [...dark, ...dark.map((_, column) => dark.map((row) => row[column]!))].map((line) => line.map((one) => (one ? "1" : "0")).join(""));
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
    for (const finder of ["10111010000", "00001011101"]) for (let at = line.indexOf(finder); at >= 0; at = line.indexOf(finder, at + 1)) sum += 40;
  }
  for (let row = 1; row < size; ++row)
    for (let column = 1; column < size; ++column) {
      const one = dark[row]![column];
      if (one === dark[row - 1]![column] && one === dark[row]![column - 1] && one === dark[row - 1]![column - 1]) sum += 3;
    }
  const share = dark.flat().filter(Boolean).length / (size * size);
  return sum + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}

/** Data and correction codewords in the order in which they are placed. */
function codewords(bytes: Uint8Array, version: number, total: number): number[] {
  const [check, blocks] = levelM[version - 1]!;
  const room = total - check * blocks;
  const bits: number[] = [];
  const put = (value: number, count: number) => { for (let i = count - 1; i >= 0; --i) bits.push((value >> i) & 1); };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => put(byte, 8));
  put(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const data = Array.from({ length: bits.length / 8 }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((all, bit) => all * 2 + bit, 0));
  for (let pad = 0xec; data.length < room; pad ^= 0xfd) data.push(pad);
  const short = Math.floor(room / blocks);
  const parts: number[][] = [];
  for (let i = 0, at = 0; i < blocks; ++i) {
    const length = short + (i >= blocks - (room % blocks) ? 1 : 0);
    parts.push(data.slice(at, (at += length)));
  }
  const woven = (rows: number[][]) => Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, at) => rows.flatMap((row) => (at < row.length ? [row[at]!] : []))).flat();
  return [...woven(parts), ...woven(parts.map((part) => correction(part, check)))];
}

/** Rows of modules, true is dark; null for a text of more than some 400 bytes. */
export function qrCode(text: string): boolean[][] | null {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= levelM.length; ++version) {
    const grid = patterns(version);
    const places = dataPlaces(grid.fixed);
    const total = Math.floor(places.length / 8);
    const [check, blocks] = levelM[version - 1]!;
    if (4 + (version < 10 ? 8 : 16) + bytes.length * 8 > (total - check * blocks) * 8) continue;
    const words = codewords(bytes, version, total);
    places.forEach(([row, column], at) => (grid.dark[row]![column] = (((words[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1));
    const masked = masks.map((hit, mask) => {
      const dark = grid.dark.map((line, row) => line.map((one, column) => one !== (!grid.fixed[row]![column] && hit(row, column))));
      writeFormat({ ...grid, dark }, mask, (row, column, one) => (dark[row]![column] = one));
      return dark;
    });
    return masked.reduce((best, one) => (penalty(one) < penalty(best) ? one : best));
  }
  return null;
}
