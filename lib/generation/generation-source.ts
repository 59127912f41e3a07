/** What a generation needs from the engine. */
import type { EngineCore } from '../engine/engine-core.js';
import type { Prompt } from '../engine/engine-parts.js';
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
  /** The tokens in whose text one of some strings is. */
  tokensWith: (texts: readonly string[]) => Promise<Int32Array>;
  namespace: string;
  /** Which of several completions of the same prompt this is: its draws are its own. Default 0. */
  completion?: number | undefined;
  /** Its place in a batch that the engine knows of. */
  place?: BatchPlace | undefined;
  /** Of the batch; the request's own is in its options. */
  signal?: AbortSignal | undefined;
  /** May take a while (templates). */
  prompt: () => Promise<Prompt> | Prompt;
  /** Ids of text that goes on from other text: given where `said` is asked for. */
  encodeRest?: (text: string) => Promise<Int32Array>;
}
