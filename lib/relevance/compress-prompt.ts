/**
 * Shortens a text to what a question needs of it, without training (LongCodeZip, arXiv 2510.00446): its paragraphs or functions are
 * ranked by how much likelier they make the question; then the best sentences or lines of the best ones are packed into the budget.
 * The order of the text is kept. Our choices: the first stage keeps three budgets' worth; pieces are sentences and lines.
 */
import { checkOptions, integerIn, isString } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import { pack } from './knapsack.js';
import { gainsOf } from './rank.js';
import { RELEVANCE_CHECKS } from './scorer.js';
import type { MeasuringScorer, RelevanceOptions } from './scorer.js';
import { blocksOf, sentencesOf } from './sentences.js';

export interface CompressPromptOptions extends RelevanceOptions {
  /** What will be asked of the text. */
  question: string;
  /** The most tokens to keep. */
  budget: number;
}

export interface CompressedPrompt {
  /** '' if not one piece fits into the budget. */
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
  scorer: MeasuringScorer,
  text: string,
  options: CompressPromptOptions,
): Promise<CompressedPrompt> {
  const checks = { ...RELEVANCE_CHECKS, question: isString, budget: integerIn(1, 2 ** 24) };
  const given: Partial<CompressPromptOptions> = options;
  const { question, budget, signal } = checkOptions(given, checks);
  if (question === undefined) throw invalidArgument('question', 'a string', question);
  if (budget === undefined) throw invalidArgument('budget', 'a number of tokens', budget);
  const count = (part: string) => scorer.tokenize(part).length;
  const fullTokens = count(isString('text', text));
  if (fullTokens <= budget) return { text, tokens: fullTokens, fullTokens, blocks: [] };
  const longest = Math.floor(scorer.description.contextLength / 2) - count(question);
  const blocks = blocksOf(text).flatMap((block) => cut(block, longest, count));
  const sizes = blocks.map(count);
  const gains = await gainsOf(scorer, question, blocks, signal);
  const chosen = best(gains, sizes, COARSE_BUDGETS * budget);
  const parts = chosen.flatMap((block) =>
    sentencesOf(blocks[block]!).map((part) => ({ block, text: part, tokens: count(part) })),
  );
  const partGains = await gainsOf(
    scorer,
    question,
    parts.map((part) => part.text),
    signal,
  );
  const pieces = parts.map((part, i) => ({ ...part, gain: partGains[i]! }));
  const kept = packed(pieces, budget, count);
  const used = [...new Set(kept.map(({ block }) => block))];
  const short = textOf(kept);
  return {
    text: short,
    tokens: count(short),
    fullTokens,
    blocks: used.map((index) => ({ index, gain: gains[index]! })),
  };
}

/** A block that the model could not read beside the question, in pieces of whole sentences. */
function cut(block: string, longest: number, count: (text: string) => number): string[] {
  if (count(block) <= longest) return [block];
  const pieces: string[] = [];
  let [piece, tokens] = ['', 0];
  for (const sentence of sentencesOf(block)) {
    const more = count(sentence);
    if (tokens + more > longest && piece !== '') {
      pieces.push(piece);
      [piece, tokens] = ['', 0];
    }
    piece += sentence;
    tokens += more;
  }
  return [...pieces, piece];
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

/** The pieces of the largest gain whose text fits; a piece counts by its gain above the worst one's. What stands between pieces takes room, too. */
function packed(
  pieces: readonly Piece[],
  budget: number,
  count: (text: string) => number,
): Piece[] {
  const least = Math.min(...pieces.map(({ gain }) => gain));
  const items = pieces.map((piece) => ({
    weight: piece.tokens,
    value: (piece.gain - least + 1e-6) * Math.sqrt(piece.tokens),
  }));
  for (let room = budget; room > 0;) {
    const kept = pack(items, room).map((i) => pieces[i]!);
    const over = count(textOf(kept)) - budget;
    if (over <= 0) return kept;
    room -= over;
  }
  return [];
}

/** Pieces of one block follow one another as they did; blocks are apart. */
function textOf(pieces: readonly Piece[]): string {
  const blocks: string[] = [];
  for (const [i, { text, block }] of pieces.entries())
    if (i > 0 && pieces[i - 1]!.block === block) blocks[blocks.length - 1] += text;
    else blocks.push(text);
  return blocks.map((block) => block.trim()).join('\n\n');
}
