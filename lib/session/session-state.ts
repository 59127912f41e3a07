/**
 * The state of a conversation after each turn. A state holds only what its turn has changed, and the state before it, so a
 * session of many turns stores each text once, not once for each later turn.
 */
import type { SaidMessage } from '../chat/guard-names.js';
import { NOTHING, commonLength } from '../layout/layout.js';
import type { Content, Layout, Part } from '../layout/layout.js';
import { editsWithin } from '../options/edit-schedule.js';
import type { EditSchedule } from '../options/edit-schedule.js';

/** Turns, forks and rewinds only move from one state to another. */
export interface State {
  /** The state after the previous turn, undefined at the beginning of the conversation. */
  readonly before: State | undefined;
  /** How many turns there are. */
  readonly turns: number;
  /** Messages that this turn has added. */
  readonly added: readonly SaidMessage[];
  /** All messages, where a revision has changed those before. */
  readonly revised?: readonly SaidMessage[] | undefined;
  /** Messages that are part of the context. */
  readonly nSaid: number;
  /** From its token `start` on, the context is the template's text of the messages from `from` on ... */
  readonly start: number;
  readonly from: number;
  /** ... with no other text after it. */
  readonly isChat: boolean;
  /** The context consists of the first `kept` ids of the previous state's context, followed by `ids`. */
  readonly kept: number;
  readonly ids: Int32Array;
  /** What has been edited of the context so far: how it is compressed. */
  readonly edits: EditSchedule;
  /** What the context stands on. */
  readonly ground: Ground;
  /** The whole context, if no turn has followed yet: the next turn begins with it. */
  whole: Int32Array | undefined;
  /** Set after a turn by the chat template, until another turn follows. */
  lastAnswer: LastAnswer | undefined;
}

/** What is not computed in place. */
export interface Ground {
  /** Before all of the context. */
  readonly base: Layout;
  /** Of its first tokens, where their keys and values are those of other texts. */
  readonly parts: readonly Part[];
  /** How many first tokens are those of a document, before the conversation. */
  readonly nDocument: number;
}

export const NO_GROUND: Ground = { base: NOTHING, parts: [], nDocument: 0 };

/** The text of the last turn. The next turn only has to append to it, unless the template renders it differently by then. */
export interface LastAnswer {
  /** The template's text, up to where the content of the answer begins. */
  text: string;
  /** Whether the answer began as the template begins one. */
  isFollowed: boolean;
  ids: Int32Array;
}

/** The result of a turn for the conversation. */
export interface Change extends Pick<
  State,
  'added' | 'revised' | 'nSaid' | 'start' | 'from' | 'isChat' | 'edits' | 'ground' | 'lastAnswer'
> {
  /** The whole context. */
  ids: Int32Array;
}

export function firstState(added: readonly SaidMessage[]): State {
  const whole = new Int32Array(0);
  const nothing = { before: undefined, turns: 0, nSaid: 0, start: 0, from: 0, kept: 0, edits: [] };
  return {
    ...nothing,
    isChat: true,
    added,
    ids: whole,
    whole,
    ground: NO_GROUND,
    lastAnswer: undefined,
  };
}

export function nextState(before: State, { ids, ...change }: Change): State {
  const turns = change.revised ? before.turns : before.turns + 1;
  const kept = commonLength(idsOf(before), ids);
  before.whole = undefined;
  before.lastAnswer = undefined;
  return { ...change, before, turns, kept, ids: ids.slice(kept), whole: ids };
}

/** All ids of the context so far; not to be changed. */
export function idsOf(state: State): Int32Array {
  if (state.whole) return state.whole;
  const all = new Int32Array(state.kept + state.ids.length);
  let missing = all.length;
  for (let at: State | undefined = state; at && missing > 0; at = at.before) {
    if (at.kept >= missing) continue; // a later turn has replaced all ids that this one added
    for (let i = at.kept; i < missing; i++) all[i] = at.ids[i - at.kept]!;
    missing = at.kept;
  }
  return all;
}

/** Whether it has a context of its own; until then it has the documents that its session begins with. */
export const isBegun = ({ ground }: State) => ground !== NO_GROUND;

/** The context so far. */
export function contentOf(state: State): Content {
  const { base, parts } = state.ground;
  return { base, parts, ids: idsOf(state) };
}

/** The edits that stay when the context becomes these ids: those of what both have in common. */
export function editsKept(state: State, ids: Int32Array): EditSchedule {
  return editsWithin(state.edits, commonLength(idsOf(state), ids));
}

export function messagesOf(state: State): SaidMessage[] {
  const parts: (readonly SaidMessage[])[] = [];
  for (let at: State | undefined = state; at; at = at.before) {
    parts.push(at.revised ?? at.added);
    if (at.revised) break;
  }
  return parts.reverse().flat();
}
