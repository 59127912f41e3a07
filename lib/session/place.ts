/** Where the text of a conversation stands in the context of its session. */
import type { PromptOptions } from '../engine/engine-parts.js';
import { plain } from '../layout/layout.js';
import type { Content } from '../layout/layout.js';
import { idsOf, isBegun } from './session-state.js';
import type { State } from './session-state.js';

export type TurnOptions = Omit<PromptOptions, 'specialTokens'>;

/** Where the template's text begins. */
export interface Place {
  /** The tokens before it. */
  before: Int32Array;
  /** How many of these are a document's, before the conversation. */
  nDocument: number;
  /** Whether the text begins the context, and nothing stands before that. */
  isFirst: boolean;
}

export function placeOf(state: State, options: TurnOptions, isNew = false): Place {
  const ids = idsOf(state);
  const isEmpty = !isBegun(state);
  const document = isEmpty ? contentBefore(options).ids : ids.subarray(0, state.ground.nDocument);
  const before = isEmpty ? document : isNew ? ids : ids.subarray(0, state.start);
  const isAlone = isEmpty ? options.before === undefined : state.ground.base.end === 0;
  return { before, nDocument: document.length, isFirst: before.length === 0 && isAlone };
}

/** What stands before a conversation that has not begun. */
export function contentBefore({ before }: Pick<PromptOptions, 'before'>): Content {
  return before?.content ?? plain(new Int32Array(0));
}
