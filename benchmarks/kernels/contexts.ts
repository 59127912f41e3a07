/** Contexts of models' shapes, for the ops that read or write keys and values. */
import type { TimedContexts } from '../../test/testing/timing.js';
import { SHAPES } from '../models/shapes.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const CASES = [
  { rows: 1, context: 128, sequences: 1 },
  { rows: 1, context: 2048, sequences: 1 },
  { rows: 1, context: 512, sequences: 16 },
  { rows: 1, context: 512, sequences: 64 },
  { rows: 512, context: 512, sequences: 1 },
  { rows: 512, context: 2048, sequences: 1 },
];

export const ELEMENT_BYTES = 2; // in bf16

export const CONTEXTS: (TimedContexts & { shape: string })[] = MODELS.flatMap((model) => {
  const { heads, kvHeads, headDim } = SHAPES[model]!;
  return CASES.map((one) => ({
    ...one,
    heads,
    kvHeads,
    headDim,
    shape: `${model}, ${one.sequences} of ${one.context}`,
  }));
});
