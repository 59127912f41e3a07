/**
 * Makes the ids of a context that says what the template now makes of a conversation. As far as the old context says the same text,
 * its ids are kept; the rest is tokenized. A template may now show an earlier turn differently, and it may begin or end an answer
 * differently from the model.
 */
import type { Rendered } from '../chat/conversations.js';
import { concatenate } from '../engine/engine-parts.js';
import type { EngineParts, PromptOptions } from '../engine/engine-parts.js';
import { sameText } from '../text/same-text.js';
import { idsOf } from './session-state.js';
import type { State } from './session-state.js';

export type TurnOptions = Omit<PromptOptions, 'specialTokens'>;

/** A conversation with `nAdded` new messages, as the template renders it now; `before` stands before the template's text. */
export async function followTemplate(
  engine: EngineParts,
  state: State,
  { before, rendered, nAdded }: { before: Int32Array; rendered: Rendered; nAdded: number },
  options: TurnOptions,
): Promise<Int32Array> {
  const rest = restOf(state, rendered, nAdded);
  return rest === undefined
    ? merged(engine, idsOf(state), before, rendered.text, options)
    : continued(engine, state, rest, options);
}

/** The template's text after the last answer, if its text up to there is the same as before. */
function restOf(
  { lastAnswer }: State,
  { text, contents }: Rendered,
  nAdded: number,
): string | undefined {
  if (!lastAnswer?.isFollowed) return undefined;
  const said = lastAnswer.text + contents.at(-1 - nAdded)!;
  return text.startsWith(said) ? text.slice(said.length) : undefined;
}

/** The context, followed by the template's text after the last answer. */
async function continued(
  engine: EngineParts,
  state: State,
  rest: string,
  { signal }: TurnOptions,
): Promise<Int32Array> {
  const ids = idsOf(state);
  const last = state.lastAnswer!.ids.at(-1);
  if (last === undefined || !engine.tokenizer.isSpecial(last))
    return concatenate(ids, await encodeAfter(engine, ids.at(-1)!, rest, signal));
  // The answer ended with one of the model's tokens. The template may end it with the same token or another one.
  const name = engine.tokenizer.name(last);
  const isSame = name !== '' && rest.startsWith(name);
  const encoded = isSame ? await engine.encode(rest, { special: true }, signal) : undefined;
  if (encoded?.[0] === last) return concatenate(ids, encoded.subarray(1));
  const answered = ids.subarray(0, -1);
  return concatenate(answered, await encodeAfter(engine, answered.at(-1)!, rest, signal));
}

/** The context as far as it says the text, followed by the ids of the rest of the text. */
async function merged(
  engine: EngineParts,
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

/** Text of the template that follows token `last`: a space is put before it only after a special token. */
function encodeAfter(
  engine: EngineParts,
  last: number,
  text: string,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const continues = !engine.tokenizer.isSpecial(last);
  return engine.encode(text, { special: true, continues }, signal);
}
