/** States of conversations against plain copies of everything. */
import { NOTHING } from '../../lib/layout/layout.js';
import { firstState, idsOf, messagesOf, nextState } from '../../lib/session/session-state.js';
import type { State } from '../../lib/session/session-state.js';
import { Random } from '../random.js';

interface Plain {
  state: State;
  ids: number[];
  messages: string[];
}

const ground = { base: NOTHING, parts: [], nDocument: 0 };
const place = { nSaid: 0, start: 0, from: 0, isChat: true, ground };
const nothing = { ...place, edits: [], lastAnswer: undefined };
const said = (content: string) => ({ role: 'user' as const, content });

/** Adds tokens and a message; one turn in some changes the context from somewhere on, as some templates do. */
function turn({ state, ids, messages }: Plain, random: Random): Plain {
  const kept = random.below(4) === 0 ? ids.slice(0, random.below(ids.length + 1)) : ids;
  const all = [...kept, ...Array.from({ length: random.below(6) }, () => random.below(3))];
  const text = String(random.next());
  const change = { ...nothing, added: [said(text)] };
  return {
    state: nextState(state, { ...change, ids: Int32Array.from(all) }),
    ids: all,
    messages: [...messages, text],
  };
}

test('after turns, changed contexts, rewinds and forks every state has its own ids and messages', () => {
  const random = new Random(7);
  const known: Plain[] = [{ state: firstState([said('x')]), ids: [], messages: ['x'] }];
  for (let i = 0; i < 400; i++) {
    // From the last state, or from any: an edit, a rewind or a fork.
    const from = random.below(3) === 0 ? random.below(known.length) : known.length - 1;
    known.push(turn(known[from]!, random));
  }
  for (const { state, ids, messages } of known) {
    expect(Array.from(idsOf(state))).toEqual(ids);
    expect(messagesOf(state).map(({ content }) => content)).toEqual(messages);
    expect(state.turns).toBe(messages.length - 1);
  }
});

test('thousands of turns hold each token and each message once', () => {
  let state = firstState([]);
  const all = Int32Array.from({ length: 4000 }, (_, i) => i);
  for (let i = 0; i < 2000; i++) {
    const ids = all.slice(0, 2 * i + 2);
    const added = [said('a'), said('b')];
    state = nextState(state, { ...nothing, added, ids });
  }
  let [tokens, bytes, messages, wholes] = [0, 0, 0, 0];
  for (let at: State | undefined = state; at; at = at.before) {
    tokens += at.ids.length;
    bytes += at.ids.buffer.byteLength;
    messages += at.added.length;
    wholes += Number(at.whole !== undefined);
  }
  expect([tokens, bytes, messages, wholes]).toEqual([4000, 16_000, 4000, 1]);
});
