/**
 * Makes the ids of a context that says what the template now makes of a conversation. As far as the old context says the same text,
 * its ids are kept; the rest is tokenized. A template may now show an earlier turn differently, and it may begin or end an answer
 * differently from the model.
 */
import type { Rendered } from '../chat/conversations.js';
import { concatenate } from '../engine/engine-parts.js';
import type { EngineParts } from '../engine/engine-parts.js';
import { sameEnd } from '../text/same-end.js';
import { sameText } from '../text/same-text.js';
import type { Place, TurnOptions } from './place.js';
import { idsOf } from './session-state.js';
import type { State } from './session-state.js';

/** A conversation with `nAdded` new messages, as the template renders it now. */
export async function followTemplate(
  engine: EngineParts,
  state: State,
  { rendered, nAdded, ...place }: Place & { rendered: Rendered; nAdded: number },
  options: TurnOptions,
): Promise<Int32Array> {
  const rest = restOf(state, rendered, nAdded);
  return rest === undefined
    ? merged(engine, idsOf(state), place, rendered.text, options)
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
  { signal, mostTokens }: TurnOptions,
): Promise<Int32Array> {
  const ids = idsOf(state);
  const last = state.lastAnswer!.ids.at(-1);
  if (last === undefined || !engine.tokenizer.isSpecial(last))
    return concatenate(ids, await encodeAfter(engine, ids.at(-1)!, rest, signal, mostTokens));
  // The answer ended with one of the model's tokens. The template may end it with the same token or another one.
  const name = engine.tokenizer.name(last);
  const isSame = name !== '' && rest.startsWith(name);
  const encoded = isSame
    ? await engine.encode(rest, { special: true }, signal, mostTokens)
    : undefined;
  if (encoded?.[0] === last) return concatenate(ids, encoded.subarray(1));
  const answered = ids.subarray(0, -1);
  return concatenate(
    answered,
    await encodeAfter(engine, answered.at(-1)!, rest, signal, mostTokens),
  );
}

/** The context as far as it says the text, followed by the ids of the rest of the text; these end with the context's, if they are to be moved there. */
export async function merged(
  engine: EngineParts,
  ids: Int32Array,
  { before, nDocument, isFirst }: Place,
  text: string,
  { signal, mostTokens }: TurnOptions,
  isMoved = false,
): Promise<Int32Array> {
  const how = { special: true, bos: isFirst };
  const fresh =
    before.length === nDocument
      ? await engine.encode(text, how, signal, mostTokens)
      : await encodeAfter(engine, before.at(-1)!, text, signal, mostTokens);
  const asked = isFirst ? fresh : engine.withoutBos(fresh);
  const old = ids.subarray(before.length);
  const { first, second } = sameText(engine.tokenizer, old, asked);
  const all = concatenate(before, old.subarray(0, first));
  const [oldRest, rest] = [old.subarray(first), asked.subarray(second)];
  if (!isMoved) return concatenate(all, rest);
  const end = sameEnd(engine.tokenizer, oldRest, rest);
  const middle = concatenate(all, rest.subarray(0, rest.length - end.second));
  return concatenate(middle, oldRest.subarray(oldRest.length - end.first));
}

/** Text of the template that follows token `last`: a space is put before it only after a special token. */
function encodeAfter(
  engine: EngineParts,
  last: number,
  text: string,
  signal?: AbortSignal,
  mostTokens?: number,
): Promise<Int32Array> {
  const continues = !engine.tokenizer.isSpecial(last);
  return engine.encode(text, { special: true, continues }, signal, mostTokens);
}
