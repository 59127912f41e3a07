/** A session whose earlier messages or documents have become others. */
import type { SaidMessage } from '../chat/guard-names.js';
import { concatenate } from '../engine/engine-parts.js';
import type { Before, EngineParts } from '../engine/engine-parts.js';
import { CachalotError } from '../errors.js';
import { withIds } from '../layout/layout.js';
import { joinedText, oldText, revised, textFrom } from '../layout/revise.js';
import { merged } from './follow-template.js';
import { contentBefore, placeOf } from './place.js';
import type { TurnOptions } from './place.js';
import { contentOf, editsKept, isBegun, nextState } from './session-state.js';
import type { State } from './session-state.js';

export interface Revision {
  /** All messages of the conversation. */
  messages: readonly SaidMessage[];
  /** Another document before them. */
  document?: Before | undefined;
  /** Whether what is equal is used again where it stands now. */
  isMoved: boolean;
  /** How many revisions a text may stand on that was computed in one of them. */
  mostDepth?: number;
}

/** Whether all of its context but the documents before it is the text of its messages. */
export function canRevise(state: State): boolean {
  if (!isBegun(state)) return true;
  return state.isChat && state.from === 0 && state.start === state.ground.nDocument;
}

/** Nothing is computed: the next turn computes what is missing. */
export async function revisedState(
  engine: EngineParts,
  state: State,
  { messages, document, isMoved, mostDepth }: Revision,
  options: TurnOptions,
): Promise<State> {
  const place = placeOf(state, options);
  if (!canRevise(state))
    throw new CachalotError(
      'invalid_argument',
      'a session with text outside of its messages (`session.complete`) cannot be revised',
    );
  const old = isBegun(state) ? contentOf(state) : contentBefore(options);
  const { text } =
    messages.length > 0 ? await engine.conversations.whole(messages, options) : { text: '' };
  const all = await merged(engine, old.ids, place, text, options, isMoved);
  const chat = all.subarray(place.nDocument);
  const before = document?.content.ids ?? old.ids.subarray(0, place.nDocument);
  const ids = concatenate(before, chat);
  const edits = document ? document.edits : editsKept(state, ids);
  if (isMoved) refuseEdits(document?.edits ?? state.edits);
  const known = document
    ? joinedText(oldText(document.content), textFrom(oldText(old), place.nDocument))
    : oldText(old);
  const content = isMoved ? revised(known, ids, mostDepth) : withIds(document?.content ?? old, ids);
  const { base, parts } = content;
  return nextState(state, {
    added: [],
    revised: messages,
    nSaid: messages.length,
    start: before.length,
    from: 0,
    isChat: true,
    edits,
    ground: { base, parts, nDocument: before.length },
    ids,
    lastAnswer: undefined,
  });
}

function refuseEdits(edits: readonly unknown[]): void {
  if (edits.length > 0)
    throw new CachalotError(
      'not_supported',
      "a compressed context cannot be moved: revise it with `reuse: 'prefix'`",
    );
}
