/** Policies with their options, as the engine takes them and as the reference has them. */
import type { NativeEdit } from '../../lib/records/request-records.js';
import type { ReferenceEdit } from '../reference/forward.js';
import {
  best,
  chelsea,
  compressKv,
  h2o,
  keyNorm,
  razor,
  recent,
  scissorhands,
  snap,
} from '../reference/policies.js';
import type { ReferenceBudget, ReferencePolicy } from '../reference/policies.js';
import { MASK, mix } from './seeded-edit.js';

export interface PolicyCase {
  policy: string;
  options: number[];
  reference: ReferencePolicy;
  /** Of the reference. */
  counts?: boolean;
}

/** A policy of some budget. */
export type Budgeted = (budget: ReferenceBudget) => PolicyCase;

const SPLITS = ['uniform', 'pyramid', 'mass', 'heads'];

/** native/kv/policies/budget.h. */
export const budgetOptions = ({ share, keys, split, first, last }: ReferenceBudget): number[] => [
  Math.round((share ?? 0) * 1e6),
  keys ?? 0,
  SPLITS.indexOf(split ?? 'uniform'),
  first,
  last,
];

/** Chance cannot be had from a paper: it is mixed here as native/kv/policies/random.h's is. */
const random = (budget: ReferenceBudget, seed: number): ReferencePolicy =>
  best(budget, ({ keys }, head) =>
    keys.map(({ position }) => {
      const draw = mix((mix(BigInt(seed + head)) + BigInt(position)) & MASK);
      return Number(draw >> 40n);
    }),
  );

const ROWS = 8;
const POOLED = 5;
const CHUNK = 20;

const snapOf =
  (split: 'uniform' | 'pyramid' | 'mass' | 'heads'): Budgeted =>
  (given) => {
    const budget = { ...given, split };
    return {
      policy: 'snap',
      options: [...budgetOptions(budget), ROWS, POOLED],
      reference: snap(budget, ROWS, POOLED),
    };
  };

const chelseaOf =
  (counts: boolean): Budgeted =>
  (budget) => ({
    policy: 'chelsea',
    options: [...budgetOptions(budget), CHUNK, Number(counts)],
    reference: chelsea(budget, CHUNK),
    counts,
  });

/** All that have a budget, for a model of so many KV heads. */
export const budgetedOf = (heads: number): Record<string, Budgeted> => ({
  recent: (budget) => ({
    policy: 'recent',
    options: budgetOptions(budget),
    reference: recent(budget),
  }),
  random: (budget) => ({
    policy: 'random',
    options: [...budgetOptions(budget), 5],
    reference: random(budget, 5),
  }),
  'key-norm': (budget) => ({
    policy: 'key-norm',
    options: budgetOptions(budget),
    reference: keyNorm(budget),
  }),
  snap: snapOf('uniform'),
  'snap in a pyramid': snapOf('pyramid'),
  'snap by mass': snapOf('mass'),
  'snap by heads': snapOf('heads'),
  h2o: (budget) => ({
    policy: 'h2o',
    options: [...budgetOptions(budget), ROWS],
    reference: h2o(budget, ROWS),
  }),
  scissorhands: (budget) => ({
    policy: 'scissorhands',
    options: [...budgetOptions(budget), ROWS],
    reference: scissorhands(budget, ROWS),
  }),
  'compress-kv': (budget) => {
    const deciding = Array.from({ length: heads }, (_, head) => head % 4 === 1);
    return {
      policy: 'compress-kv',
      options: [...budgetOptions(budget), ROWS, POOLED, ...deciding.map(Number)],
      reference: compressKv(budget, ROWS, POOLED, deciding),
    };
  },
  chelsea: chelseaOf(true),
  'chelsea without weights': chelseaOf(false),
});

/** Every third head is whole; 1 of `divisor` tokens stays at the end, 3 at least. */
export function razorOf(first: number, divisor: number, heads: number): PolicyCase {
  const whole = Array.from({ length: heads }, (_, head) => head % 3 === 1);
  return {
    policy: 'razor',
    options: [first, 3, divisor, ...whole.map(Number)],
    reference: razor(first, 3, divisor, whole),
  };
}

export const nativeEdit = (index: number, { policy, options }: PolicyCase): NativeEdit => ({
  index,
  policy,
  options: Int32Array.from(options),
});

/** `tell` hears how many keys each head is left. */
export const referenceEdit = (
  index: number,
  { reference, counts = true }: PolicyCase,
  tell: (left: number[]) => void = () => {},
): ReferenceEdit => ({
  index,
  counts,
  edit: (heads) => {
    const left = reference(heads, index);
    tell(left.map((keys) => keys.length));
    return left;
  },
});
