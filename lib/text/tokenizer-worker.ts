/** The worker of TokenizerThread. */
import { parentPort, workerData } from 'node:worker_threads';

import { fromNative } from '../errors.js';
import { loadVocabulary } from './load-vocabulary.js';
import type { ProtectedText } from './name-breaker.js';
import { TextTokenizer } from './tokenizer.js';
import type { EncodeOptions } from './tokenizer.js';

export interface TokenizerSource {
  model: string;
  tokenizer: string | undefined;
  /** What breaks the names of special tokens in text that comes from the other thread. */
  mark: string;
}

/** What is asked of the worker, and what it answers. */
export interface TextWork {
  encode: { text: string; options: EncodeOptions };
  /** Breaks names of special tokens in texts. */
  protect: string[];
  /** How many names there are in each text. */
  count: string[];
}
export interface TextResults {
  encode: Int32Array;
  protect: ProtectedText[];
  count: number[];
}
export type TextJob = { [K in keyof TextWork]: { kind: K; work: TextWork[K] } }[keyof TextWork];
export type TextAnswer =
  { result: TextResults[keyof TextResults] } | { code: string; message: string };

let tokenizer: Promise<TextTokenizer> | undefined;

async function load(): Promise<TextTokenizer> {
  const source = workerData as TokenizerSource;
  return new TextTokenizer(await loadVocabulary(source.model, source.tokenizer), source.mark);
}

function resultOf(made: TextTokenizer, { kind, work }: TextJob): TextResults[keyof TextResults] {
  if (kind === 'encode') return made.encode(work.text, work.options);
  if (kind === 'protect') return work.map((text) => made.names.protect(text));
  return work.map((text) => made.names.count(text));
}

async function answer(job: TextJob): Promise<void> {
  try {
    const result = resultOf(await (tokenizer ??= load()), job);
    const moved = result instanceof Int32Array ? [result.buffer as ArrayBuffer] : [];
    parentPort?.postMessage({ result } satisfies TextAnswer, moved);
  } catch (error) {
    const { code, message } = fromNative(error);
    parentPort?.postMessage({ code, message } satisfies TextAnswer);
  }
}

parentPort?.on('message', (job: TextJob) => void answer(job));
