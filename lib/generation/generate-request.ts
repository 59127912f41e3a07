/** Builds the request of a generation from its options and the model's tokenizer. */
import { checkIds } from '../checks/check-options.js';
import type { Prompt } from '../engine/engine-parts.js';
import type { Content } from '../layout/layout.js';
import { nativeText } from '../layout/native-preambles.js';
import type { NativeDraft, NativeDraftContext, NativeGrammar, NativeSampling } from '../native.js';
import { resolveDraftContext } from '../options/draft-context.js';
import { nativeDraft } from '../options/draft-options.js';
import type { ResolvedOptions } from '../options/generate-options.js';
import { refuseParts, scheduleOf } from '../options/edit-schedule.js';
import { dryBreakers, resolveSampling } from '../options/sampling-options.js';
import { newRequest } from '../request/request.js';
import type { EngineRequest } from '../request/request.js';
import type { GenerationSource } from './generation-source.js';
import { retrieveTokens } from './retrieve-tokens.js';

type Source = Omit<GenerationSource, 'prompt'>;

/** `created`: when the generation was started, by the clock of `performance`. */
export async function generateRequest(
  source: Source,
  { content, edits: before, gap = '' }: Prompt,
  options: ResolvedOptions,
  created: number,
): Promise<EngineRequest> {
  const sampling = await samplingOf(source, options);
  const { contextLength, vocabulary, draftContextLength } = source.core.native.description();
  const draft = await draftOf(source, options);
  const grammar = await grammarOf(source, options, gap);
  const { tokens, preambles } = nativeText(content);
  if (preambles) refuseParts(options.compress);
  return newRequest({
    kind: 'generate',
    namespace: source.namespace,
    tokens,
    ...(preambles && { preambles }),
    maxTokens: options.maxTokens,
    sampling,
    ...(draft && { draft }),
    ...draftContextOf(options, content, { vocabulary, draftContextLength }),
    ...(grammar && { grammar }),
    stopTokens: stopTokensOf(source, options),
    priority: options.priority,
    deadlineMs: remainingMs(options, created),
    ...scheduleOf({
      compress: options.compress,
      before,
      at: tokens.length,
      end: Math.min(contextLength, tokens.length + options.maxTokens),
      contextLength,
    }),
    batch: source.place?.batch ?? 0,
    batchRank: source.place?.rank ?? 0,
  });
}

async function samplingOf(
  { core, tokensWith, completion = 0 }: Source,
  { sampling }: ResolvedOptions,
): Promise<NativeSampling> {
  const breakers = dryBreakers(sampling);
  const tokens = breakers && (await tokensWith(breakers));
  const { vocabulary } = core.native.description();
  return { ...resolveSampling(sampling, tokens, vocabulary), completion };
}

function grammarOf(
  { grammars }: Source,
  { regex, grammar, schema }: ResolvedOptions,
  gap: string,
): Promise<NativeGrammar> | undefined {
  if (schema) return grammars.schema(schema.json);
  if (grammar !== undefined) return grammars.grammar(grammar, gap);
  return regex === undefined ? undefined : grammars.regex(regex, gap);
}

/** An expected text is guessed even if nothing else is. */
async function draftOf(
  { drafting }: Source,
  { draft = drafting.byDefault, prediction = '' }: ResolvedOptions,
): Promise<NativeDraft | undefined> {
  if (prediction === '') return nativeDraft(draft);
  const given = draft === false ? { lookup: false, recycle: false } : draft;
  return nativeDraft(given, await drafting.encode(prediction));
}

/** What a drafter reads in place of the prompt and of the contexts before it. */
function draftContextOf(
  { draftContext }: ResolvedOptions,
  { base, ids }: Content,
  { vocabulary, draftContextLength = 0 }: { vocabulary: number; draftContextLength?: number },
): { draftContext?: NativeDraftContext } {
  if (!draftContext) return {};
  const most = Math.max(8, Math.floor(draftContextLength / 2)); // the answer needs room, too
  const { tokens = Math.min(512, most), prompt, factor } = resolveDraftContext(draftContext);
  if (prompt) {
    checkIds('draftContext.prompt', prompt, vocabulary);
    return { draftContext: { tokens: prompt, factor } };
  }
  const before = base.parts.map(({ text, first, end }) => text.ids.subarray(first, end));
  const all = Int32Array.from([...before, ids].flatMap((part) => [...part]));
  return { draftContext: { tokens: retrieveTokens(all, tokens), factor } };
}

/** A stop string that is a special token's name never occurs in text: the token itself stops the answer. */
function stopTokensOf(
  { core, tokenizer }: Source,
  { ignoreEos, stop, stopTokens }: ResolvedOptions,
): Int32Array {
  checkIds('stopTokens', stopTokens, core.native.description().vocabulary);
  const named = stop.flatMap((name) => tokenizer.specialId(name) ?? []);
  const own = ignoreEos ? [] : tokenizer.stopTokens;
  return Int32Array.from([...own, ...named, ...stopTokens]);
}

/** Milliseconds left of the deadline after the prompt has become tokens; 0: no deadline. */
function remainingMs({ deadlineMs }: ResolvedOptions, created: number): number {
  if (deadlineMs === 0) return 0;
  return Math.max(1, Math.round(deadlineMs - (performance.now() - created)));
}
