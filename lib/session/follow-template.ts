/**
 * The ids of a context that is to say what the template makes of a conversation now: those of the context so far, as far as they
 * say it, and those of the rest. A template may show an earlier turn otherwise than it did, and begin or end an answer otherwise
 * than the model has.
 */
import type { Rendered } from '../chat/conversations.js';
import { concatenate } from '../engine/engine-parts.js';
import type { EngineParts, PromptOptions } from '../engine/engine-parts.js';
import { sameText } from '../text/same-text.js';
import { idsOf } from './session-state.js';
import type { State } from './session-state.js';

export type TurnOptions = Omit<PromptOptions, 'specialTokens'>;

/** A conversation with `nAdded` new messages as the template has it now; `before` stands before the template's text. */
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
  engine: EngineParts,
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

/** Text of the template that goes on from token `last`: it begins with a space only after a special token. */
function encodeAfter(
  engine: EngineParts,
  last: number,
  text: string,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const continues = !engine.tokenizer.isSpecial(last);
  return engine.encode(text, { special: true, continues }, signal);
}
