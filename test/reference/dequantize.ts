/** The weight types of GGUF, decoded element by element in float64, as their documentation describes them. */
import { f16ToNumber } from './half.js';
import { IQ2_XXS_GRID } from './iq2-xxs-grid.js';

const { floor } = Math; // looking up a global costs much under jest

export interface WeightType {
  name: string;
  /** GGUF's number. */
  type: number;
  blockSize: number;
  blockBytes: number;
  /** Where a block has its f16 scales. */
  scales: number[];
  element(block: DataView, i: number): number;
}

const half = (block: DataView, at: number) => f16ToNumber(block.getUint16(at, true));
const float = (
  name: string,
  type: number,
  bytes: number,
  element: WeightType['element'],
): WeightType => ({
  name,
  type,
  blockSize: 1,
  blockBytes: bytes,
  scales: [],
  element,
});

/** 6-bit scale and minimum j of Q4_K and Q5_K, packed in 12 bytes. */
function kScale(block: DataView, j: number): [number, number] {
  const byte = (i: number) => block.getUint8(4 + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [
    (byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4),
    (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4),
  ];
}

/** Nibble i of Q4_K and Q5_K: 32 bytes hold elements 64c to 64c + 63, low nibbles first. */
function kNibble(block: DataView, start: number, i: number): number {
  const byte = block.getUint8(start + 32 * floor(i / 64) + (i % 32));
  return i % 64 < 32 ? byte & 15 : byte >> 4;
}

/** Nibble i of 32: low ones first. */
function nibble(block: DataView, start: number, i: number): number {
  const byte = block.getUint8(start + (i % 16));
  return i < 16 ? byte & 15 : byte >> 4;
}

const bit = (block: DataView, start: number, i: number) =>
  (block.getUint8(start + (i >> 3)) >> (i % 8)) & 1;

const IQ4_VALUES = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

export const WEIGHT_TYPES: WeightType[] = [
  float('F32', 0, 4, (block) => block.getFloat32(0, true)),
  float('F16', 1, 2, (block) => half(block, 0)),
  float(
    'BF16',
    30,
    2,
    (block) => new Float32Array(Uint32Array.of(block.getUint16(0, true) << 16).buffer)[0]!,
  ),
  {
    name: 'Q8_0',
    type: 8,
    blockSize: 32,
    blockBytes: 34,
    scales: [0],
    element: (block, i) => half(block, 0) * block.getInt8(2 + i),
  },
  {
    name: 'Q4_0',
    type: 2,
    blockSize: 32,
    blockBytes: 18,
    scales: [0],
    element: (block, i) => {
      const byte = block.getUint8(2 + (i % 16));
      return half(block, 0) * ((i < 16 ? byte & 15 : byte >> 4) - 8);
    },
  },
  {
    name: 'Q4_1',
    type: 3,
    blockSize: 32,
    blockBytes: 20,
    scales: [0, 2],
    element: (block, i) => half(block, 0) * nibble(block, 4, i) + half(block, 2),
  },
  {
    name: 'Q5_0',
    type: 6,
    blockSize: 32,
    blockBytes: 22,
    scales: [0],
    element: (block, i) => half(block, 0) * (nibble(block, 6, i) + 16 * bit(block, 2, i) - 16),
  },
  {
    name: 'Q5_1',
    type: 7,
    blockSize: 32,
    blockBytes: 24,
    scales: [0, 2],
    element: (block, i) =>
      half(block, 0) * (nibble(block, 8, i) + 16 * bit(block, 4, i)) + half(block, 2),
  },
  {
    name: 'IQ4_NL',
    type: 20,
    blockSize: 32,
    blockBytes: 18,
    scales: [0],
    element: (block, i) => half(block, 0) * IQ4_VALUES[nibble(block, 2, i)]!,
  },
  {
    name: 'IQ4_XS',
    type: 23,
    blockSize: 256,
    blockBytes: 136,
    scales: [0],
    element: (block, i) => {
      const sub = floor(i / 32);
      const low = (block.getUint8(4 + (sub >> 1)) >> (4 * (sub % 2))) & 15;
      const scale = low + 16 * ((block.getUint16(2, true) >> (2 * sub)) & 3) - 32;
      return half(block, 0) * scale * IQ4_VALUES[nibble(block, 8 + 16 * sub, i % 32)]!;
    },
  },
  {
    name: 'Q3_K',
    type: 11,
    blockSize: 256,
    blockBytes: 110,
    scales: [108],
    element: (block, i) => {
      const group = floor(i / 16);
      const byte = block.getUint8(96 + (group % 8));
      const upper = (block.getUint8(104 + (group % 4)) >> (2 * (group >> 2))) & 3;
      const scale = (group < 8 ? byte & 15 : byte >> 4) + 16 * upper - 32;
      const run = floor(i / 32);
      const low = (block.getUint8(32 + 32 * (run >> 2) + (i % 32)) >> (2 * (run % 4))) & 3;
      const third = (block.getUint8(i % 32) >> run) & 1;
      return half(block, 108) * scale * (low - (third ? 0 : 4));
    },
  },
  {
    name: 'Q6_K',
    type: 14,
    blockSize: 256,
    blockBytes: 210,
    scales: [208],
    element: (block, i) => {
      const [part, run, at] = [floor(i / 128), floor(i / 32) % 4, i % 32];
      const byte = block.getUint8(64 * part + 32 * (run % 2) + at);
      const upper = (block.getUint8(128 + 32 * part + at) >> (2 * run)) & 3;
      const code = (run < 2 ? byte & 15 : byte >> 4) + 16 * upper;
      return half(block, 208) * block.getInt8(192 + floor(i / 16)) * (code - 32);
    },
  },
  {
    name: 'Q2_K',
    type: 10,
    blockSize: 256,
    blockBytes: 84,
    scales: [80, 82],
    element: (block, i) => {
      const scale = block.getUint8(floor(i / 16));
      const code =
        (block.getUint8(16 + 32 * floor(i / 128) + (i % 32)) >> (2 * (floor(i / 32) % 4))) & 3;
      return half(block, 80) * (scale & 15) * code - half(block, 82) * (scale >> 4);
    },
  },
  {
    name: 'Q4_K',
    type: 12,
    blockSize: 256,
    blockBytes: 144,
    scales: [0, 2],
    element: (block, i) => {
      const [scale, min] = kScale(block, floor(i / 32));
      return half(block, 0) * scale * kNibble(block, 16, i) - half(block, 2) * min;
    },
  },
  {
    name: 'Q5_K',
    type: 13,
    blockSize: 256,
    blockBytes: 176,
    scales: [0, 2],
    element: (block, i) => {
      const [scale, min] = kScale(block, floor(i / 32));
      const fifth = (block.getUint8(16 + (i % 32)) >> floor(i / 32)) & 1;
      return half(block, 0) * scale * (kNibble(block, 48, i) + 16 * fifth) - half(block, 2) * min;
    },
  },
  {
    name: 'IQ2_XXS',
    type: 16,
    blockSize: 256,
    blockBytes: 66,
    scales: [0],
    element: (block, i) => {
      const at = 2 + 8 * floor(i / 32);
      const group = floor(i / 8) % 4;
      const bits = block.getUint32(at + 4, true);
      const seven = (bits >>> (7 * group)) & 127;
      const parity = [...seven.toString(2)].filter((bit) => bit === '1').length % 2;
      const negative = i % 8 === 7 ? parity === 1 : ((seven >> (i % 8)) & 1) === 1;
      const point = IQ2_XXS_GRID[block.getUint8(at + group)]![i % 8]!;
      return half(block, 0) * (0.5 + (bits >>> 28)) * 0.25 * (negative ? -point : point);
    },
  },
];

export function dequantize(type: WeightType, bytes: Uint8Array): Float64Array {
  const n = (bytes.length / type.blockBytes) * type.blockSize;
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const block = floor(i / type.blockSize);
    const view = new DataView(
      bytes.buffer,
      bytes.byteOffset + block * type.blockBytes,
      type.blockBytes,
    );
    out[i] = type.element(view, i % type.blockSize);
  }
  return out;
}
