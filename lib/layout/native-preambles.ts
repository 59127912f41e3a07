/** Layouts as C++ receives them: a list in which each may stand below the ones before it, so that what they share is there once. */
import type { NativePart, NativePreambles } from '../native.js';
import { placed } from './layout.js';
import type { Content, Layout, Part, StoredText } from './layout.js';

/** A text as a request has it. */
export interface NativeText {
  tokens: Int32Array;
  preambles?: NativePreambles;
  /** How many tokens of the content are in parts before these. */
  nBefore: number;
}

/** `firstRow`: the first token whose row is wanted; what comes before it may be in parts. */
export function nativeText(content: Content, firstRow = content.ids.length - 1): NativeText {
  const { below, ids: tokens } = placed(content, firstRow);
  const preambles = nativePreambles(below);
  const nBefore = content.ids.length - tokens.length;
  return { tokens, nBefore, ...(preambles && { preambles }) };
}

/** Undefined for nothing. */
export function nativePreambles(layout: Layout): NativePreambles | undefined {
  if (isNothing(layout)) return undefined;
  const list = new PreambleList();
  list.indexOf(layout);
  return { texts: list.texts, list: list.preambles };
}

const isNothing = ({ parts, end }: Layout) => parts.length === 0 && end === 0;

class PreambleList {
  readonly texts: Int32Array[] = [];
  readonly preambles: NativePreambles['list'] = [];
  readonly #layouts = new Map<Layout, number>();
  readonly #texts = new Map<Int32Array, number>();

  /** Where a layout is in the list; -1 for nothing. */
  indexOf(layout: Layout): number {
    if (isNothing(layout)) return -1;
    const known = this.#layouts.get(layout);
    if (known !== undefined) return known;
    const parts = layout.parts.map((part, i) => this.part(part, blendOf(layout, i)));
    this.preambles.push({ parts, position: layout.end });
    this.#layouts.set(layout, this.preambles.length - 1);
    return this.preambles.length - 1;
  }

  private part({ text, first, end, position, reading }: Part, blend: number): NativePart {
    return {
      text: this.text(text),
      end,
      first,
      shift: position - text.below.end - first,
      under: this.indexOf(text.below),
      sharpness: reading ? 1 / reading.temperature : 1,
      blend,
      lseFactor: reading ? reading.scale * reading.temperature : 1,
    };
  }

  private text({ ids }: StoredText): number {
    const known = this.#texts.get(ids);
    if (known !== undefined) return known;
    this.texts.push(ids);
    this.#texts.set(ids, this.texts.length - 1);
    return this.texts.length - 1;
  }
}

/** Neighbours that are read alike are one blend; it has the number of its first part. -1: none. */
function blendOf({ parts }: Layout, index: number): number {
  const reading = parts[index]!.reading;
  if (!reading) return -1;
  let first = index;
  while (first > 0 && parts[first - 1]!.reading === reading) first--;
  return first;
}
