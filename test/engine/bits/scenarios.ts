/**
 * A fixed set of models and questions. Each is asked in several ways - threads, chunks, read together or apart, little memory -
 * which change no bit, so that a scenario has one hash on one path.
 */
import type { LoadOptions } from '#lib/index.js';
import { writeTinyModel } from '../../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../../fixtures/tiny-model.js';
import { WEIGHT_TYPES } from '../../reference/dequantize.js';
import { alone, batch, drawn, growing, scored, together } from './questions.js';
import type { Question } from './questions.js';

export interface Scenario {
  name: string;
  model: TinyOptions;
  format: 'f32' | 'bf16';
  question: Question;
  ways: LoadOptions[];
  /** Where `npm test` asks it; all are asked everywhere by `npm run test:all`. */
  quickOn: 'all' | 'cpu' | 'none';
}

const SMALL = { width: 256, ffn: 256, heads: 4, kvHeads: 2 };
const LONG = { width: 64, ffn: 64, heads: 2, kvHeads: 1, headDim: 16, layers: 1, context: 8192 };

const THREADS: LoadOptions[] = [{ threads: 1 }, { threads: 2, stepTokens: 16 }];
const SHARING: LoadOptions[] = [
  { threads: 1, sharedReads: 'never', prefixCache: false },
  { threads: 2, sharedReads: 'always', stepTokens: 97 },
  { threads: 2, sharedReads: 'auto', stepTokens: 33 },
];
/** Too little for all who come at once, so that some wait or are preempted. */
const scarce = (tokens: number): LoadOptions => ({
  threads: 2,
  sharedReads: 'always',
  kv: { bytes: 1024 * tokens },
});

const bf16 = { format: 'bf16' } as const;
const f32 = { format: 'f32' } as const;

const QUICK_TYPES = ['F32', 'BF16', 'Q8_0', 'Q4_K'];

const weights: Scenario[] = WEIGHT_TYPES.map(({ name }) => ({
  ...bf16,
  name: `${name} weights`,
  model: { type: name, shape: { ...SMALL, layers: 1 } },
  question: alone([1, 39]),
  ways: THREADS,
  quickOn: name === 'Q4_K' ? 'all' : QUICK_TYPES.includes(name) ? 'cpu' : 'none',
}));

const ARCHITECTURES: Record<string, TinyOptions> = {
  'tied embeddings': { tied: true },
  'linear rope scaling': { scaling: { type: 'linear', factor: 4, original: 64 } },
  'llama3 rope scaling': { scaling: { type: 'llama3', factor: 8, original: 64 } },
  'yarn rope scaling': { scaling: { type: 'yarn', factor: 4, original: 64 } },
  'mistral, a window of 40': { architecture: 'mistral', window: 40 },
  'qwen2, biases': { architecture: 'qwen2' },
  'qwen3, normed heads of 32': { architecture: 'qwen3', shape: { ...SMALL, headDim: 32 } },
  'heads of 128': { shape: { ...SMALL, headDim: 128 } },
};

const architectures: Scenario[] = Object.entries(ARCHITECTURES).map(([name, options]) => ({
  ...bf16,
  name,
  model: { type: 'Q8_0', shape: SMALL, ...options },
  question: alone([1, 70]),
  ways: THREADS,
  quickOn: /^(mistral|qwen3)/.test(name) ? 'cpu' : 'none',
}));

const Q8: TinyOptions = { type: 'Q8_0', shape: { ...SMALL, context: 2048 } };

const requests: Scenario[] = [
  {
    ...f32,
    name: 'f32 keys and values',
    model: Q8,
    question: alone([1, 300]),
    ways: THREADS,
    quickOn: 'cpu',
  },
  {
    ...f32,
    name: 'F32 weights, f32 keys and values',
    model: { ...Q8, type: 'F32' },
    question: alone(),
    ways: THREADS,
    quickOn: 'cpu',
  },
  { ...bf16, name: 'score', model: Q8, question: scored(290), ways: THREADS, quickOn: 'cpu' },
  { ...bf16, name: 'drawn', model: Q8, question: drawn, ways: THREADS, quickOn: 'cpu' },
  {
    ...bf16,
    name: 'a shared prefix',
    model: Q8,
    question: together(270, [1, 9, 33, 40]),
    ways: [...SHARING, scarce(352)],
    quickOn: 'cpu',
  },
  {
    ...f32,
    name: 'a shared prefix, f32 keys and values',
    model: Q8,
    question: together(270, [1, 9, 33, 40]),
    ways: SHARING,
    quickOn: 'none',
  },
  {
    ...bf16,
    name: 'a shared prefix of two spans and a little',
    model: { ...Q8, shape: LONG },
    question: together(522, [1, 9], 3),
    ways: SHARING.slice(0, 2),
    quickOn: 'all',
  },
  {
    ...bf16,
    name: 'a shared prefix under a window',
    model: { ...Q8, architecture: 'mistral', window: 100 },
    question: together(230, [3, 30, 31, 64]),
    ways: [...SHARING, scarce(352)],
    quickOn: 'cpu',
  },
  {
    ...bf16,
    name: 'a batch',
    model: Q8,
    question: batch,
    ways: [...SHARING, scarce(352)],
    quickOn: 'cpu',
  },
  {
    ...bf16,
    name: 'preemption',
    model: Q8,
    question: growing,
    ways: [...THREADS, scarce(192)],
    quickOn: 'cpu',
  },
  {
    ...bf16,
    name: 'more than a group of spans',
    model: { ...Q8, shape: LONG },
    question: together(4_200, [5], 3),
    ways: [SHARING[0]!, { threads: 2, sharedReads: 'always' }],
    quickOn: 'cpu',
  },
];

export const SCENARIOS: readonly Scenario[] = [...weights, ...architectures, ...requests];

/** A GPU has bf16 keys and values. */
export const isFor = ({ format }: Scenario, place: { isGpu: boolean }) =>
  !place.isGpu || format === 'bf16';

export const isQuick = ({ quickOn }: Scenario, place: { isGpu: boolean }) =>
  quickOn === 'all' || (quickOn === 'cpu' && !place.isGpu);

/** A GPU has no threads to vary, and its emulation takes long. */
export const waysOf = ({ ways }: Scenario, place: { isGpu: boolean }) =>
  place.isGpu
    ? [ways[0]!, ...ways.filter(({ sharedReads }) => sharedReads === 'always').slice(0, 1)]
    : ways;

const written = new Map<string, Promise<TinyModel>>();

/** Models are made once for all paths. */
export function modelOf({ model }: Scenario): Promise<TinyModel> {
  const key = JSON.stringify(model);
  const made = written.get(key) ?? writeTinyModel({ seed: 29, ...model });
  written.set(key, made);
  return made;
}
