/** Evidence of tasks: a sample's questions are asked, and the answers judged. */
import type { Engine } from '../engine.js';
import type { Usage } from '../generation/generation-result.js';
import type { Compression } from '../options/compress-options.js';
import { arranged, commonTokens } from './arranged.js';
import { found } from './metrics.js';
import { MODES, answerTokens, promptsOf } from './prompts.js';
import type { Mode, Prompts } from './prompts.js';
import type { Setting } from './settings.js';
import type { Question, Sample } from './tasks/task.js';

/** One answer: how right it was, and what it cost. */
export interface AnswerRecord {
  setting: string;
  task: string;
  /** The length that was asked for, in tokens. */
  length: number;
  sample: number;
  mode: Mode;
  /** Of the question, from 0. A conversation's first turn is its first question alone. */
  turn: number;
  depth?: number;
  /** How many of the wanted words the answer held, and how many were wanted. */
  right: number;
  of: number;
  /** Tokens before the answer's last, and those whose keys its last token read. */
  tokens: number;
  kept: number;
  /** Bytes of keys and values of the context and what came after it: what the setting has added to the pool, and what it found there; or what a compression has left. */
  kvBytes: number;
  /** Rows of the prompt that were computed, and how long that took. */
  computed: number;
  prefillMs: number;
  generated: number;
  decodeMs: number;
}

export type SampleName = Pick<AnswerRecord, 'task' | 'length' | 'sample'>;

/** Every setting is asked the same ids. They share the engine, so they share the context that the first of them has computed. */
export async function askAll(
  engine: Engine,
  settings: readonly Setting[],
  { name, sample }: { name: SampleName; sample: Sample },
  signal: AbortSignal,
): Promise<AnswerRecord[]> {
  const prompts = await promptsOf(engine, sample);
  const nContext = commonTokens(prompts.requests);
  const records: AnswerRecord[] = [];
  engine.clearCache();
  let shared = 0; // bytes of the context as the first setting has computed it
  for (const [number, setting] of settings.entries()) {
    const before = number === 0 ? 0 : engine.stats().kvBytesInUse;
    for (const mode of MODES)
      for (const [i, ids] of prompts[mode].entries()) {
        const turn = mode === 'turns' ? i + 1 : i;
        const question = sample.questions[turn]!;
        const { ids: own, ...contexts } = await arranged(engine, ids, nContext, setting);
        const { text, usage, timings } = await engine.completeTokens(own, {
          ...contexts,
          maxTokens: answerTokens(engine, question),
          ...(engine.canChat || question.judge ? {} : { stop: '\n' }),
          ...(setting.compress
            ? { compress: inTurns(setting.compress, ids, earlierOf(prompts, mode, i)) }
            : {}),
          ...(setting.draftContext && { draftContext: setting.draftContext }),
          signal,
        }).result;
        const tokens = usage.promptTokens + usage.completionTokens - 1;
        const added = Math.max(0, engine.stats().kvBytesInUse - before);
        if (records.length === 0) shared = added;
        const inPool = kvInPool(setting, usage);
        const hasFound = number > 0 && usage.cachedTokens > usage.promptTokens / 2;
        records.push({
          setting: setting.name,
          ...name,
          mode,
          turn,
          ...(question.depth === undefined ? {} : { depth: question.depth }),
          ...judged(text, question),
          tokens,
          kept: usage.kv?.kept ?? tokens,
          kvBytes: inPool ?? added + (hasFound && turn === 0 && mode === 'requests' ? shared : 0),
          computed: usage.promptTokens - usage.cachedTokens,
          prefillMs: timings.prefillMs,
          generated: usage.completionTokens,
          decodeMs: timings.decodeMs,
        });
      }
  }
  return records;
}

/** What a compression has left; undefined where the pool has to tell. The plain context that others share is cache, and goes when there is need. */
function kvInPool({ compress }: Setting, { kv }: Usage): number | undefined {
  return compress && compress.policy !== 'window' ? kv?.bytes : undefined;
}

/** The prompts of the turns before one. */
function earlierOf(prompts: Prompts, mode: Mode, i: number): number[][] {
  return mode === 'requests' ? [] : [prompts.requests[0]!, ...prompts.turns.slice(0, i)];
}

/** As a session has it: the context was compressed at the end of each earlier turn's prompt. */
function inTurns(
  compress: Compression,
  ids: readonly number[],
  earlier: readonly (readonly number[])[],
): Compression {
  if (compress.policy === 'window' || earlier.length === 0) return compress;
  const common = earlier.map((prompt) => {
    const differs = prompt.findIndex((id, i) => ids[i] !== id);
    return differs < 0 ? prompt.length : differs;
  });
  const at = [...new Set(common)].filter((index) => index > 0).sort((a, b) => a - b);
  return { ...compress, at };
}

function judged(text: string, { judge, answers }: Question): { right: number; of: number } {
  return judge
    ? { right: judge(text), of: 1 }
    : { right: found(text, answers), of: answers.length };
}
