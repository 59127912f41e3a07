/** The worker of TokenizerThread. */
import { parentPort, workerData } from 'node:worker_threads';

import { fromNative } from '../errors.js';
import { loadVocabulary } from './load-vocabulary.js';
import { TextTokenizer } from './tokenizer.js';
import type { EncodeOptions } from './tokenizer.js';

export interface TokenizerSource {
  model: string;
  tokenizer: string | undefined;
  /** What breaks the names of special tokens in text that comes from the other thread. */
  mark: string;
}

export interface EncodeJob {
  text: string;
  options: EncodeOptions;
}

export type EncodeAnswer = { ids: Int32Array } | { code: string; message: string };

let tokenizer: Promise<TextTokenizer> | undefined;

async function load(): Promise<TextTokenizer> {
  const source = workerData as TokenizerSource;
  return new TextTokenizer(await loadVocabulary(source.model, source.tokenizer), source.mark);
}

async function answer({ text, options }: EncodeJob): Promise<void> {
  try {
    const ids = (await (tokenizer ??= load())).encode(text, options);
    const message: EncodeAnswer = { ids };
    parentPort?.postMessage(message, [ids.buffer as ArrayBuffer]);
  } catch (error) {
    const { code, message } = fromNative(error);
    parentPort?.postMessage({ code, message } satisfies EncodeAnswer);
  }
}

parentPort?.on('message', (job: EncodeJob) => void answer(job));
