/** What a generation asks of the engine, out of its options and what the model's tokenizer knows. */
import { checkIds } from '../checks/check-options.js';
import type { NativeSampling } from '../native.js';
import type { ResolvedOptions } from '../options/generate-options.js';
import { dryBreakers, resolveSampling } from '../options/sampling-options.js';
import { newRequest } from '../request/request.js';
import type { EngineRequest } from '../request/request.js';
import type { GenerationSource } from './generation-source.js';

type Source = Omit<GenerationSource, 'prompt'>;

/** `created`: when the generation was asked for, by the clock of `performance`. */
export async function generateRequest(
  source: Source,
  tokens: Int32Array,
  options: ResolvedOptions,
  created: number,
): Promise<EngineRequest> {
  const sampling = await samplingOf(source, options);
  return newRequest({
    kind: 'generate',
    namespace: source.namespace,
    tokens,
    maxTokens: options.maxTokens,
    sampling,
    stopTokens: stopTokensOf(source, options),
    priority: options.priority,
    deadlineMs: remainingMs(options, created),
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

/** A stop string that is a special token's name is never part of a text: that token stops. */
function stopTokensOf(
  { core, tokenizer }: Source,
  { ignoreEos, stop, stopTokens }: ResolvedOptions,
): Int32Array {
  checkIds('stopTokens', stopTokens, core.native.description().vocabulary);
  const named = stop.flatMap((name) => tokenizer.specialId(name) ?? []);
  const own = ignoreEos ? [] : tokenizer.stopTokens;
  return Int32Array.from([...own, ...named, ...stopTokens]);
}

/** Of the deadline, once the prompt has become tokens; 0: none. */
function remainingMs({ deadlineMs }: ResolvedOptions, created: number): number {
  if (deadlineMs === 0) return 0;
  return Math.max(1, Math.round(deadlineMs - (performance.now() - created)));
}
