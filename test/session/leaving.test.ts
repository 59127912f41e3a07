/** What a loop has given, what the result says and what the session goes on from are the same, however an answer ends. */
import { setImmediate as turn } from 'node:timers/promises';

import type { Generation } from '../../lib/generation/generation.js';
import { Session } from '../../lib/session/session.js';
import { ScriptedEngine } from '../fixtures/scripted-engine.js';

const TEMPLATE =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
const BYTE = 3;
const letters = (text: string) => Array.from(Buffer.from(text), (byte) => BYTE + byte);

let engine: ScriptedEngine;
beforeAll(async () => void (engine = await ScriptedEngine.open(TEMPLATE)));
afterAll(() => engine[Symbol.asyncDispose]());

/** A session that is being answered with `text`, letter by letter. */
function answering(text: string, options = {}): { session: Session; generation: Generation } {
  engine.next = letters(text);
  const session = new Session(engine.parts, {});
  return { session, generation: session.chat('Hi', options) };
}

/** The text of the context behind the prompt. */
const answerOf = (session: Session) => engine.text(session.tokens.slice(engine.prompt.length));

test('`stop()`: the loop gets what was held back, and so does the result', async () => {
  const { session, generation } = answering('abc ENx'.repeat(50), { stop: 'END' });
  let text = '';
  for await (const piece of generation) {
    text += piece;
    // "EN" is held back as long as it may become the stop string.
    if (text.endsWith('c ')) {
      await turn();
      await turn();
      generation.stop();
    }
  }
  const result = await generation.result;
  expect(result).toMatchObject({ text, finishReason: 'aborted' });
  expect(text.length).toBeLessThan(100);
  expect(answerOf(session)).toBe(text);
  expect(session.messages.at(-1)!.content).toBe(text);
});

test.each([1, 3, 7])(
  '`break` after %d pieces: what the loop has seen is what was said',
  async (n) => {
    const { session, generation } = answering('abc ENx'.repeat(50), { stop: 'END' });
    const pieces: string[] = [];
    for await (const piece of generation) {
      pieces.push(piece);
      for (let i = 0; i < 5; i++) await turn(); // more has come meanwhile
      if (pieces.length === n) break;
    }
    const { text, finishReason, tokens } = await generation.result;
    expect([text, finishReason]).toEqual([pieces.join(''), 'aborted']);
    expect(tokens.length).toBeGreaterThanOrEqual(text.length);
    expect(answerOf(session)).toBe(text);
    expect(session.messages.at(-1)!.content).toBe(text);
  },
);

test('of two loops the one that has read more says what was said', async () => {
  const { generation } = answering('abcdefgh'.repeat(20));
  let [first, second] = ['', ''];
  const reader = (async () => {
    for await (const { text } of generation.tokens()) first += text;
  })();
  for await (const piece of generation) {
    second += piece;
    if (second.length === 9) break;
  }
  await reader;
  const { text } = await generation.result;
  expect(text).toBe(first.length > second.length ? first : second);
});

test('an answer whose reader leaves is aborted, also if it was about to end by itself', async () => {
  const { generation } = answering('ab');
  for await (const piece of generation) if (piece === 'b') break;
  expect(await generation.result).toMatchObject({ text: 'ab', finishReason: 'aborted' });
});

test('a stop string, and what stands behind it in its token, leave the context', async () => {
  const the = (await engine.parts.encode('the and', { continues: true })) as unknown as number[];
  const session = new Session(engine.parts, {});
  engine.next = [...letters('x '), ...the, ...letters('y')];
  const { text, finishReason } = await session.chat('Hi', { stop: 'e a' }).result;
  expect([text, finishReason]).toEqual(['x th', 'stop']);
  expect(answerOf(session)).toBe('x th');
  engine.next = letters('z');
  await session.chat('again').result;
  expect(engine.text(engine.prompt)).toContain('assistant\nx th<|im_end|>');
});

test('a stop string that is the name of a special token stops at that token', async () => {
  const end = engine.parts.tokenizer.specialId('<|end|>')!;
  engine.next = [...letters('ab'), end, ...letters('cd')];
  const session = new Session(engine.parts, {});
  const { text, finishReason } = await session.chat('Hi', { stop: ['<|end|>', 'zz'] }).result;
  expect([text, finishReason]).toEqual(['ab', 'stop']);
});

test('tokens whose text is still open are given when it is known', async () => {
  const { generation } = answering('aENb', { stop: 'END' });
  const texts: string[] = [];
  for await (const { text } of generation.tokens()) texts.push(text);
  expect(texts.join('')).toBe('aENb');
  expect((await generation.result).text).toBe('aENb');
});

test('a report that cannot be read ends an answer with an error: nobody waits for ever', async () => {
  const { report } = engine;
  engine.report = {};
  const { generation } = answering('abc');
  await expect(generation.result).rejects.toMatchObject({ code: 'internal' });
  const read = async () => {
    for await (const piece of generation) expect('abc').toContain(piece);
  };
  await expect(read()).rejects.toMatchObject({ code: 'internal' });
  engine.report = report;
});
