/** How much the last rows of a text read each of its tokens. */
import {
  checkOptions,
  integerIn,
  isBoolean,
  isIntegerList,
  isName,
  isSignal,
} from '../checks/check-options.js';
import type { EngineParts } from './engine-parts.js';
import { evaluate } from './evaluate.js';
import { plain } from '../layout/layout.js';

export interface AttentionOptions {
  /** How many last rows are observed; their probabilities are added up. 1 to 256. Default 1. */
  rows?: number | undefined;
  /** Whether names of special tokens in a text mean those tokens. Default false. */
  specialTokens?: boolean | undefined;
  namespace?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Attention {
  tokens: number[];
  /** KV heads, of all layers. Layer by layer; in a model whose layers differ, those of one kind come first. */
  heads: number;
  /** Of each head and each token: the probabilities with which the rows read a token, the mean of the query heads that share a KV head. */
  values: Float32Array;
}

/** Only the rows that are observed are computed, if the rest is in the cache. */
export async function attention(
  engine: EngineParts,
  input: string | readonly number[],
  options: AttentionOptions,
): Promise<Attention> {
  const checks = {
    rows: integerIn(1, 256),
    specialTokens: isBoolean,
    namespace: isName,
    signal: isSignal,
  };
  const checked = checkOptions(options, checks);
  const { rows: observed = 1, namespace = engine.namespace, signal } = checked;
  const tokens =
    typeof input === 'string'
      ? (await engine.encodeText(input, checked)).content.ids
      : isIntegerList('input', input);
  const asked = { kind: 'attention', content: plain(tokens), observed } as const;
  const { values } = await evaluate({ core: engine.core, namespace }, asked, signal);
  return { tokens: Array.from(tokens), heads: values.length / tokens.length, values };
}
