/** A turn of a session: the prompt that it gives the model, and the session's state after it. */
import type { SaidMessage } from '../chat/guard-names.js';
import { concatenate, continued } from '../engine/engine-parts.js';
import type { EngineParts, Prompt, PromptOptions } from '../engine/engine-parts.js';
import type { Generation } from '../generation/generation.js';
import { withIds } from '../layout/layout.js';
import { editsWithin } from '../options/edit-schedule.js';
import { followTemplate } from './follow-template.js';
import { contentBefore, placeOf } from './place.js';
import type { TurnOptions } from './place.js';
import { contentOf, editsKept, isBegun, messagesOf, nextState } from './session-state.js';
import type { State } from './session-state.js';

/** A turn whose answer is still to come. */
export interface Begun extends Prompt {
  /** Where in the context the template's text begins, and with which message. */
  start: number;
  from: number;
  /** How many first tokens are those of a document. */
  nDocument: number;
  /** The template's text, and the white space that it writes before an answer. */
  rendered?: { text: string; gap: string };
}

export async function beginChat(
  engine: EngineParts,
  state: State,
  added: readonly SaidMessage[],
  options: TurnOptions,
): Promise<Begun> {
  // Text outside of messages stays; messages that are not part of the context yet follow it.
  const hasBegun = isBegun(state);
  const isNew = hasBegun && !state.isChat;
  const from = isNew ? state.nSaid : state.from;
  const place = placeOf(state, options, isNew);
  const messages = [...messagesOf(state).slice(from), ...added];
  const [rendered, gap] = await Promise.all([
    engine.conversations.prompt(messages, options),
    engine.conversations.gap(options),
  ]);
  const said = { ...place, rendered, nAdded: added.length };
  const all = await followTemplate(engine, state, said, options);
  const { text, systemMerged } = rendered;
  const start = place.before.length;
  const edits = hasBegun ? editsKept(state, all) : (options.before?.edits ?? []);
  const content = withIds(hasBegun ? contentOf(state) : contentBefore(options), all);
  const shown = { text, gap: gap.text };
  const { nDocument } = place;
  return { content, edits, gap: gap.said, systemMerged, start, from, nDocument, rendered: shown };
}

/** Text to continue after the context so far. */
export async function beginComplete(
  engine: EngineParts,
  state: State,
  text: string,
  options: PromptOptions,
): Promise<Begun> {
  const { start, from } = state;
  const { specialTokens: special = false, signal, mostTokens } = options;
  if (!isBegun(state)) {
    const nDocument = contentBefore(options).ids.length;
    return { ...(await engine.encodeText(text, options)), start, from, nDocument };
  }
  const added = await engine.encode(text, { special, continues: true }, signal, mostTokens);
  const before = { content: contentOf(state), edits: state.edits };
  return { ...continued(before, added), start, from, nDocument: state.ground.nDocument };
}

/** The state of the session after the answer has ended. */
export function stateAfter(
  before: State,
  begun: Begun,
  { said, followsTemplate: isFollowed, edits: made }: Generation,
  added: readonly SaidMessage[],
): State {
  const { start, from, rendered, content, nDocument } = begun;
  const ids = concatenate(content.ids, said);
  const edits = editsWithin(made, ids.length);
  const ground = { base: content.base, parts: content.parts, nDocument };
  const change = { added, start, from, edits, ground, ids };
  if (!rendered) {
    const { nSaid } = before;
    return nextState(before, { ...change, nSaid, isChat: false, lastAnswer: undefined });
  }
  const nSaid = messagesOf(before).length + added.length;
  const lastAnswer = { text: rendered.text + rendered.gap, isFollowed, ids: said };
  return nextState(before, { ...change, nSaid, isChat: true, lastAnswer });
}
