/** Each kernel under the emulator's checker: no data race, and as many shared-memory wavefronts and memory sectors as its
 * accesses need at least, but for what is said here. See native/cuda/emu/check.cpp. */
import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { ropeTable } from '../reference/attention.js';
import { checkedLibrary, testing } from '../testing.js';
import type { AttentionCase, AttentionContext } from '../testing/attention.js';

const library = checkedLibrary() ?? '';
const checked = library === '' ? describe.skip : describe;
const device = `cuda:${library}`;

interface Findings {
  races: string[];
  /** Wavefronts, or sectors, by those that the same accesses need at least. */
  shared: number;
  global: number;
}

function check(run: () => void, kernel: string): Findings {
  testing.emulatorCheck(library);
  run();
  const lines = testing.emulatorReport(library).split('\n');
  const sums = { shared: [0, 0], global: [0, 0] };
  let accesses = 0;
  for (const [kind, memory, , where, , , wavefronts, ideal] of lines.map((l) => l.split(' '))) {
    if (kind !== 'traffic' || !where!.startsWith(kernel)) continue;
    accesses++;
    const sum = sums[memory as 'shared' | 'global'];
    sum[0]! += Number(wavefronts);
    sum[1]! += Number(ideal);
  }
  expect(accesses).toBeGreaterThan(0);
  const ratio = ([a, b]: number[]) => (b === 0 ? 1 : a! / b!);
  return {
    races: lines.filter((line) => line.startsWith('race')),
    shared: ratio(sums.shared),
    global: ratio(sums.global),
  };
}

function linear(type: string, rows: number) {
  const weightType = WEIGHT_TYPES.find(({ name }) => name === type)!;
  const random = new Random(3);
  const [n, k] = [128, 512];
  const weight = randomWeight(weightType, n * k, random);
  return () => testing.linear(device, 1, weight, weightType.type, n, k, random.normals(rows * k));
}

function attention(rows: number, headDim: number) {
  const c: AttentionCase = {
    heads: 4,
    kvHeads: 1,
    headDim,
    format: 'bf16',
    parallelism: 1,
    window: 0,
    grouped: true,
    interleaved: true,
    ...ropeTable(600, headDim, 10000),
  };
  const random = new Random(4);
  const context: AttentionContext = {
    k: random.normals(600 * headDim),
    v: random.normals(600 * headDim),
    q: random.normals(rows * 4 * headDim),
    rows,
  };
  return () => testing.attention(device, 1, c, [context]);
}

const logits = new Random(5).normals(3000);
const everything = { temperature: 1, topK: 50, typicalP: 0.9, topP: 0.9, minP: 0.01, top: 3 };

checked('kernels under the checker', () => {
  /** Name, what runs it, its files, and the bars for shared and for global memory. */
  const cases: [string, () => unknown, string, number, number][] = [
    // x comes with 16 bytes of scales and of sums per row and chunk: half a sector each.
    ['linear, 3 rows', linear('Q8_0', 3), 'kernel.h', 1.0, 1.02],
    ['linear, 20 rows', linear('Q4_0', 20), 'kernel.h', 1.0, 1.1],
    ['linear, 100 rows', linear('Q4_K', 100), 'kernel.h', 1.0, 1.25],
    ['linear, floats', linear('BF16', 100), 'kernel.h', 1.0, 1.0],
    ['codes of Q8_0', linear('Q8_0', 9), 'codecs.h', 1.0, 1.0],
    ['codes of Q4_K', linear('Q4_K', 9), 'codecs.h', 1.0, 1.0],
    ['codes of Q6_K', linear('Q6_K', 9), 'codecs.h', 1.0, 1.0],
    // Eight lanes look up eight points of the lattice: chance decides which banks meet.
    ['codes of IQ2_XXS', linear('IQ2_XXS', 9), 'codecs.h', 1.6, 1.0],
    // Tiles without a conflict; queries are put in place by two bytes at a time, once.
    ['attention of few queries: tiles', attention(1, 128), 'attention_core.h', 1.0, 1.0],
    ['attention of many queries: tiles', attention(40, 64), 'attention_core.h', 1.0, 1.0],
    ['attention of many queries: the rest', attention(40, 64), 'attention.cu', 1.3, 1.0],
    ['attention merge', attention(40, 64), 'attention_merge.cu', 1.0, 1.0],
    [
      'rms_norm',
      () => testing.rmsNorm(device, 1, logits, null, logits.slice(0, 1000), 1e-5),
      'rms_norm.cu',
      1.0,
      1.05,
    ],
    ['silu_mul', () => testing.siluMul(device, 1, logits, logits), 'silu_mul.cu', 1.0, 1.0],
    ['sample', () => testing.sample(device, 1, logits, [everything]), 'sample.cu', 1.0, 1.4],
  ];

  test('planted faults are found: a race, bank conflicts, a barrier that not all threads reach', () => {
    const planted = (fault: number) =>
      check(() => testing.emulatorPlanted(library, fault), 'planted.cu');
    expect(planted(0)).toEqual({ races: [], shared: 1, global: 1 });
    expect(planted(1).races[0]).toMatch(/^race \w+ after \w+ planted\.cu:\d+ planted\.cu:\d+/);
    expect(planted(2).shared).toBeGreaterThan(10);
    expect(testing.emulatorPlanted(library, 3)).toMatch(/deadlock: 32 of 64 threads wait/);
  });

  test.each(cases)('%s', (_, run, kernel, shared, global) => {
    const found = check(run, kernel);
    expect(found.races).toEqual([]);
    expect(found.shared).toBeLessThanOrEqual(shared + 1e-9);
    expect(found.global).toBeLessThanOrEqual(global + 1e-9);
  });
});
