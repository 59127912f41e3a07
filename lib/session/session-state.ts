/**
 * Where a conversation stands after each turn. A state holds only what its turn has changed, and the state before it: a
 * session of many turns takes memory for what was said once, not once for each turn.
 */
import type { SaidMessage } from '../chat/guard-names.js';

/** Turns, forks and rewinds only go from one to another. */
export interface State {
  /** The last turn, undefined where the conversation begins. */
  readonly before: State | undefined;
  /** How many turns there are. */
  readonly turns: number;
  /** Messages that the turn has added. */
  readonly added: readonly SaidMessage[];
  /** Messages that are part of the context. */
  readonly nSaid: number;
  /** From its token `start` on, the context is what the template makes of the messages from `from` on ... */
  readonly start: number;
  readonly from: number;
  /** ... with no other text after it. */
  readonly isChat: boolean;
  /** The context, which the cache is asked for, is the first so many ids of that before, and then these. */
  readonly kept: number;
  readonly ids: Int32Array;
  /** The whole context, where no turn has followed yet: the next one begins with it. */
  whole: Int32Array | undefined;
  /** Of a turn in the template's words that has no turn after it. */
  lastAnswer: LastAnswer | undefined;
}

/** What was said with the last turn: the next one only has to add to it, unless the template says it otherwise by then. */
export interface LastAnswer {
  /** The template's text, up to where the content of the answer begins. */
  text: string;
  /** Whether the answer began as the template begins one. */
  isFollowed: boolean;
  ids: Int32Array;
}

/** What a turn makes of a conversation. */
export interface Change extends Pick<
  State,
  'added' | 'nSaid' | 'start' | 'from' | 'isChat' | 'lastAnswer'
> {
  /** The whole context. */
  ids: Int32Array;
}

export function firstState(added: readonly SaidMessage[]): State {
  const whole = new Int32Array(0);
  const nothing = { before: undefined, turns: 0, nSaid: 0, start: 0, from: 0, kept: 0 };
  return { ...nothing, isChat: true, added, ids: whole, whole, lastAnswer: undefined };
}

export function nextState(before: State, { ids, ...change }: Change): State {
  const kept = commonLength(idsOf(before), ids);
  before.whole = undefined;
  before.lastAnswer = undefined;
  return { ...change, before, turns: before.turns + 1, kept, ids: ids.slice(kept), whole: ids };
}

/** All ids of the context so far; not to be changed. */
export function idsOf(state: State): Int32Array {
  if (state.whole) return state.whole;
  const all = new Int32Array(state.kept + state.ids.length);
  let missing = all.length;
  for (let at: State | undefined = state; at && missing > 0; at = at.before) {
    if (at.kept >= missing) continue; // a later turn has changed all that this one added
    for (let i = at.kept; i < missing; i++) all[i] = at.ids[i - at.kept]!;
    missing = at.kept;
  }
  return all;
}

export function messagesOf(state: State): SaidMessage[] {
  const parts: (readonly SaidMessage[])[] = [];
  for (let at: State | undefined = state; at; at = at.before) parts.push(at.added);
  return parts.reverse().flat();
}

function commonLength(first: Int32Array, second: Int32Array): number {
  const length = Math.min(first.length, second.length);
  for (let i = 0; i < length; i++) if (first[i] !== second[i]) return i;
  return length;
}
