/** A turn of a session: the prompt that it gives the model, and the session's state after it. */
import type { SaidMessage } from '../chat/guard-names.js';
import { concatenate, editsOf } from '../engine/engine-parts.js';
import type { EngineParts, Prompt, PromptOptions } from '../engine/engine-parts.js';
import type { Generation } from '../generation/generation.js';
import { editsWithin } from '../options/edit-schedule.js';
import { followTemplate } from './follow-template.js';
import type { TurnOptions } from './follow-template.js';
import { editsKept, idsOf, messagesOf, nextState } from './session-state.js';
import type { State } from './session-state.js';

/** A turn whose answer is still to come. */
export interface Begun extends Prompt {
  /** Where in the context the template's text begins, and with which message. */
  start: number;
  from: number;
  /** The template's text, and the white space that it writes before an answer. */
  rendered?: { text: string; gap: string };
}

export async function beginChat(
  engine: EngineParts,
  state: State,
  added: readonly SaidMessage[],
  options: TurnOptions,
): Promise<Begun> {
  const ids = idsOf(state);
  // Text outside of messages stays; messages that are not part of the context yet follow it.
  const isNew = ids.length > 0 && !state.isChat;
  const from = isNew ? state.nSaid : state.from;
  const before = isNew ? ids : beforeChat(engine, state, ids, options);
  const messages = [...messagesOf(state).slice(from), ...added];
  const [rendered, gap] = await Promise.all([
    engine.conversations.prompt(messages, options),
    engine.conversations.gap(options),
  ]);
  const said = { before, rendered, nAdded: added.length };
  const all = await followTemplate(engine, state, said, options);
  const { text, systemMerged } = rendered;
  const start = before.length;
  const edits = editsBefore(state, all, options);
  const shown = { text, gap: gap.text };
  return { ids: all, edits, gap: gap.said, systemMerged, start, from, rendered: shown };
}

/** Text to continue after the context so far. */
export async function beginComplete(
  engine: EngineParts,
  state: State,
  text: string,
  { context, specialTokens: special = false, signal }: PromptOptions,
): Promise<Begun> {
  const { start, from } = state;
  const ids = idsOf(state);
  if (ids.length === 0) {
    const all = await engine.encodeText(text, { context, specialTokens: special, signal });
    return { ids: all, ...editsOf(context), start, from };
  }
  const added = await engine.encode(text, { special, continues: true }, signal);
  return { ids: concatenate(ids, added), edits: state.edits, start, from };
}

/** The state of the session after the answer has ended. */
export function stateAfter(
  before: State,
  begun: Begun,
  { said, followsTemplate: isFollowed, edits: made }: Generation,
  added: readonly SaidMessage[],
): State {
  const { start, from, rendered } = begun;
  const ids = concatenate(begun.ids, said);
  const edits = editsWithin(made, ids.length);
  if (!rendered) {
    const { nSaid } = before;
    return nextState(before, {
      added,
      nSaid,
      start,
      from,
      isChat: false,
      edits,
      ids,
      lastAnswer: undefined,
    });
  }
  const nSaid = messagesOf(before).length + added.length;
  const lastAnswer = { text: rendered.text + rendered.gap, isFollowed, ids: said };
  return nextState(before, { added, nSaid, start, from, isChat: true, edits, ids, lastAnswer });
}

/** What has been edited of the beginning of a turn's prompt: of the context, or of the turns before. */
function editsBefore(state: State, ids: Int32Array, { context }: TurnOptions) {
  return idsOf(state).length > 0 ? editsKept(state, ids) : (context?.edits ?? []);
}

/** The ids before the conversation: a context, or text that was completed. */
function beforeChat(
  engine: EngineParts,
  state: State,
  ids: Int32Array,
  { context }: TurnOptions,
): Int32Array {
  if (ids.length > 0) return ids.subarray(0, state.start);
  return context === undefined ? ids : engine.tokensOf(context);
}
