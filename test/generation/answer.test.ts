/** What a generation says, and the ids that say it: against plain strings. */
import { Answer } from '../../lib/generation/answer.js';
import { Detokenizer } from '../../lib/text/detokenizer.js';
import { Random } from '../random.js';

/** Tokens of one to three characters, of single bytes, of a part of a character and more, and a special one without text. */
const TOKENS = [
  'a',
  'b',
  'ab',
  'ba\n',
  '\n',
  ' ',
  ' a',
  'é',
  'END',
  'E',
  'N',
  'D',
  'x END y',
  '',
].map((text) => Buffer.from(text));
for (const bytes of [[0xc3], [0xa9], [0xc3, 0xa9, 0x45], [0xf0, 0x9f], [0x98, 0x80], [0xff]])
  TOKENS.push(Buffer.from(bytes));

const decode = (ids: ArrayLike<number>) =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Buffer.concat(Array.from(ids, (id) => TOKENS[id]!)),
  );

const answerOf = (stops: string[], gap: string) => {
  const answer = new Answer(new Detokenizer((id) => TOKENS[id]!), stops);
  answer.gap = gap;
  return answer;
};

const drawn = (id: number) => ({ id, logprob: -1 });

test('text, pieces and tokens agree, stop strings and the gap are no part of them, and the ids say the text', () => {
  const random = new Random(5);
  for (let round = 0; round < 4000; round++) {
    const ids = Array.from({ length: random.below(12) }, () => random.below(TOKENS.length));
    const stops = random.below(2) ? [['END', '\na', 'é'][random.below(3)]!] : [];
    const gap = ['', ' ', '\n'][random.below(3)]!;
    const answer = answerOf(stops, gap);
    let ready = 0;
    for (const id of ids) {
      if (answer.isStopped) break;
      answer.push(drawn(id), []);
      expect(answer.nReady).toBeGreaterThanOrEqual(ready);
      ready = answer.nReady;
    }
    const given = answer.tokens.slice(0, ready).map(({ text }) => text);
    answer.end();
    const raw = decode(ids);
    const whole = gap !== '' && raw.startsWith(gap) ? raw.slice(gap.length) : raw;
    const stop = stops.map((text) => whole.indexOf(text)).find((at) => at >= 0) ?? whole.length;
    expect(answer.text).toBe(whole.slice(0, stop));
    expect(answer.pieces.map(({ text }) => text).join('')).toBe(answer.text);
    // What was ready did not change later.
    expect(answer.tokens.slice(0, ready).map(({ text }) => text)).toEqual(given);
    expect(answer.nReady).toBe(answer.tokens.length);
    const said = answer.said();
    const kept = raw.length === whole.length ? answer.text : gap + answer.text;
    if (said.rest === '') expect(decode(said.ids)).toBe(kept);
    else expect(decode(said.ids) + said.rest).toBe(kept);
    if (stop === whole.length) expect(Array.from(said.ids)).toEqual(ids);
  }
});

test('an answer that is left ends with what was given out, whatever came since', () => {
  const random = new Random(6);
  for (let round = 0; round < 2000; round++) {
    const ids = Array.from({ length: 1 + random.below(12) }, () => random.below(TOKENS.length));
    const answer = answerOf(['END'], '');
    for (const id of ids) if (!answer.isStopped) answer.push(drawn(id), []);
    const piece = answer.pieces[random.below(answer.pieces.length + 1)];
    const read = answer.pieces.slice(0, piece ? answer.pieces.indexOf(piece) + 1 : 0);
    answer.endAfter(read.at(-1)?.nTokens ?? 0);
    answer.end(); // nothing more comes of that
    const text = read.map((one) => one.text).join('');
    expect(answer.text).toBe(text);
    const { ids: said, rest } = answer.said();
    expect(decode(said) + rest).toBe(text);
  }
});

test('a token whose text is held back is not ready, nor is one of half a character', () => {
  const answer = answerOf(['END'], '\n');
  const push = (text: string | number[]) => {
    const bytes = Buffer.from(text as string);
    answer.push(drawn(TOKENS.findIndex((token) => token.equals(bytes))), []);
    return [answer.nReady, answer.text];
  };
  expect(push('\n')).toEqual([1, '']); // the template's
  expect(push('a')).toEqual([2, 'a']);
  expect(push('E')).toEqual([2, 'a']);
  expect(push('N')).toEqual([3, 'a']);
  expect(push('a')).toEqual([5, 'aENa']);
  expect(push([0xc3])).toEqual([5, 'aENa']);
  answer.end();
  expect([answer.nReady, answer.text]).toEqual([6, 'aENa\ufffd']);
});
