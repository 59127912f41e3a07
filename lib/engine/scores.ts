/** Log-probabilities and logits of given tokens. What comes before the first of them is read from the cache where it is there. */
import {
  checkOptions,
  integerIn,
  isBoolean,
  isIntegerList,
  isName,
  isSignal,
  isString,
  ownOnly,
  readList,
  reading,
} from '../checks/check-options.js';
import { abortError, invalidArgument, withOurErrors } from '../errors.js';
import { native } from '../native.js';
import type { NativeFinish } from '../native.js';
import { isCompression, kvUsage } from '../options/compress-options.js';
import type { Compression, KvUsage, ReadCompression } from '../options/compress-options.js';
import { mostTokensOf, refuseParts, scheduleOf } from '../options/edit-schedule.js';
import { either } from '../signals/abort.js';
import { NONE, continued } from './engine-parts.js';
import type { Before, EngineParts } from './engine-parts.js';
import { evaluate, firstRow } from './evaluate.js';
import type { Evaluation } from './evaluate.js';
import { contextChecks, givenContext } from './given-context.js';
import type { ContextChoice, GivenContext } from './given-context.js';

/** What is evaluated: a text, or token ids. */
export type ScoreInput = string | readonly number[];

interface EvaluateOptions extends ContextChoice {
  /** Text or token ids between the context and the input; nothing of it is scored. */
  prefix?: ScoreInput | undefined;
  /** Whether names of special tokens in a text mean those tokens. Default false. */
  specialTokens?: boolean | undefined;
  /** Reads fewer keys and values than there are; see docs/engine.md. */
  compress?: Compression | undefined;
  /** Part of the key under which the cache finds the input. Default: the context's, or the engine's. */
  namespace?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface ScoreOptions extends EvaluateOptions {
  /** Index in the input of the first token that is scored. Default: 0 after a context or a prefix, otherwise 1, since the first token has none before it (after several contexts, none whose row is computed). */
  from?: number | undefined;
}

export interface LogitsOptions extends EvaluateOptions {
  /** Indices in the input, ascending: the logits after these tokens. Default: after the last one. */
  rows?: readonly number[] | undefined;
}

/** One input of several, with options of its own. */
export interface ScoreItem extends Pick<ScoreOptions, 'context' | 'combine' | 'prefix' | 'from'> {
  text?: string | undefined;
  /** Token ids, instead of `text`. */
  tokens?: readonly number[] | undefined;
}

export interface Score {
  /** The input's tokens. A text with nothing before it begins with the model's first token. */
  tokens: number[];
  /** Index of the first token that was scored. */
  from: number;
  /** `logprobs[i]` is the natural logarithm of the probability of `tokens[from + i]`, given all before it. */
  logprobs: number[];
  /** exp(-mean of `logprobs`). */
  perplexity: number;
  usage: ScoreUsage;
}

export interface ScoreUsage {
  /** The context's and the input's. The last one is not computed. */
  promptTokens: number;
  /** Tokens whose keys and values were found in the cache. */
  cachedTokens: number;
  /** Tokens whose keys and values are read where they were not computed. Absent: none. */
  movedTokens?: number;
  kv?: KvUsage;
}

const readInput = (name: string, value: unknown): string | Int32Array =>
  typeof value === 'string' ? value : isIntegerList(name, value);

const CHECKS = {
  ...contextChecks,
  prefix: readInput,
  specialTokens: isBoolean,
  compress: isCompression,
  namespace: isName,
  signal: isSignal,
};
const isIndex = integerIn(0, 2 ** 24);

/** An input, after what comes before it. */
interface Prepared extends Before {
  /** How many tokens of the content are the input's: the last ones. */
  own: Int32Array;
  given: GivenContext | undefined;
}

const nBefore = ({ content, own }: Prepared) => content.ids.length - own.length;

export async function score(
  engine: EngineParts,
  input: ScoreInput,
  options: ScoreOptions,
): Promise<Score> {
  const checked = checkOptions(options, { ...CHECKS, from: isIndex });
  const prepared = await prepare(engine, readInput('input', input), checked);
  const where = engine.namespaceOf(checked.namespace, prepared.given);
  return scored(engine, where, { ...prepared, from: firstOf(prepared, checked) }, checked);
}

export async function logits(
  engine: EngineParts,
  input: ScoreInput,
  options: LogitsOptions,
): Promise<Float32Array[]> {
  const checked = checkOptions(options, { ...CHECKS, rows: isIntegerList });
  const prepared = await prepare(engine, readInput('input', input), checked);
  const { content, own } = prepared;
  const rows = Int32Array.from(checked.rows ?? [own.length - 1]);
  for (const row of rows) integerIn(0, own.length - 1)('rows', row);
  const namespace = engine.namespaceOf(checked.namespace, prepared.given);
  const edits = [...prepared.edits];
  const wanted = rows.map((row) => nBefore(prepared) + row);
  const asked = { kind: 'logits', content, edits, rows: wanted } as const;
  const { values } = await run(engine, namespace, asked, checked);
  const width = values.length / rows.length;
  return Array.from(rows, (_, i) => values.subarray(i * width, (i + 1) * width));
}

/** How many requests the engine holds at once. */
const IN_FLIGHT = 256;

/** In the order of their common prefixes; the scores are in the order of the items. */
export async function scoreAll(
  engine: EngineParts,
  items: readonly (ScoreInput | ScoreItem)[],
  options: ScoreOptions,
): Promise<Score[]> {
  const shared = checkOptions(options, { ...CHECKS, from: isIndex });
  const read = readList('items', items, 'an array of texts, token ids or items', readItem);
  if (read.length === 0) return [];
  const wanted = read.map(({ input, ...own }) => {
    const chosen = own.context === undefined ? {} : { combine: undefined };
    return { input, options: { ...shared, ...chosen, ...ownOnly(own) } };
  });
  const prepared: (Prepared & { from: number })[] = [];
  for (const { input, options } of wanted) {
    const one = await prepare(engine, input, options);
    prepared.push({ ...one, from: firstOf(one, options) });
  }
  const places = prepared.map(({ given }) => engine.namespaceOf(shared.namespace, given));
  const other = places.find((name) => name !== places[0]);
  if (other !== undefined) throw invalidArgument('items', 'contexts of one namespace', other);
  const run = (index: number, place: Place, signal: AbortSignal) =>
    scored(engine, places[index]!, prepared[index]!, { ...shared, signal }, place);
  return inOrder(
    engine,
    prepared.map(({ content }) => content.ids),
    shared.signal,
    run,
  );
}

/** Runs requests in an order in which those with common prefixes follow one another. The first error ends all. */
async function inOrder<T>(
  engine: EngineParts,
  prompts: readonly Int32Array[],
  given: AbortSignal | undefined,
  run: (index: number, place: Place, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const orderer = withOurErrors(new (native().PromptOrderer)());
  for (const tokens of prompts) orderer.add(tokens, 0);
  const { order, sharedWithNext } = await orderer.order();
  const batch = engine.core.beginBatch(sharedWithNext);
  const failed = new AbortController();
  const { signal = failed.signal, release } = either(given, failed.signal);
  const results = new Array<T>(prompts.length);
  const errors: unknown[] = [];
  let next = 0;
  const worker = async () => {
    for (let rank = next++; rank < order.length; rank = next++) {
      try {
        if (signal.aborted) throw abortError(signal);
        results[order[rank]!] = await run(order[rank]!, { batch, batchRank: rank }, signal);
      } catch (error) {
        engine.core.skipBatchItem({ batch, rank });
        errors.push(error);
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, order.length) }, worker));
  release();
  if (errors.length > 0) throw errors[0];
  return results;
}

type Place = Required<Pick<Evaluation, 'batch' | 'batchRank'>>;

async function scored(
  engine: EngineParts,
  namespace: string,
  prepared: Prepared & { from: number },
  options: Checked,
  place?: Place,
): Promise<Score> {
  const { content, own, edits, from } = prepared;
  const asked = { kind: 'score', content, from: nBefore(prepared) + from, ...place } as const;
  const edited = { ...asked, edits: [...edits] };
  const finish = await run(engine, namespace, edited, options);
  const { values, promptTokens, cachedTokens, movedTokens, kv } = finish;
  const compress = options.compress as ReadCompression | undefined; // as its check returned it
  return {
    tokens: Array.from(own),
    from,
    logprobs: Array.from(values),
    perplexity: Math.exp(-values.reduce((sum, value) => sum + value, 0) / values.length),
    usage: {
      promptTokens,
      cachedTokens,
      ...(movedTokens > 0 ? { movedTokens } : {}),
      ...(compress || edits.length > 0 ? { kv: kvUsage(kv, kv.of, compress?.window) } : {}),
    },
  };
}

/** The first token that is scored. */
function firstOf(prepared: Prepared, { from }: Pick<ScoreOptions, 'from'>): number {
  const { own, edits } = prepared;
  // What an edit has left is read by the rows after it only.
  const least = nBefore(prepared) > (edits.at(-1)?.index ?? 0) ? 0 : 1;
  if (own.length <= least)
    throw invalidArgument('input', `at least ${least + 1} tokens`, Array.from(own));
  return integerIn(least, own.length - 1)('from', from ?? least);
}

type Checked = Readonly<EvaluateOptions>;

function run(
  engine: EngineParts,
  namespace: string,
  asked: Evaluation,
  { compress, signal }: Checked,
): Promise<NativeFinish> {
  const { core } = engine;
  const { contextLength } = core.native.description();
  const at = firstRow(asked);
  const how = compress as ReadCompression | undefined; // as its check returned it
  if (asked.content.base.end > 0 || asked.content.parts.length > 0) refuseParts(how);
  const before = asked.edits ?? [];
  const schedule = scheduleOf({ compress: how, before, at, end: at, contextLength });
  return evaluate({ core, namespace }, { ...asked, ...schedule }, signal);
}

async function prepare(
  engine: EngineParts,
  input: string | Int32Array,
  { context, combine, prefix, compress, specialTokens: special = false, signal }: Checked,
): Promise<Prepared> {
  const { contextLength } = engine.core.native.description();
  const most = mostTokensOf(compress as ReadCompression | undefined, contextLength); // as its check returned it
  const given = givenContext({ context, combine });
  let before = engine.before(given);
  const encode = (text: string | Int32Array) => {
    if (typeof text !== 'string') return text;
    const continues = before !== undefined;
    return engine.encode(text, { bos: !continues, continues, special }, signal, most);
  };
  // As its check returned it.
  if (prefix !== undefined) before = continued(before, await encode(prefix as string | Int32Array));
  const own = await encode(input);
  return { ...continued(before ?? NONE, own), own, given };
}

type ReadItem = Omit<ScoreItem, 'text' | 'tokens'> & { input: string | Int32Array };

function readItem(item: unknown, index: number): ReadItem {
  return reading(`items[${index}]`, () => {
    const isInput = typeof item === 'string' || Array.isArray(item) || ArrayBuffer.isView(item);
    if (isInput) return { input: readInput(`items[${index}]`, item) };
    const { prefix } = CHECKS;
    const what = { text: isString, tokens: isIntegerList };
    const checks = { ...what, ...contextChecks, prefix, from: isIndex };
    const { text, tokens, ...own } = checkOptions(item as ScoreItem, checks, `items[${index}].`);
    if ((text === undefined) === (tokens === undefined))
      throw invalidArgument(`items[${index}]`, 'either `text` or `tokens`', text ?? tokens);
    return { input: text ?? Int32Array.from(tokens!), ...own };
  });
}
