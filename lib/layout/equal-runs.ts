/**
 * What two lists of tokens have in common. Where only one place differs, the tokens before and after it are compared, and that is
 * all. Otherwise both are cut into chunks where their content says so, whatever stands before; the chunks are compared (Myers'
 * algorithm, in the library `diff`), and what is equal is widened token by token.
 */
import { diffArrays } from 'diff';

import { commonLength } from './layout.js';

/** Tokens [old, old + length) of the one are tokens [now, now + length) of the other. */
export interface EqualRun {
  old: number;
  now: number;
  length: number;
}

/** Chunks of the shorter list, about; comparing lists of this length takes a millisecond or two. */
const CHUNKS = 256;
/** The most chunks that may differ. Beyond, there is little to find. */
const MOST_DIFFERENT = 256;

/** In order; none overlaps another in either list. */
export function equalRuns(old: Int32Array, now: Int32Array): EqualRun[] {
  const head = commonLength(old, now);
  const most = Math.min(old.length, now.length) - head;
  let tail = 0;
  while (tail < most && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const middle = between(
    old.subarray(head, old.length - tail),
    now.subarray(head, now.length - tail),
  );
  return joined([
    { old: 0, now: 0, length: head },
    ...middle.map((run) => ({ ...run, old: run.old + head, now: run.now + head })),
    { old: old.length - tail, now: now.length - tail, length: tail },
  ]);
}

function between(old: Int32Array, now: Int32Array): EqualRun[] {
  if (old.length === 0 || now.length === 0) return [];
  const size = Math.max(4, Math.ceil(Math.min(old.length, now.length) / CHUNKS));
  const [oldChunks, nowChunks] = [chunksOf(old, size), chunksOf(now, size)];
  const most = { comparator: isSame, maxEditLength: MOST_DIFFERENT };
  const changes = diffArrays<Int32Array>(oldChunks, nowChunks, most);
  const runs: EqualRun[] = [];
  let [oldAt, nowAt] = [0, 0];
  for (const { added, removed, value } of changes ?? []) {
    const length = value.reduce((sum, chunk) => sum + chunk.length, 0);
    if (!added && !removed) {
      runs.push(widened(old, now, { old: oldAt, now: nowAt, length }, runs.at(-1)));
    }
    if (!added) oldAt += length;
    if (!removed) nowAt += length;
  }
  return runs;
}

/** A chunk ends where two tokens that follow each other say so. */
function chunksOf(ids: Int32Array, size: number): Int32Array[] {
  const chunks: Int32Array[] = [];
  let begin = 0;
  for (let i = 1; i < ids.length; i++) {
    const hash = Math.imul(Math.imul(ids[i - 1]!, 0x9e3779b1) + ids[i]!, 0x85ebca6b) >>> 8;
    if (hash % size !== 0 && i - begin < 8 * size) continue;
    chunks.push(ids.subarray(begin, i));
    begin = i;
  }
  chunks.push(ids.subarray(begin));
  return chunks;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** With the equal tokens before and after it that no run before it has; without those that one has. */
function widened(
  old: Int32Array,
  now: Int32Array,
  run: EqualRun,
  last: EqualRun | undefined,
): EqualRun {
  const [least, leastNow] = last ? [last.old + last.length, last.now + last.length] : [0, 0];
  const taken = Math.max(0, least - run.old, leastNow - run.now);
  let { old: first, now: place, length } = run;
  first += taken;
  place += taken;
  length = Math.max(0, length - taken);
  while (first > least && place > leastNow && old[first - 1] === now[place - 1]) {
    first--;
    place--;
    length++;
  }
  const isNext = () => first + length < old.length && place + length < now.length;
  while (isNext() && old[first + length] === now[place + length]) length++;
  return { old: first, now: place, length };
}

/** Runs that continue one another become one; empty ones go. */
function joined(runs: readonly EqualRun[]): EqualRun[] {
  const all: EqualRun[] = [];
  for (const run of runs) {
    const last = all.at(-1);
    if (run.length === 0) continue;
    const follows =
      last && last.old + last.length === run.old && last.now + last.length === run.now;
    if (follows) last.length += run.length;
    else all.push({ ...run });
  }
  return all;
}
