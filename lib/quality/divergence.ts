/**
 * Evidence beside the full engine: how far a setting's next-token distributions are from the baseline's on ordinary text (Kullback-
 * Leibler divergence in nats, and whether the likeliest token is the same), its perplexity, and how long greedy answers stay the same.
 */
import type { Engine } from '../engine.js';
import { arranged } from './arranged.js';
import type { Setting } from './settings.js';

/** Sums over the rows of one part of a passage. */
export interface RowSums {
  rows: number;
  /** Of the divergences of the setting from the baseline. */
  kl: number;
  /** Rows whose likeliest token is the baseline's. */
  agree: number;
  /** Of -log p of the text's next token. */
  nll: number;
}

export interface DivergenceRecord {
  setting: string;
  passage: number;
  /** A passage in equal parts, from its beginning to its end. */
  parts: RowSums[];
  /** Index of the first token of a greedy continuation that differs from the baseline's; null: none does. */
  differsAt: number | null;
  /** Tokens of the continuation. */
  continued: number;
}

/** Of a passage. */
export const PARTS = 4;
/** Rows whose logits are held at once, of both engines. */
const ROWS = 64;
const CONTINUED = 48;

/** The text's first tokens say little of what comes next, and are left out. */
const FIRST = 32;

/** The baseline diverges from itself by nothing: its record holds its perplexity. `other` may be the same engine. */
export async function compareOn(
  ids: readonly number[],
  passage: number,
  baseline: Engine,
  { setting, engine }: { setting: Setting; engine: Engine },
  signal: AbortSignal,
): Promise<DivergenceRecord> {
  const options = { ...(setting.compress ? { compress: setting.compress } : {}), signal };
  const asked = await arranged(engine, ids, Math.floor(ids.length / 2), setting);
  const { ids: own, ...contexts } = asked;
  const nBefore = ids.length - own.length; // tokens of contexts: their rows are not asked for
  const begin = Math.max(FIRST, nBefore);
  const parts = Array.from({ length: PARTS }, () => ({ rows: 0, kl: 0, agree: 0, nll: 0 }));
  const last = ids.length - 1;
  for (let first = begin; first < last; first += ROWS) {
    const rows = Array.from({ length: Math.min(ROWS, last - first) }, (_, i) => first + i);
    const wanted = await baseline.logits(ids, { rows, signal });
    const ownRows = rows.map((row) => row - nBefore);
    const given = await engine.logits(own, { rows: ownRows, ...contexts, ...options });
    for (const [i, row] of rows.entries()) {
      const part = parts[Math.floor((PARTS * (row - begin)) / (last - begin))]!;
      addRow(part, wanted[i]!, given[i]!, ids[row + 1]!);
    }
  }
  const greedy = { maxTokens: CONTINUED, ignoreEos: true };
  const expected = (await baseline.completeTokens(ids, { ...greedy, signal }).result).tokens;
  const { tokens } = await engine.completeTokens(own, { ...greedy, ...contexts, ...options })
    .result;
  const at = expected.findIndex((token, i) => tokens[i] !== token);
  const differsAt = at < 0 ? null : at;
  return { setting: setting.name, passage, parts, differsAt, continued: expected.length };
}

function addRow(sums: RowSums, wanted: Float32Array, given: Float32Array, next: number): void {
  const p = logSum(wanted);
  const q = logSum(given);
  let kl = 0;
  for (let i = 0; i < wanted.length; i++) {
    const logP = wanted[i]! - p.log;
    if (logP > -50) kl += Math.exp(logP) * (logP - (given[i]! - q.log));
  }
  sums.rows++;
  sums.kl += Math.max(0, kl);
  sums.agree += p.likeliest === q.likeliest ? 1 : 0;
  sums.nll += q.log - given[next]!;
}

/** log of the sum of exponentials, and the index of the largest value. */
function logSum(row: Float32Array): { log: number; likeliest: number } {
  let likeliest = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[likeliest]!) likeliest = i;
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - row[likeliest]!);
  return { log: row[likeliest]! + Math.log(sum), likeliest };
}
