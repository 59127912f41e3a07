/** Names of special tokens in users' text: found as ever, but in a number of steps that no vocabulary can make large. */
import fc from 'fast-check';

import { EngineParts } from '../../lib/engine/engine-parts.js';
import type { EngineCore } from '../../lib/engine/engine-core.js';
import { NameBreaker } from '../../lib/text/name-breaker.js';
import { checkNames } from '../../lib/text/name-limits.js';
import { StopStrings } from '../../lib/text/stop-strings.js';
import { StringAutomaton } from '../../lib/text/string-automaton.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { TokenizerThread } from '../../lib/text/tokenizer-thread.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { readTinyVocabulary } from '../fixtures/tiny-vocabulary.js';
import { referenceBreaker } from '../reference/name-breaker.js';

const MARK = '\ufdd0\ufdd1\ufdd2';
const string = (alphabet: string, maxLength: number, minLength = 0) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });

const places = (text: string) => {
  const pieces = text.split(MARK).map(({ length }) => length);
  return pieces.slice(0, -1).map((_, i) => pieces.slice(0, i + 1).reduce((a, b) => a + b));
};

/** As those of models are: no end of one begins another. */
const bracketed = fc.array(
  string('ab[.*', 4).map((inside) => `<${inside}>`),
  { maxLength: 8 },
);

test('names that do not overlap are broken, found and counted as regular expressions do', () => {
  fc.assert(
    fc.property(bracketed, string('<>ab[.*', 40), (names, text) => {
      const [ours, reference] = [new NameBreaker(names, null, MARK), referenceBreaker(names, MARK)];
      for (const method of ['break', 'breakAll', 'count', 'first'] as const)
        expect(ours[method](text)).toEqual(reference[method](text));
    }),
    { numRuns: 400 },
  );
});

test('of any names none is left, nothing else is changed, and what overlaps may be marked once more', () => {
  const names = fc.array(string('abc', 6), { maxLength: 8 });
  fc.assert(
    fc.property(names, string('abc', 40), (given, text) => {
      const [ours, reference] = [new NameBreaker(given, null, MARK), referenceBreaker(given, MARK)];
      for (const method of ['breakAll', 'count', 'first'] as const)
        expect(ours[method](text)).toEqual(reference[method](text));
      const broken = ours.break(text);
      expect(broken.replaceAll(MARK, '')).toBe(text);
      expect(reference.count(broken)).toBe(0);
      expect(places(broken)).toEqual(expect.arrayContaining(places(reference.break(text))));
      // At each place a name begins, or what is the beginning of one at the end.
      const begins = (at: number) =>
        given.some(
          (name) => name.length > 1 && name.startsWith(text.slice(at).slice(0, name.length)),
        );
      for (const place of places(broken)) expect(begins(place - 1)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test('a normal form is applied before names are looked for', () => {
  const breaker = new NameBreaker(['</s>'], { type: 'NFKC' }, MARK);
  expect(breaker.break('x＜/s＞')).toBe(`x<${MARK}/s>`);
  expect(breaker.protect('x＜')).toEqual({ broken: `x<${MARK}`, strict: `x<${MARK}` });
  const lower = new NameBreaker(['<s>'], { type: 'Lowercase' }, MARK);
  expect(lower.break('<S>')).toBe(`<${MARK}s>`);
});

/** How often an automaton looks for a child of a state while `run` runs. */
function stepsOf(run: () => void): number {
  const spy = jest.spyOn(StringAutomaton.prototype as unknown as { child(): number }, 'child');
  run();
  const steps = spy.mock.calls.length;
  spy.mockRestore();
  return steps;
}

const alike = (n: number, length: number) =>
  Array.from({ length: n }, (_, i) => 'a'.repeat(length) + i.toString(36));

test.each([
  ['many', Array.from({ length: 3000 }, (_, i) => `<|${i}|>`), '<|1'],
  ['long', ['a'.repeat(255) + 'b', 'b' + 'a'.repeat(255)], 'a'],
  ['alike', alike(1000, 200), 'a'],
  ['overlapping themselves', Array.from({ length: 200 }, (_, i) => 'a'.repeat(i + 1)), 'a'],
])('a text takes a few steps per character, for names that are %s', (_, names, unit) => {
  const breaker = new NameBreaker(names, null, MARK);
  const text = unit.repeat(Math.ceil(2000 / unit.length));
  const steps = stepsOf(() => {
    breaker.break(text);
    breaker.breakAll(text);
    breaker.count(text);
    breaker.first(text);
  });
  expect(steps).toBeLessThan(10 * text.length);
});

test('a name as long as the limit makes no invalid expression, and is broken', () => {
  const name = `<${'('.repeat(254)}>`;
  const breaker = new NameBreaker([name], null, MARK);
  expect(breaker.break(`x${name}y`)).toBe(`x<${MARK}${name.slice(1)}y`);
});

test.each([
  ['too many', Array.from({ length: 300_000 }, () => '<>'), 'at most 262144'],
  ['one too long', ['a'.repeat(257)], 'at most 256'],
  [
    'too much',
    Array.from({ length: 11_000 }, (_, i) => `${i}`.padEnd(200, 'x')),
    'at most 2097152',
  ],
  ['of the characters of marks', ['<\ufdd5>'], 'U+FDD0'],
])('added tokens that are %s are refused, and the limit is named', (_, contents, limit) => {
  expect(() => checkNames(contents.map((content) => ({ content })))).toThrow(
    expect.objectContaining({
      code: 'tokenizer_invalid',
      message: expect.stringContaining(limit) as string,
    }) as Error,
  );
});

test('a token for each of 90,000 patches of a picture is fine', () => {
  const names = Array.from({ length: 90_000 }, (_, i) => `<|visual token ${i}|>`);
  expect(checkNames(names.map((content) => ({ content })))).toBe(22);
  const breaker = new NameBreaker(names, null, MARK);
  expect(breaker.count('a<|visual token 89999|><|visual token 90000|>')).toBe(1);
});

test('a vocabulary with a hostile name is refused when its tokenizer is made', () => {
  const vocabulary = readTinyVocabulary();
  const { added_tokens = [] } = vocabulary.tokenizerJson;
  added_tokens.push({ id: 5, content: 'a'.repeat(100_000), special: true });
  expect(() => new TextTokenizer(vocabulary)).toThrow(
    expect.objectContaining({ code: 'tokenizer_invalid' }) as Error,
  );
});

test('text for a vocabulary with unusually long names is cut in the worker', () => {
  const vocabulary = readTinyVocabulary();
  expect(new TextTokenizer(vocabulary).table.isTrusted).toBe(true);
  vocabulary.tokenizerJson.added_tokens!.push({ id: 5, content: 'a'.repeat(200), special: true });
  expect(new TextTokenizer(vocabulary).table.isTrusted).toBe(false);
});

test('names in long conversations are looked for in the worker, with the same answer', async () => {
  const template = "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}";
  const { path } = await writeTinyModel({ template });
  const core = {
    native: { description: () => ({ contextLength: 1e6 }) },
    dispose: () => undefined,
  };
  const thread = await TokenizerThread.open(path);
  const context = new EngineParts(core as unknown as EngineCore, thread, {
    namespace: '',
    chatTemplate: undefined,
    draft: false,
  });
  const here = jest.spyOn(NameBreaker.prototype, 'protect');
  const counts = jest.spyOn(NameBreaker.prototype, 'count');
  const ends = async (content: string) =>
    (await context.encodeWhole([{ role: 'user', content }])).content.ids.filter((id) => id === 2)
      .length;
  try {
    expect(await ends('a </s> < b ')).toBe(1);
    expect([here.mock.calls.length, counts.mock.calls.length]).toEqual([1, 2]);
    expect(await ends('a </s> < b '.repeat(4000))).toBe(1);
    expect([here.mock.calls.length, counts.mock.calls.length]).toEqual([1, 2]);
  } finally {
    await context.dispose();
    here.mockRestore();
    counts.mockRestore();
  }
});

test('pieces whose cuts would take for ever are refused before they are cut', () => {
  const tokens = Array.from({ length: 5000 }, (_, i) => `${i}`.padEnd(256, 'x'));
  expect(() =>
    readVocabulary({
      metadata: {
        'tokenizer.ggml.model': 'llama',
        'tokenizer.ggml.tokens': tokens,
        'tokenizer.ggml.scores': new Float64Array(tokens.length),
      },
      tensors: [],
    }),
  ).toThrow(expect.objectContaining({ code: 'tokenizer_invalid' }) as Error);
});

test('stop strings end a text where the first of them begins, however it comes in pieces', () => {
  const reference = (stops: readonly string[], pieces: readonly string[]) => {
    let held = '';
    for (const [i, piece] of pieces.entries()) {
      const text = held + piece;
      const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
      const before = pieces.slice(0, i).join('').length - held.length;
      if (found.length > 0) return pieces.join('').slice(0, before + Math.min(...found));
      const starts = Array.from(text, (_, at) => at);
      const keep = starts.find((at) => stops.some((stop) => stop.startsWith(text.slice(at))));
      held = keep === undefined ? '' : text.slice(keep);
    }
    return pieces.join('');
  };
  fc.assert(
    fc.property(
      fc.array(string('ab', 6, 1), { maxLength: 5 }),
      fc.array(string('abc', 5)),
      (stops, pieces) => {
        const filter = new StopStrings(stops);
        const out = pieces.map((piece) => filter.push(piece)).join('') + filter.end();
        expect(out).toBe(reference(stops, pieces));
      },
    ),
    { numRuns: 400 },
  );
});

test('a long stop string takes a few steps per character of the answer', () => {
  const stops = Array.from({ length: 64 }, (_, i) => 'a'.repeat(2000) + 'b'.repeat(i + 1));
  let steps = 0;
  steps += stepsOf(() => {
    const filter = new StopStrings(stops);
    steps -= stepsOf(() => undefined);
    for (let i = 0; i < 4000; i++) filter.push('a');
  });
  expect(steps).toBeLessThan(3 * 4000 + 3 * 64 * 66 + 3 * 2000);
});

test('lists of texts at which repetitions end are told apart by what they hold', async () => {
  const { path } = await writeTinyModel();
  const thread = await TokenizerThread.open(path);
  const one = await thread.tokensWith(['a\0b']);
  const two = await thread.tokensWith(['a', 'b']);
  await thread.dispose();
  expect(two.length).toBeGreaterThan(one.length);
});
