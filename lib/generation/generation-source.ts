/** What a generation needs from the engine. */
import type { EngineCore } from '../engine/engine-core.js';
import type { Prompt } from '../engine/engine-parts.js';
import type { Grammars } from '../engine/grammars.js';
import type { Draft } from '../options/draft-options.js';
import type { RequestKind } from '../request/request-events.js';
import type { TokenTable } from '../text/token-table.js';

export interface BatchPlace {
  batch: number;
  rank: number;
}

export interface GenerationSource {
  kind: RequestKind;
  core: EngineCore;
  tokenizer: TokenTable;
  /** The tokens whose text contains one of some strings. */
  tokensWith: (texts: readonly string[]) => Promise<Int32Array>;
  /** What is guessed unless a request says otherwise, and the ids of text that is expected. */
  drafting: { byDefault: Draft; encode: (text: string) => Promise<Int32Array> };
  /** What answers have to match. */
  grammars: Grammars;
  namespace: string;
  /** Which of several completions of the same prompt this is. Each completion has its own draws. Default 0. */
  completion?: number | undefined;
  /** Its place in a batch that was announced to the engine. */
  place?: BatchPlace | undefined;
  /** The batch's signal; the request's own signal is in its options. */
  signal?: AbortSignal | undefined;
  /** May take a while (chat templates). */
  prompt: () => Promise<Prompt> | Prompt;
  /** Ids of text that continues other text. Given where `said` is used. */
  encodeRest?: (text: string) => Promise<Int32Array>;
}
