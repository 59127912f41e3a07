/** When a context is edited. A schedule belongs to its tokens: it is carried out again wherever they are computed again. */
import { CachalotError } from '../errors.js';
import type { NativeEdit } from '../native.js';
import type { ReadCompression, SequenceWindow } from './compress-options.js';

/** The most edits of one request; native/engine/validate_edits.cpp. */
const MOST_EDITS = 4096;

/** In ascending order. */
export type EditSchedule = readonly NativeEdit[];

export interface ScheduleInput {
  compress: ReadCompression | undefined;
  /** Edits of the beginning of the tokens, by a context or earlier turns. */
  before: EditSchedule | undefined;
  /** Where the compression edits: after so many tokens. */
  at: number;
  /** How many tokens there may be in the end. */
  end: number;
  contextLength: number;
}

/** The fields of a request. What changes nothing is left out: a window longer than the context, and (by the engine) an edit that keeps all. */
export function scheduleOf({ compress, before = [], at, end, contextLength }: ScheduleInput): {
  window?: SequenceWindow;
  edits?: NativeEdit[];
} {
  const edits = [...before];
  const { edit, window } = compress ?? {};
  if (edit) {
    const { policy, options, every } = edit;
    const earlier = edit.at.filter((index) => index < at);
    const add = (index: number) => {
      const isNew = index > (edits.at(-1)?.index ?? 0) && index < contextLength;
      if (isNew) edits.push({ index, policy, options });
    };
    for (const index of [...earlier, at]) add(index);
    for (let next = nextMultiple(at, every); every > 0 && next < end; next += every) add(next);
    if (edits.length > MOST_EDITS)
      throw new CachalotError(
        'invalid_argument',
        `this context would be compressed ${edits.length} times, and ${MOST_EDITS} are the most: give a larger \`compress.every\` or fewer \`maxTokens\`, or begin a new context`,
      );
  }
  const isWindow = window && isNarrow(window, contextLength);
  return { ...(isWindow ? { window } : {}), ...(edits.length > 0 ? { edits } : {}) };
}

const isNarrow = ({ sinks, size }: SequenceWindow, contextLength: number) =>
  sinks + size <= contextLength;

/** With a window a text may go on for ever, in practice; native/kv/window_cuts.h. */
const MOST_WINDOWED_TOKENS = 2 ** 20;

/** The most tokens of a text that is read so. */
export function mostTokensOf(compress: ReadCompression | undefined, contextLength: number): number {
  const isEndless = compress?.window && isNarrow(compress.window, contextLength);
  return isEndless ? MOST_WINDOWED_TOKENS : contextLength;
}

/** Contexts that stand together, and revised ones, cannot be compressed. */
export function refuseParts(compress: ReadCompression | undefined): void {
  if (compress)
    throw new CachalotError(
      'not_supported',
      "`compress` is not supported after several contexts, or after one that was revised with `reuse: 'moved'`: leave one of them out",
    );
}

const nextMultiple = (n: number, every: number) => (Math.floor(n / every) + 1) * every;

/** The edits whose text is among the first n tokens. */
export function editsWithin(edits: EditSchedule, n: number): EditSchedule {
  return edits.filter(({ index }) => index <= n);
}
