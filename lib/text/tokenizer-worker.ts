/** The worker of TokenizerThread; it has its own copy of the vocabulary. */
import { workerData } from 'node:worker_threads';

import { CachalotError } from '../errors.js';
import { serve } from '../workers/lane-worker.js';
import type { Transfer } from '../workers/lane-worker.js';
import { loadVocabulary } from './load-vocabulary.js';
import type { ProtectedText } from './name-breaker.js';
import type { TokenTableData } from './token-table.js';
import { TextTokenizer } from './tokenizer.js';
import type { EncodeOptions } from './tokenizer.js';
import { identityOf } from './vocabulary-identity.js';

export interface TokenizerSource {
  model: string;
  tokenizer: string | undefined;
  /** Identity of the files when the engine was loaded. */
  identity: string;
  /** The mark that breaks names of special tokens in text from the other thread. */
  mark: string;
}

export type TokenizerJob =
  | { kind: 'open' }
  | { kind: 'encode'; text: string; options: EncodeOptions }
  | { kind: 'tokensWith'; texts: readonly string[] }
  /** Breaks names of special tokens in texts. */
  | { kind: 'protect'; texts: readonly string[] }
  /** The number of names in each text. */
  | { kind: 'count'; texts: readonly string[] };

export interface Opened {
  table: TokenTableData;
  chatTemplate: string | undefined;
  /** Warnings for the user, which the engine's thread emits. */
  warnings: string[];
}

export type TokenizerAnswer = Opened | Int32Array | ProtectedText[] | number[];

function checkUnchanged({ model, tokenizer, identity }: TokenizerSource): void {
  if (identityOf(model, tokenizer) === identity) return;
  throw new CachalotError(
    'model_changed',
    `'${model}' or its tokenizer has been changed or removed since it was loaded: load it again`,
  );
}

async function load() {
  const source = workerData as TokenizerSource;
  const vocabulary = await loadVocabulary(source.model, source.tokenizer).catch(
    (error: unknown) => {
      checkUnchanged(source); // a changed file explains more than the error
      throw error;
    },
  );
  checkUnchanged(source);
  const tokenizer = new TextTokenizer(vocabulary, source.mark);
  tokenizer.warm();
  return (job: TokenizerJob, transfer: Transfer): TokenizerAnswer => {
    if (job.kind === 'open') {
      const table = tokenizer.tableData();
      transfer(table.bytes.buffer);
      transfer(table.ends.buffer);
      const { chatTemplate, warnings = [] } = vocabulary;
      return { table, chatTemplate, warnings };
    }
    const { names } = tokenizer.table;
    if (job.kind === 'protect') return job.texts.map((text) => names.protect(text));
    if (job.kind === 'count') return job.texts.map((text) => names.count(text));
    const ids =
      job.kind === 'encode'
        ? tokenizer.encode(job.text, job.options)
        : tokenizer.table.tokensWith(job.texts);
    transfer(ids.buffer as ArrayBuffer);
    return ids;
  };
}

serve(load());
