/**
 * Shortens a text to what a question needs of it, without training (LongCodeZip, arXiv 2510.00446): its paragraphs or functions are
 * ranked by how much likelier they make the question; then the best sentences or lines of the best ones are packed into the budget.
 * The order of the text is kept. Our choices: the first stage keeps three budgets' worth; pieces are sentences and lines.
 */
import { checkOptions, integerIn, isString } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import { gainsOf } from './rank.js';
import { RELEVANCE_CHECKS } from './scorer.js';
import type { RelevanceOptions, Scorer } from './scorer.js';
import { blocksOf, sentencesOf } from './sentences.js';

export interface CompressPromptOptions extends RelevanceOptions {
  /** What will be asked of the text. */
  question: string;
  /** The most tokens to keep. */
  budget: number;
}

export interface CompressedPrompt {
  text: string;
  /** Of the shorter text, and of the whole one. */
  tokens: number;
  fullTokens: number;
  /** The blocks of which something is kept, by their place in the text, and how relevant each is (see `rank`). */
  blocks: { index: number; gain: number }[];
}

const COARSE_BUDGETS = 3;

interface Piece {
  text: string;
  tokens: number;
  block: number;
  gain: number;
}

/**
 * @example
 * import { compressPrompt } from 'cachalot';
 * const question = 'How do I start it?';
 * const { text } = await compressPrompt(engine, longText, { question, budget: 100 });
 * const content = `${text}\n\n${question}`;
 * const answer = await engine.chat([{ role: 'user', content }], { maxTokens: 8 }).result;
 */
export async function compressPrompt(
  scorer: Scorer & { tokenize(text: string): number[] },
  text: string,
  options: CompressPromptOptions,
): Promise<CompressedPrompt> {
  const checks = { ...RELEVANCE_CHECKS, question: isString, budget: integerIn(1, 2 ** 24) };
  const { question, budget, signal } = checkOptions<Partial<CompressPromptOptions>>(
    options,
    checks,
  );
  if (question === undefined) throw invalidArgument('question', 'a string', question);
  if (budget === undefined) throw invalidArgument('budget', 'a number of tokens', budget);
  const blocks = blocksOf(isString('text', text));
  const count = (part: string) => scorer.tokenize(part).length;
  const sizes = blocks.map(count);
  const fullTokens = sizes.reduce((sum, size) => sum + size, 0);
  if (fullTokens <= budget || blocks.length === 0)
    return { text, tokens: fullTokens, fullTokens, blocks: [] };
  const gains = await gainsOf(scorer, question, blocks, signal);
  const chosen = best(gains, sizes, COARSE_BUDGETS * budget);
  const pieces = await piecesOf(scorer, question, { blocks, chosen, count }, signal);
  const kept = pack(pieces, budget);
  const used = [...new Set(kept.map(({ block }) => block))];
  return {
    text: textOf(kept),
    tokens: kept.reduce((sum, { tokens }) => sum + tokens, 0),
    fullTokens,
    blocks: used.map((index) => ({ index, gain: gains[index]! })),
  };
}

/** The blocks with the largest gains that fit, and at least one; in the order of the text. */
function best(gains: readonly number[], sizes: readonly number[], room: number): number[] {
  const order = [...gains.keys()].sort((a, b) => gains[b]! - gains[a]!);
  const chosen: number[] = [];
  let left = room;
  for (const index of order) {
    if (chosen.length > 0 && sizes[index]! > left) continue;
    chosen.push(index);
    left -= sizes[index]!;
  }
  return chosen.sort((a, b) => a - b);
}

async function piecesOf(
  scorer: Scorer,
  question: string,
  from: { blocks: readonly string[]; chosen: readonly number[]; count: (text: string) => number },
  signal: AbortSignal | undefined,
): Promise<Piece[]> {
  const parts = from.chosen.flatMap((block) =>
    sentencesOf(from.blocks[block]!).map((text) => ({ block, text, tokens: from.count(text) })),
  );
  const gains = await gainsOf(
    scorer,
    question,
    parts.map(({ text }) => text),
    signal,
  );
  return parts.map((part, i) => ({ ...part, gain: gains[i]! }));
}

/** The pieces of the largest gain in all that fit into the budget (0/1 knapsack); a piece counts by its gain above the worst one's. */
function pack(pieces: readonly Piece[], budget: number): Piece[] {
  const least = Math.min(...pieces.map(({ gain }) => gain));
  const values = pieces.map(({ gain, tokens }) => (gain - least + 1e-6) * Math.sqrt(tokens));
  let rows = new Float64Array(budget + 1);
  const takes: Uint8Array[] = [];
  for (const [i, { tokens }] of pieces.entries()) {
    const next = rows.slice();
    const taken = new Uint8Array(budget + 1);
    for (let room = tokens; room <= budget; room++) {
      const value = rows[room - tokens]! + values[i]!;
      if (value <= next[room]!) continue;
      next[room] = value;
      taken[room] = 1;
    }
    takes.push(taken);
    rows = next;
  }
  const kept: Piece[] = [];
  for (let i = pieces.length - 1, room = budget; i >= 0; i--)
    if (takes[i]![room] === 1) {
      kept.unshift(pieces[i]!);
      room -= pieces[i]!.tokens;
    }
  return kept;
}

/** Pieces of one block follow one another as they did; blocks are apart. */
function textOf(pieces: readonly Piece[]): string {
  const texts: string[] = [];
  for (const [i, { text, block }] of pieces.entries()) {
    const isNew = i > 0 && pieces[i - 1]!.block !== block;
    if (isNew) texts.push('\n\n');
    texts.push(isNew || i === 0 ? text.trimStart() : text);
  }
  return texts.join('').trimEnd();
}
