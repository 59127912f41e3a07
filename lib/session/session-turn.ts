/**
 * What a turn of a session asks the model: the ids of its context so far, as far as they say what the template makes of the
 * conversation now, and those of the rest. So what was computed is used, answers keep the ids that were generated, and a
 * template that shows an earlier turn otherwise than it did is followed.
 */
import type { Rendered } from '../chat/conversations.js';
import type { SaidMessage } from '../chat/guard-names.js';
import { concatenate } from '../engine/engine-context.js';
import type { EngineContext, PromptOptions } from '../engine/engine-context.js';
import type { Generation, Prompt } from '../generation/generation.js';
import { idsOf, messagesOf, nextState } from './session-state.js';
import type { State } from './session-state.js';
import { sameText } from '../text/same-text.js';

/** A turn whose answer is still to come. */
export interface Begun extends Prompt {
  /** Where in the context the template's text begins, and with which message. */
  start: number;
  from: number;
  /** The template's text, and the white space that it writes before an answer. */
  rendered?: { text: string; gap: string };
}

export type TurnOptions = Omit<PromptOptions, 'specialTokens'>;

export async function beginChat(
  engine: EngineContext,
  state: State,
  added: readonly SaidMessage[],
  options: TurnOptions,
): Promise<Begun> {
  const ids = idsOf(state);
  // Text that no message tells of stays; what has not been said goes after it.
  const isNew = ids.length > 0 && !state.isChat;
  const from = isNew ? state.nSaid : state.from;
  const before = isNew ? ids : beforeChat(engine, state, ids, options);
  const messages = [...messagesOf(state).slice(from), ...added];
  const [rendered, gap] = await Promise.all([
    engine.conversations.prompt(messages, options),
    engine.conversations.gap(options),
  ]);
  const { text, systemMerged } = rendered;
  const rest = isNew ? undefined : restOf(state, rendered, added.length);
  const all =
    rest === undefined
      ? await merged(engine, ids, before, text, options)
      : await continued(engine, state, rest, options);
  const start = before.length;
  return { ids: all, gap: gap.said, systemMerged, start, from, rendered: { text, gap: gap.text } };
}

/** Where the session stands once the answer has ended. */
export function stateAfter(
  before: State,
  begun: Begun,
  { said, followsTemplate: isFollowed }: Generation,
  added: readonly SaidMessage[],
): State {
  const { start, from, rendered } = begun;
  const ids = concatenate(begun.ids, said);
  if (!rendered) {
    const { nSaid } = before;
    return nextState(before, {
      added,
      nSaid,
      start,
      from,
      isChat: false,
      ids,
      lastAnswer: undefined,
    });
  }
  const nSaid = messagesOf(before).length + added.length;
  const lastAnswer = { text: rendered.text + rendered.gap, isFollowed, ids: said };
  return nextState(before, { added, nSaid, start, from, isChat: true, ids, lastAnswer });
}

/** What stands before the conversation: a context, or text that was completed. */
function beforeChat(
  engine: EngineContext,
  state: State,
  ids: Int32Array,
  { context }: TurnOptions,
): Int32Array {
  if (ids.length > 0) return ids.subarray(0, state.start);
  return context === undefined ? ids : engine.tokensOf(context);
}

/** What the template says after the last answer, if it says the same as before up to there. */
function restOf(
  { lastAnswer }: State,
  { text, contents }: Rendered,
  nAdded: number,
): string | undefined {
  if (!lastAnswer?.isFollowed) return undefined;
  const said = lastAnswer.text + contents.at(-1 - nAdded)!;
  return text.startsWith(said) ? text.slice(said.length) : undefined;
}

/** The context with what the template says after the last answer. */
async function continued(
  engine: EngineContext,
  state: State,
  rest: string,
  { signal }: TurnOptions,
): Promise<Int32Array> {
  const ids = idsOf(state);
  const last = state.lastAnswer!.ids.at(-1);
  if (last === undefined || !engine.tokenizer.isSpecial(last))
    return concatenate(ids, await encodeAfter(engine, ids.at(-1)!, rest, signal));
  // The answer ended with a token of the model's. The template ends it so, too, or otherwise.
  const name = engine.tokenizer.name(last);
  const isSame = name !== '' && rest.startsWith(name);
  const encoded = isSame ? await engine.encode(rest, { special: true }, signal) : undefined;
  if (encoded?.[0] === last) return concatenate(ids, encoded.subarray(1));
  const answered = ids.subarray(0, -1);
  return concatenate(answered, await encodeAfter(engine, answered.at(-1)!, rest, signal));
}

/** The context as far as it says the text, and then the text's own ids. */
async function merged(
  engine: EngineContext,
  ids: Int32Array,
  before: Int32Array,
  text: string,
  { context, signal }: TurnOptions,
): Promise<Int32Array> {
  const isFirst = before.length === 0 || before.length === context?.length;
  const fresh = isFirst
    ? await engine.encode(text, { special: true, bos: before.length === 0 }, signal)
    : await encodeAfter(engine, before.at(-1)!, text, signal);
  const asked = before.length === 0 ? fresh : engine.withoutBos(fresh);
  const old = ids.subarray(before.length);
  const { first, second } = sameText(engine.tokenizer, old, asked);
  return concatenate(concatenate(before, old.subarray(0, first)), asked.subarray(second));
}

/** Text of the template that goes on from token `last`: it begins with a space only after a special token. */
function encodeAfter(
  engine: EngineContext,
  last: number,
  text: string,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const continues = !engine.tokenizer.isSpecial(last);
  return engine.encode(text, { special: true, continues }, signal);
}
