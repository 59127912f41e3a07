/** The result of a generation. */
import type { NativeFinish } from '../native.js';
import type { DraftContextUsage } from '../options/draft-context.js';
import { kvUsage } from '../options/compress-options.js';
import type { KvUsage, SequenceWindow } from '../options/compress-options.js';
import type { FinishReason } from '../request/finish.js';
import type { Answer, GeneratedToken } from './answer.js';

/** What a generation took. A `type`, so that it is JSON to TypeScript: other libraries have a place for such. */
export type Usage = {
  promptTokens: number;
  /** Tokens of the prompt whose keys and values were found in the cache. */
  cachedTokens: number;
  completionTokens: number;
  /** Tokens of the prompt whose keys and values are read where they were not computed: moved by a revision, or of contexts that stand together. Absent: none. */
  movedTokens?: number;
  /** Of a request with `compress`, or on a compressed context: how many keys of how many are left at the end, and their bytes. */
  kv?: KvUsage;
  /** Tokens that were guessed and tried, those that were right, and the steps that were not needed for these. Absent: none was tried. */
  draft?: DraftUsage;
  /** Of a request with `draftContext`: the tokens that its drafter has read in place of the prompt, and how far the answer follows it. */
  draftContext?: DraftContextUsage;
};

/** What guesses (the option `draft`) have come to. */
export type DraftUsage = { proposed: number; accepted: number; stepsSaved: number };

export interface Timings {
  /** From submission to the first step. */
  queuedMs: number;
  /** From the first step to the first token. */
  prefillMs: number;
  /** From the first token to the last. */
  decodeMs: number;
}

export interface GenerationResult {
  text: string;
  /** All generated ids, the one that stopped the model included. */
  tokens: number[];
  finishReason: FinishReason;
  /** Of a request with `schema`: the value that the answer is. Absent if the answer was not finished. */
  object?: unknown;
  /** Of a request with `schema` whose answer was not finished: what there is of its value. */
  partialObject?: unknown;
  usage: Usage;
  timings: Timings;
  /** Sum of the log-probabilities of the generated tokens. */
  logprob: number;
  /** Of each token, if `topLogprobs` is given; with 0, only those of the generated tokens. */
  logprobs?: GeneratedToken[];
  /** Whether the template has no place for a system message, so that its text stands at the beginning of the first user message. */
  systemMerged?: true;
}

/** A right guess is a token without a step of its own. */
const draftUsage = ({ proposed, accepted }: NativeFinish['draft']): DraftUsage => ({
  proposed,
  accepted,
  stepsSaved: accepted,
});

/** `finish` is undefined if no request was submitted to the engine. */
export function summarize(
  answer: Answer,
  finish: NativeFinish | undefined,
  how: {
    hasLeft: boolean;
    systemMerged: boolean;
    wantsLogprobs: boolean;
    /** Whether it reads fewer keys than there are tokens. */
    isCompressed: boolean;
    window: SequenceWindow | undefined;
    draftContext: DraftContextUsage | undefined;
    /** Of a request with `schema`. */
    value: { object: unknown } | { partialObject: unknown } | undefined;
  },
): GenerationResult {
  const { text, tokens } = answer;
  const reason = answer.isStopped ? 'stop' : finish?.reason;
  const promptTokens = finish?.promptTokens ?? 0;
  const read = promptTokens + Math.max(0, tokens.length - 1); // the last token was not read
  const ended = !how.hasLeft && (reason === 'stop' || reason === 'length');
  return {
    text,
    tokens: tokens.map(({ id }) => id),
    finishReason: ended ? reason : 'aborted',
    ...how.value,
    usage: {
      promptTokens,
      cachedTokens: finish?.cachedTokens ?? 0,
      completionTokens: tokens.length,
      ...(finish && finish.movedTokens > 0 ? { movedTokens: finish.movedTokens } : {}),
      ...(finish && finish.draft.proposed > 0 ? { draft: draftUsage(finish.draft) } : {}),
      ...(how.draftContext ? { draftContext: how.draftContext } : {}),
      ...(how.isCompressed && finish ? { kv: kvUsage(finish.kv, read, how.window) } : {}),
    },
    timings: {
      queuedMs: finish?.queuedMs ?? 0,
      prefillMs: finish?.prefillMs ?? 0,
      decodeMs: finish?.decodeMs ?? 0,
    },
    logprob: tokens.reduce((sum, { logprob }) => sum + logprob, 0),
    ...(how.wantsLogprobs ? { logprobs: [...tokens] } : {}),
    ...(how.systemMerged ? { systemMerged: true } : {}),
  };
}
