/** Runs the lines of `cachalot batch` and writes their answers. */
import type { BatchOptions, BatchResult, BatchStats } from '../batch/batch.js';
import type { Engine } from '../engine.js';
import { abortError } from '../errors.js';
import type { CachalotError, ErrorCode } from '../errors.js';
import type { GenerationResult } from '../generation/generation-result.js';
import { toRequests } from './batch-input.js';
import type { BatchSetting, InputLine } from './batch-input.js';
import type { BatchOutput } from './batch-output.js';
import { openAiOutcome } from './openai-answer.js';
import { progressBar } from './progress.js';

/** Errors that are not an item's own: such a failure ends the batch, and the item is asked again next time. */
const FATAL: readonly ErrorCode[] = [
  'internal',
  'disposed',
  'out_of_memory',
  'no_binary',
  'io',
  'model_changed',
  'model_not_found',
  'device_failed',
  'device_unavailable',
];

export interface Work {
  model: string;
  setting: BatchSetting;
  options: BatchOptions & { signal: AbortSignal };
  /** Whether the terminal is free for a progress bar. */
  isAlone: boolean;
}

export interface Done {
  stats: BatchStats;
  /** Lines that already had an answer. */
  already: number;
  failed: number;
}

/** Lines that have an answer are skipped. Throws errors that end the whole batch, and aborted. */
export async function answerAll(
  engine: Engine,
  lines: readonly InputLine[],
  output: BatchOutput,
  { model, setting, options, isAlone }: Work,
): Promise<Done> {
  const { signal } = options;
  const waiting = lines.filter(({ index }) => !output.done.has(index));
  const already = lines.length - waiting.length;
  tellOfModels(waiting, model);
  const requests = waiting.flatMap((line) =>
    toRequests(line, setting).map((request) => ({ line, request })),
  );
  const batch = engine.createBatch(
    requests.map(({ request }) => request),
    options,
  );
  const open = new Map<InputLine, BatchResult[]>(); // lines with some of their completions
  const done: Done = { stats: batch.stats, already, failed: output.failed.size };
  let finished = 0;
  const progress = progressBar(lines.length, already, isAlone);
  try {
    for await (const result of batch) {
      if (signal.aborted) break; // an item that ends now was cut off: it is left for the next run
      const { line } = requests[result.index]!;
      if (result.error && FATAL.includes(result.error.code)) throw result.error;
      const results = [...(open.get(line) ?? []), result];
      open.set(line, results);
      if (results.length < (line.asked?.n ?? 1)) continue;
      open.delete(line);
      results.sort((a, b) => a.index - b.index);
      const error = line.error ?? results.find((each) => each.error)?.error;
      if (error) done.failed++;
      const answers = error ? [] : (results as GenerationResult[]);
      output.write(line, outcomeOf(line, answers, error, { engine, model, output }));
      progress.show({ ...batch.stats, finished: ++finished });
    }
  } finally {
    progress.end();
  }
  if (signal.aborted) throw abortError(signal);
  return done;
}

function outcomeOf(
  line: InputLine,
  answers: readonly GenerationResult[],
  error: CachalotError | undefined,
  { engine, model, output }: { engine: Engine; model: string; output: BatchOutput },
): object {
  if (line.form === 'openai') {
    const request = `${output.keyOf(line)}_${line.index}`;
    const textOf = (token: number) => engine.detokenize([token]);
    const isChat = line.asked?.isChat ?? true;
    return openAiOutcome(answers, error, { request, model, isChat, textOf });
  }
  if (error) return { error: { code: error.code, message: error.message } };
  const { text, finishReason, usage, logprobs } = answers[0]!;
  return { text, finishReason, usage, ...(logprobs === undefined ? {} : { logprobs }) };
}

/** Bodies name models of some service; says on stderr that another model answers. */
function tellOfModels(lines: readonly InputLine[], model: string): void {
  const names = new Set(lines.flatMap(({ asked }) => asked?.model ?? []));
  names.delete(model);
  if (names.size === 0) return;
  const shown = [...names].slice(0, 3).map((name) => JSON.stringify(name));
  const more = names.size > shown.length ? ', ...' : '';
  process.stderr.write(`lines ask for ${shown.join(', ')}${more}; ${model} answers (-m)\n`);
}
