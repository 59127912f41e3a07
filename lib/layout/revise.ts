/**
 * A new version of a text that has been computed (PIE, He et al. 2024, arXiv 2407.03157). Keys and values of what is equal are used
 * again where it stands now; what is new is computed after all that stands before it. What comes after a change has
 * been computed without it: that is the approximation.
 */
import { equalRuns } from './equal-runs.js';
import type { EqualRun } from './equal-runs.js';
import { asParts, coveredOf, depthOf, lengthOf, partsBefore } from './layout.js';
import type { Content, Layout, Part } from './layout.js';

/** A shorter run, unless it is the beginning, is computed anew: reading it apart would cost as much. */
const LEAST_RUN = 32;
/** How many runs are used again; the longest. Each is a part, and every part costs its readers a little. */
const MOST_RUNS = 16;
/** How many parts a text has in the end. What comes after them is computed anew. */
const MOST_PARTS = 32;
/** How many revisions a text may stand on that was computed in one of them; native/engine/validate_preamble.cpp allows twice as many. */
const MOST_DEPTH = 32;

/** A text, all of whose tokens are in parts. */
export interface OldText {
  base: Layout;
  ids: Int32Array;
  parts: readonly Omit<Part, 'position'>[];
}

export const oldText = (content: Content): OldText => ({ ...content, parts: asParts(content) });

/** Tokens of two texts, as if they were one. */
export function joinedText(first: OldText, second: OldText): OldText {
  const ids = new Int32Array(first.ids.length + second.ids.length);
  ids.set(first.ids);
  ids.set(second.ids, first.ids.length);
  return { base: first.base, ids, parts: [...first.parts, ...second.parts] };
}

/** The tokens of a text from one on. */
export function textFrom({ base, ids, parts }: OldText, from: number): OldText {
  return { base, ids: ids.subarray(from), parts: cut(parts, from, ids.length - from) };
}

/** The content of the new text, whose tokens are `now`. */
export function revised(old: OldText, now: Int32Array, mostDepth = MOST_DEPTH): Content {
  const parts: Part[] = [];
  let done = 0;
  const place = (part: Omit<Part, 'position'>) => {
    add(parts, { ...part, position: old.base.end + done });
    done += part.end - part.first;
  };
  const compute = (end: number) => {
    if (end === done) return;
    const below = { parts: [...old.base.parts, ...parts], end: old.base.end + done };
    place({ text: { ids: now.slice(done, end), below }, first: 0, end: end - done });
  };
  for (const { now: begin, old: from, length } of runsOf(old.ids, now)) {
    compute(begin);
    for (const part of cut(old.parts, from, length)) place(part);
  }
  // The last token is computed in place: a question needs a row to begin with.
  const kept = parts.slice(0, MOST_PARTS);
  const deep = kept.findIndex(({ text }) => depthOf(text.below) > mostDepth);
  const used = deep < 0 ? kept : kept.slice(0, deep);
  const covered = Math.min(coveredOf({ parts: used }), now.length - 1);
  return { base: old.base, ids: now, parts: partsBefore(used, covered) };
}

function runsOf(old: Int32Array, now: Int32Array): EqualRun[] {
  const runs = equalRuns(old, now).filter(
    ({ old: from, now: at, length }) => length >= LEAST_RUN || (from === 0 && at === 0),
  );
  const isHead = ({ old: from, now: at }: EqualRun) => Number(from === 0 && at === 0);
  return runs
    .sort((a, b) => isHead(b) - isHead(a) || b.length - a.length)
    .slice(0, MOST_RUNS)
    .sort((a, b) => a.now - b.now);
}

/** Tokens [from, from + length) of what some parts hold. */
function cut(parts: OldText['parts'], from: number, length: number): Omit<Part, 'position'>[] {
  const within: Omit<Part, 'position'>[] = [];
  let begin = 0;
  for (const { text, first, end } of parts) {
    const [low, high] = [Math.max(from, begin), Math.min(from + length, begin + end - first)];
    if (low < high) within.push({ text, first: first + low - begin, end: first + high - begin });
    begin += end - first;
  }
  return within;
}

/** A part that goes on where the one before it ends is the same part. */
function add(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  const follows =
    last?.text === part.text &&
    last.end === part.first &&
    last.position + lengthOf(last) === part.position;
  if (follows) parts[parts.length - 1] = { ...last, end: part.end };
  else parts.push(part);
}
