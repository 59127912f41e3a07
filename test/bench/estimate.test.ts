/** Predictions: bytes and operations of a step as counted by hand, and what follows from them. */
import { DEVICES, measuredDevice } from '../../lib/estimate/devices.js';
import {
  boundOps,
  decodeRates,
  expectedOps,
  largestBatch,
  prefillRates,
} from '../../lib/estimate/estimate.js';
import { decodeShape, opsOf, prefillShape } from '../../lib/estimate/ops.js';
import { Engine } from '../../lib/index.js';
import { readModelInfo } from '../../lib/models/formats/model-info.js';
import type { ModelInfo } from '../../lib/models/formats/model-info.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const peaks = {
  ...{ instructions: 'x', threads: 1, readBytesPerSecond: 1e9 },
  ...{ f32: 1e9, bf16: 2e9, int8: 4e9 },
};
const device = measuredDevice('a machine', peaks, 1e9);

let path: string;
let model: ModelInfo;
beforeAll(async () => {
  ({ path } = await writeTinyModel({ type: 'Q8_0' }));
  model = await readModelInfo(path);
});

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

test('a step reads each matrix once, and multiplies it for every row', () => {
  const ops = opsOf(model, decodeShape(3, 100, 64));
  const linears = ops.filter(({ kind }) => kind === 'linear');
  const matrices = model.tensors.filter(({ shape }) => shape.length === 2);
  const hasOutput = matrices.some(({ name }) => name === 'output.weight');
  const read = matrices.filter(({ name }) => !(hasOutput && name === 'token_embd.weight'));
  expect(sum(linears.map(({ bytes }) => bytes))).toBe(sum(read.map(({ bytes }) => bytes)));
  const parameters = sum(read.map(({ shape }) => shape[0]! * shape[1]!));
  expect(sum(linears.map(({ operations }) => operations))).toBe(2 * 3 * parameters);
  const attention = ops.find(({ kind }) => kind === 'attention')!;
  const { heads, headDim, layers } = model.shape;
  expect(attention).toMatchObject({
    bytes: 300 * 64,
    operations: 4 * heads * headDim * layers * 300,
  });
});

test('only the last row of a prompt goes through the output layer', () => {
  const output = (isLast: boolean) =>
    opsOf(model, prefillShape(10, 5, 64, isLast)).find(({ name }) => name === 'output');
  const { shape } = model.tensors.find(({ name }) => /^(output|token_embd)\./.test(name))!;
  expect(output(true)!.operations).toBe(2 * shape[0]! * shape[1]!);
  expect(output(false)).toBeUndefined();
  const attention = opsOf(model, prefillShape(10, 5, 64)).find(({ name }) => name === 'attention')!;
  const { heads, headDim, layers } = model.shape;
  expect(attention.operations).toBe(4 * heads * headDim * layers * (10 * 5 + 55));
});

test('an op is bound by what takes longer', () => {
  const slow = { ...device, readBytesPerSecond: 1 };
  const fast = { ...device, readBytesPerSecond: 1e30 };
  const step = decodeShape(1, 10, 64);
  expect(boundOps(model, slow, step).every(({ bound }) => bound === 'reading')).toBe(true);
  expect(boundOps(model, fast, step).every(({ bound }) => bound === 'arithmetic')).toBe(true);
});

test('what is expected is never above the bound, and equals it where nothing is known', () => {
  for (const step of [decodeShape(1, 50, 64), decodeShape(40, 50, 64), prefillShape(128, 0, 64)]) {
    const [bound, expected] = [boundOps(model, device, step), expectedOps(model, device, step)];
    bound.forEach((op, i) => expect(expected[i]!.seconds).toBeGreaterThanOrEqual(op.seconds));
    expect(expectedOps(model, DEVICES['h100']!, step)).toEqual(
      boundOps(model, DEVICES['h100']!, step),
    );
  }
  const shape = { tokens: 300, kvBytesPerToken: 64 };
  const prefill = prefillRates(model, device, shape);
  expect(prefill.expected).toBeLessThan(prefill.bound);
  const few = decodeRates(model, device, { sequences: 1, context: 10, kvBytesPerToken: 64 });
  const many = decodeRates(model, device, { sequences: 8, context: 10, kvBytesPerToken: 64 });
  expect(many.bound).toBeGreaterThan(few.bound);
});

test.each([
  ['NVIDIA H100 80GB HBM3', 'h100'],
  ['NVIDIA A100-SXM4-80GB', 'a100-80gb'],
  ['NVIDIA H200', 'h200'],
  ['NVIDIA L4', 'l4'],
  ['NVIDIA L40S', 'l40s'],
  ['NVIDIA GeForce RTX 4090', 'rtx-4090'],
  ['NVIDIA H100 PCIe', undefined],
  ['NVIDIA A100-SXM4-40GB', undefined],
  ['NVIDIA GH200 480GB', undefined],
  ['NVIDIA GeForce RTX 3080', undefined],
  ['NVIDIA GeForce RTX 4090 D', undefined],
])('a driver calls %s what the table calls %s', (name, key) => {
  const found = Object.entries(DEVICES).filter(([, { pattern }]) => pattern!.test(name));
  expect(found.map(([one]) => one)).toEqual(key === undefined ? [] : [key]);
});

test('weights of F16 are multiplied at the rate of BF16 on a GPU, and in f32 on a CPU', () => {
  expect(DEVICES['h100']!.rates.f16).toBe(DEVICES['h100']!.rates.bf16);
  expect(device.rates.f16).toBe(device.rates.f32);
});

test('as many sequences fit as memory holds beside the weights', () => {
  const weights = sum(model.tensors.map(({ bytes }) => bytes));
  const of = (memory: number) =>
    largestBatch(model, { ...device, memory }, { context: 100, kvBytesPerToken: 64 });
  expect(of(weights + 6400 * 7)).toBe(7);
  expect(of(weights + 6400 * 7 - 1)).toBe(6);
  expect(of(0)).toBe(0);
});

test('an engine counts what its steps read and compute', async () => {
  await using engine = await Engine.load(path, { stepTokens: 64, sharedReads: 'never' });
  const ids = (n: number) => Array.from({ length: n }, (_, i) => 3 + ((i * 7) % 300));
  await engine.completeTokens(ids(100), { maxTokens: 3, ignoreEos: true }).result;
  // Rows 0 to 63, rows 64 to 99, and two rows that decode.
  const stats = engine.stats();
  expect(stats).toMatchObject({
    ...{ steps: 4, rows: 102, outputs: 3, outputSteps: 3 },
    attendedKeys: (102 * 103) / 2,
    contextTokens: 64 + 100 + 101 + 102,
  });
  expect(stats.stepMs).toBeGreaterThan(0);
  const { mfu, mbu, operations, bytes } = await engine.utilization();
  const shape = { rows: 102, outputs: 3, attendedKeys: (102 * 103) / 2, contextTokens: 367 };
  const { kvBytesPerToken } = engine.description;
  const ops = opsOf(model, { ...shape, kvBytesPerToken }).filter(
    ({ kind }) => kind !== 'elementwise',
  );
  expect(operations).toBe(sum(ops.map((op) => op.operations)));
  // The first step wants no logits.
  const times = { attention: 1, output: 3 } as Record<string, number>;
  expect(bytes).toBe(sum(ops.map(({ name, bytes: own }) => own * (times[name] ?? 4))));
  expect(mfu).toBeGreaterThan(0);
  expect(mbu).toBeGreaterThan(0);
});
