/** Text becomes tokens in workers, which load the vocabulary themselves. This is the engine's side of them. */
import { resolve as absolute, join } from 'node:path';

import { CachalotError } from '../errors.js';
import { Memo } from '../workers/memo.js';
import { WorkerLanes } from '../workers/worker-lanes.js';
import { MARK } from './name-breaker.js';
import type { ProtectedText } from './name-breaker.js';
import { TokenTable } from './token-table.js';
import type { EncodeOptions } from './tokenizer.js';
import type { Opened, TokenizerAnswer, TokenizerJob, TokenizerSource } from './tokenizer-worker.js';
import { totalLength } from './total-length.js';
import { identityOf } from './vocabulary-identity.js';

/** Never called: tools that gather a program's files find by it the module, and the library, that only the worker loads. */
export function loadedByTheWorker(): unknown {
  return require('./tokenizer.js');
}

/** The largest texts take seconds; only a pattern that was made to be slow takes longer. The limit counts for each text alone. */
const DEADLINE_MS = 60_000;

/** How many answers of `tokensWith` are kept. */
const MAX_FOUND = 16;

type Lanes = WorkerLanes<TokenizerJob, TokenizerAnswer>;

export class TokenizerThread {
  readonly table: TokenTable;
  readonly chatTemplate: string | undefined;
  readonly #lanes: Lanes;
  readonly #found = new Memo<Int32Array>(MAX_FOUND);

  private constructor(lanes: Lanes, { table, chatTemplate }: Opened) {
    this.#lanes = lanes;
    this.table = new TokenTable(table);
    this.chatTemplate = chatTemplate;
  }

  /** Reads a vocabulary: the model's, or that of the tokenizer.json `tokenizer`. */
  static async open(
    model: string,
    tokenizer?: string,
    signal?: AbortSignal,
  ): Promise<TokenizerThread> {
    // The program may change its working directory before a worker starts.
    const file = tokenizer === undefined ? undefined : absolute(tokenizer);
    const path = absolute(model);
    const identity = identityOf(path, file);
    const source: TokenizerSource = { model: path, tokenizer: file, identity, mark: MARK };
    const lanes: Lanes = new WorkerLanes({
      script: join(__dirname, '..', '..', 'dist', 'text', 'tokenizer-worker.js'),
      worker: { workerData: source },
      deadlineMs: DEADLINE_MS,
      overdue,
      died,
    });
    try {
      const opened = (await lanes.first.run({ kind: 'open' }, signal)) as Opened;
      for (const warning of opened.warnings) warn(path, warning);
      return new TokenizerThread(lanes, opened);
    } catch (error) {
      await lanes.dispose();
      throw error;
    }
  }

  async encode(text: string, options: EncodeOptions, signal?: AbortSignal): Promise<Int32Array> {
    const job = { kind: 'encode', text, options } as const;
    return (await this.#lanes.run(job, text.length, signal)) as Int32Array;
  }

  /** Breaks names of special tokens in texts. */
  async protect(texts: string[], signal?: AbortSignal): Promise<ProtectedText[]> {
    const answer = await this.#lanes.run({ kind: 'protect', texts }, totalLength(texts), signal);
    return answer as ProtectedText[];
  }

  /** The number of names of special tokens in each text. */
  async count(texts: string[], signal?: AbortSignal): Promise<number[]> {
    const answer = await this.#lanes.run({ kind: 'count', texts }, totalLength(texts), signal);
    return answer as number[];
  }

  /** Blocks this thread while it tokenizes the text. */
  encodeNow(text: string, options: EncodeOptions): Int32Array {
    return this.#lanes.first.runNow({ kind: 'encode', text, options }) as Int32Array;
  }

  /** The tokens whose text contains one of `texts`, ascending. */
  tokensWith(texts: readonly string[]): Promise<Int32Array> {
    return this.#found.get(
      JSON.stringify(texts),
      () => this.#lanes.first.run({ kind: 'tokensWith', texts }) as Promise<Int32Array>,
    );
  }

  dispose(): Promise<void> {
    return this.#lanes.dispose();
  }
}

function warn(model: string, warning: string): void {
  process.emitWarning(`'${model}': ${warning}`, {
    type: 'CachalotWarning',
    code: 'tokenizer_guessed',
  });
}

function died({ message }: Error): CachalotError {
  return new CachalotError('internal', `the tokenizer's worker failed: ${message}`);
}

function overdue(): CachalotError {
  return new CachalotError(
    'tokenizer_timeout',
    `a text was not tokenized within ${DEADLINE_MS / 1000} s; the model's tokenizer is probably broken or hostile`,
  );
}
