/** What sampling options do to a distribution, plainly: full sorts, whole scans, float64. */
import type { NativeSampling } from '../../lib/native.js';
import type { SampleRow } from '../testing/ops.js';

const { abs, exp, fround, log } = Math; // looking up a global costs much under jest

export function applyEdits(logits: ArrayLike<number>, edits: SampleRow['edits'] = []): number[] {
  const out = Array.from(logits);
  const total = out.reduce((sum, logit) => sum + exp(logit), 0);
  for (const { token, repetition = 1, add = 0, pull = 0 } of edits) {
    const logit = out[token]!;
    const own = exp(logit) / total;
    out[token] = (logit > 0 ? logit / repetition : logit * repetition) + add - pull * own;
  }
  return out;
}

/** Probabilities with which tokens are drawn, after all filters. */
export function distribution(logits: ArrayLike<number>, row: SampleRow): number[] {
  const { temperature = 1, topK = 0, typicalP = 1, topP = 1, minP = 0 } = row;
  const edited = applyEdits(logits, row.edits).map((logit, token) =>
    row.allowed?.includes(token) === false ? -Infinity : logit,
  );
  const max = edited.reduce((a, b) => Math.max(a, b));
  let alive = edited.map((logit, token) => ({
    token,
    logit,
    p: exp((logit - max) / temperature),
  }));
  const normalize = () => {
    const total = alive.reduce((sum, { p }) => sum + p, 0);
    for (const one of alive) one.p /= total;
  };
  const byLikelihood = () => alive.sort((a, b) => b.logit - a.logit || a.token - b.token);
  const keepMass = (mass: number) => {
    let sum = 0;
    const count = alive.findIndex(({ p }) => (sum += p) >= mass);
    if (count >= 0) alive = alive.slice(0, count + 1);
  };
  normalize();
  if (topK > 0) {
    byLikelihood();
    alive = alive.slice(0, topK);
    normalize();
  }
  if (typicalP < 1) {
    byLikelihood();
    const entropy = -alive.reduce((sum, { p }) => sum + (p > 0 ? p * log(p) : 0), 0);
    alive.sort((a, b) => abs(-log(a.p) - entropy) - abs(-log(b.p) - entropy));
    keepMass(typicalP);
    normalize();
  }
  if (topP < 1) {
    byLikelihood();
    keepMass(topP);
    normalize();
  }
  if (minP > 0) {
    const largest = Math.max(...alive.map(({ p }) => p));
    alive = alive.filter(({ p }) => p >= minP * largest);
    normalize();
  }
  const out = edited.map(() => 0);
  for (const { token, p } of alive) out[token] = p;
  return out;
}

/** Edits that penalties, DRY and bias make, by token. */
export function edits(options: NativeSampling, tokens: number[], prompt: number) {
  const { repetitionPenalty, frequencyPenalty, presencePenalty, penaltyWindow } = options;
  const recent = (window: number) => (window === 0 ? tokens : tokens.slice(-window));
  const list = new Map<number, { token: number; repetition: number; add: number }>();
  const at = (token: number) => {
    if (!list.has(token)) list.set(token, { token, repetition: 1, add: 0 });
    return list.get(token)!;
  };
  const seen = recent(penaltyWindow);
  const answer = tokens.slice(prompt).slice(-seen.length);
  if (repetitionPenalty !== 1)
    for (const token of seen) at(token).repetition = fround(repetitionPenalty);
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const token of new Set(answer)) {
      const count = answer.filter((other) => other === token).length;
      at(token).add -= presencePenalty + frequencyPenalty * count;
    }
  }
  if (options.dryMultiplier > 0) {
    const text = recent(options.dryWindow);
    const breakers = new Set(options.dryBreakers);
    const worst = new Map<number, number>();
    for (let end = 1; end < text.length; end++) {
      // How many tokens before `end` equal those at the end of the text.
      let length = 0;
      while (
        length < end &&
        text[end - 1 - length] === text[text.length - 1 - length] &&
        !breakers.has(text[end - 1 - length]!)
      )
        length++;
      if (length > 0 && length >= options.dryAllowedLength)
        worst.set(text[end]!, Math.max(worst.get(text[end]!) ?? 0, length));
    }
    for (const [token, length] of worst)
      at(token).add -=
        options.dryMultiplier * options.dryBase ** (length - options.dryAllowedLength);
  }
  options.biasTokens.forEach((token, i) => (at(token).add += options.biasValues[i]!));
  return [...list.values()].sort((a, b) => a.token - b.token);
}
