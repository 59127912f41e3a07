/**
 * How a context is made of parts. Keys and values of a text that was computed once are read in other contexts, at other
 * positions, as parts (docs/decisions/0020). Nothing here computes anything: a layout only says what stands where.
 */

/** A text as it was computed: after what stood before it there. */
export interface StoredText {
  readonly ids: Int32Array;
  readonly below: Layout;
}

/** Tokens [first, end) of a stored text. */
export interface Part {
  readonly text: StoredText;
  readonly first: number;
  readonly end: number;
  /** Where its first token stands in this context. */
  readonly position: number;
  /** How it is read, if not like any text. */
  readonly reading?: Reading;
}

/** Parts that are read side by side (APE, arXiv 2502.05431). */
export interface Reading {
  /** Of their softmax. */
  readonly temperature: number;
  /** By which the logarithm of their sum is multiplied before they are merged with the rest. */
  readonly scale: number;
}

/** What stands before some tokens. */
export interface Layout {
  readonly parts: readonly Part[];
  /** The position of the first of these tokens. */
  readonly end: number;
}

export const NOTHING: Layout = { parts: [], end: 0 };

/** A text, some of whose keys and values are those of other texts. */
export interface Content {
  /** What stands before all of it. */
  readonly base: Layout;
  readonly ids: Int32Array;
  /** Of its first tokens, in order. The others, at least the last one, are computed in place. */
  readonly parts: readonly Part[];
}

export const lengthOf = ({ first, end }: Part) => end - first;

/** How many first tokens of a content are in its parts. */
export function coveredOf({ parts }: Pick<Content, 'parts'>): number {
  return parts.reduce((sum, part) => sum + lengthOf(part), 0);
}

/** A text of its own. */
export function plain(ids: Int32Array, base: Layout = NOTHING): Content {
  return { base, ids, parts: [] };
}

/** Other tokens, whose parts are the content's as far as the tokens are. */
export function withIds({ base, ids: old, parts }: Content, ids: Int32Array): Content {
  if (parts.length === 0) return { base, ids, parts };
  const n = Math.min(commonLength(old, ids), ids.length - 1);
  return { base, ids, parts: partsBefore(parts, n) };
}

/** How many first tokens two lists have in common. */
export function commonLength(first: Int32Array, second: Int32Array): number {
  const length = Math.min(first.length, second.length);
  for (let i = 0; i < length; i++) if (first[i] !== second[i]) return i;
  return length;
}

/** The parts of the first n tokens. */
export function partsBefore(parts: readonly Part[], n: number): readonly Part[] {
  const kept: Part[] = [];
  let left = n;
  for (const part of parts) {
    if (left <= 0) break;
    kept.push(lengthOf(part) <= left ? part : { ...part, end: part.first + left });
    left -= lengthOf(part);
  }
  return kept;
}

/** What stands before token `n` of a content, as far as it is in parts, and the tokens that follow in place. */
export function placed(content: Content, n = content.ids.length - 1): StoredText {
  const parts = partsBefore(content.parts, n);
  const covered = coveredOf({ parts });
  return {
    below: { parts: [...content.base.parts, ...parts], end: content.base.end + covered },
    ids: content.ids.subarray(covered),
  };
}

const depths = new WeakMap<Layout, number>();

/** How many layouts stand below one another. */
export function depthOf(layout: Layout): number {
  let depth = depths.get(layout);
  if (depth === undefined) {
    const below = layout.parts.map(({ text }) => depthOf(text.below));
    depth = layout.parts.length === 0 ? 0 : 1 + Math.max(...below);
    depths.set(layout, depth);
  }
  return depth;
}

const known = new WeakMap<Content, readonly Part[]>();

/** The tokens of a content as parts, one after the other: those that it has, and its own. The same objects each time. */
export function asParts(content: Content): readonly Part[] {
  let parts = known.get(content);
  if (!parts) {
    const text = placed(content);
    const own = { text, first: 0, end: text.ids.length, position: text.below.end };
    parts = [...content.parts, own];
    known.set(content, parts);
  }
  return parts;
}

const numbers = new WeakMap<StoredText, number>();
let nTexts = 0;

/** A name that only layouts of the same parts have; that of nothing is empty. */
export function layoutKey({ parts, end }: Layout): string {
  if (parts.length === 0 && end === 0) return '';
  const numberOf = (text: StoredText) => {
    if (!numbers.has(text)) numbers.set(text, ++nTexts);
    return numbers.get(text)!;
  };
  const keys = parts.map(({ text, first, end: last, position, reading }) =>
    [numberOf(text), first, last, position, reading?.temperature, reading?.scale].join(),
  );
  return `${keys.join(';')}@${end}`;
}
