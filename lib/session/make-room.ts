/** What a session does when its conversation no longer fits into the context. */
import type { SaidMessage } from '../chat/guard-names.js';
import type { EngineParts } from '../engine/engine-parts.js';
import { CachalotError } from '../errors.js';
import type { TurnOptions } from './place.js';
import { revisedState } from './revise-session.js';
import { isBegun, messagesOf } from './session-state.js';
import type { State } from './session-state.js';
import type { Begun } from './session-turn.js';

/** A turn that was begun, and the state that it follows. */
export interface Following {
  state: State;
  begun: Begun;
}

/** After so many shifts what is left is computed anew: each stands on the text of the one before, whose memory it needs if it must be computed again. */
const MOST_SHIFTS = 2;

const sizeOf = ({ content }: Begun) => content.base.end + content.ids.length;

/** Whether an answer of `wanted` tokens has room after a prompt, or as much as a quarter of the context. */
export function isFull(begun: Begun, contextLength: number, wanted: number): boolean {
  return sizeOf(begun) + Math.min(wanted, Math.floor(contextLength / 4)) > contextLength;
}

/**
 * Leaves out the oldest turns, as many as it takes until the prompt fills at most half of the context; system messages stay. What
 * is left moves (context shift), and is computed anew after MOST_SHIFTS only.
 */
export async function withoutOldest(
  engine: EngineParts,
  state: State,
  begin: (state: State) => Promise<Begun>,
  options: TurnOptions,
): Promise<Following> {
  const { contextLength } = engine.core.native.description();
  const messages = messagesOf(state);
  const cuts = cutsOf(messages);
  const following = async (nCuts: number): Promise<Following> => {
    const edits = isBegun(state) ? state.edits : (options.before?.edits ?? []);
    const isMoved = edits.length === 0; // what was compressed is computed again
    const shown = without(messages, cuts[nCuts]!);
    const revision = { messages: shown, isMoved, mostDepth: MOST_SHIFTS };
    const shorter = await revisedState(engine, state, revision, options);
    return { state: shorter, begun: await begin(shorter) };
  };
  if (cuts.length === 0) return { state, begun: await begin(state) };
  let [low, high] = [0, cuts.length - 1]; // the fewest turns that are enough
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { begun } = await following(middle);
    if (sizeOf(begun) <= contextLength / 2) high = middle;
    else low = middle + 1;
  }
  return following(low);
}

/** Throws context_overflow if a prompt cannot be read whole. */
export function refuseFull(begun: Begun, contextLength: number): void {
  const n = sizeOf(begun);
  if (n < contextLength) return;
  throw new CachalotError(
    'context_overflow',
    `the conversation has ${n} tokens, and the context holds ${contextLength}: begin another session, or give this kind \`onFull: 'shift'\`, which leaves out the oldest turns, or \`compress: { policy: 'window', window: ${Math.floor(contextLength / 2)} }\`, which reads the last tokens only`,
  );
}

const isInstruction = ({ role }: SaidMessage) => role === 'system' || role === 'developer';

const nInstructions = (messages: readonly SaidMessage[]) => {
  const first = messages.findIndex((message) => !isInstruction(message));
  return first < 0 ? messages.length : first;
};

/** Where a conversation may begin instead: at each question but the first, or after all. */
function cutsOf(messages: readonly SaidMessage[]): number[] {
  const first = nInstructions(messages);
  const questions = messages.flatMap(({ role }, i) => (role === 'user' && i > first ? [i] : []));
  return first < messages.length ? [...questions, messages.length] : [];
}

function without(messages: readonly SaidMessage[], cut: number): SaidMessage[] {
  return [...messages.slice(0, nInstructions(messages)), ...messages.slice(cut)];
}
