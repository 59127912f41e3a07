/** Several contexts before one text: one after the other, or side by side. */
import { NOTHING, asParts, lengthOf } from './layout.js';
import type { Content, Layout, Part, Reading } from './layout.js';

/** How several contexts stand before a text. */
export type Arrangement = { how: 'sequence' } | { how: 'parallel'; reading: Reading };

/**
 * What all of them were computed after stands before them, once: the same base, or else the first token of a text (`bos`) alone.
 * In a sequence each context follows the one before it. Side by side all of them begin at the same position, and what comes
 * after them stands after the longest (APE, arXiv 2502.05431).
 */
export function combine(
  contents: readonly Content[],
  arrangement: Arrangement,
  bos: number | undefined,
): Layout {
  const start = startOf(contents, bos);
  const parts = [...start.parts];
  const reading = arrangement.how === 'parallel' ? arrangement.reading : undefined;
  let end = start.end;
  for (const content of contents) {
    const isBegun = start.end > 0 && content.base === NOTHING; // its first token stands there
    let position = reading ? start.end : end;
    for (const part of withoutFirst(asParts(content), isBegun ? 1 : 0)) {
      parts.push({ ...part, position, ...(reading && { reading }) });
      position += lengthOf(part);
    }
    end = Math.max(end, position);
  }
  return { parts, end };
}

/** What they all have been computed after. */
function startOf(contents: readonly Content[], bos: number | undefined): Layout {
  const { base } = contents[0]!;
  if (base !== NOTHING && contents.every((one) => isSame(one.base, base))) return base;
  const heads = contents.map((one) => [...one.base.parts, ...asParts(one)][0]!);
  const begins = ({ text, first }: Part) => bos !== undefined && text.ids[first] === bos;
  if (!heads.every(begins)) return NOTHING;
  const [head] = heads as [Part];
  return { parts: [{ ...head, end: head.first + 1, position: 0 }], end: 1 };
}

function isSame(a: Layout, b: Layout): boolean {
  if (a === b) return true;
  if (a.end !== b.end || a.parts.length !== b.parts.length) return false;
  return a.parts.every((part, i) => {
    const other = b.parts[i]!;
    const isPlace = part.first === other.first && part.position === other.position;
    return isPlace && part.text === other.text && part.end === other.end;
  });
}

function withoutFirst(parts: readonly Part[], n: number): readonly Part[] {
  const [head, ...rest] = parts;
  if (n === 0 || !head) return parts;
  return lengthOf(head) <= n ? rest : [{ ...head, first: head.first + n }, ...rest];
}
