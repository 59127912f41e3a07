/** The speed of a generation, for people and for programs. */
import type { GenerationResult } from '../generation/generation-result.js';

export interface Speed {
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
}

export function speedOf({ tokens, usage, timings }: GenerationResult): Speed {
  const perSecond = (count: number, ms: number) => (ms > 0 ? (1000 * count) / ms : 0);
  return {
    prefillTokensPerSecond: perSecond(usage.promptTokens - usage.cachedTokens, timings.prefillMs),
    decodeTokensPerSecond: perSecond(tokens.length - 1, timings.decodeMs), // the first token ends the prefill
  };
}

export function describeSpeed(result: GenerationResult): string {
  const { promptTokens, cachedTokens, draft } = result.usage;
  const { prefillTokensPerSecond, decodeTokensPerSecond } = speedOf(result);
  return (
    `prompt ${promptTokens} tokens (${cachedTokens} cached) at ${prefillTokensPerSecond.toFixed(1)}/s; ` +
    `answer ${result.tokens.length} tokens at ${decodeTokensPerSecond.toFixed(1)}/s` +
    (draft ? `; ${draft.accepted} of ${draft.proposed} guesses right` : '')
  );
}
