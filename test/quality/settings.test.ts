/** Settings as they are written on a command line. */
import { checkSettings, engineKey, parseSetting } from '../../lib/quality/settings.js';

test('a setting has options of loading, of requests, and another model', () => {
  const text =
    'small={"kv":{"format":"f32"},"stepTokens":64,"model":"b.gguf","compress":{"policy":"window","window":64}}';
  expect(parseSetting(text)).toEqual({
    name: 'small',
    model: 'b.gguf',
    load: { kv: { format: 'f32' }, stepTokens: 64 },
    compress: { policy: 'window', window: 64 },
  });
});

test('a drafter of a shorter context is an option of requests', () => {
  const text = 'follows={"draft":{"model":"b.gguf"},"draftContext":{"tokens":64}}';
  expect(parseSetting(text)).toMatchObject({
    load: { draft: { model: 'b.gguf' } },
    draftContext: { tokens: 64 },
  });
});

test.each([
  ['window', /NAME=JSON/],
  ['={}', /NAME=JSON/],
  ['baseline={}', /NAME=JSON/],
  ['a={', /the setting "a" is no JSON/],
  ['a=[1]', /a JSON object/],
  ['a={"windw":1}', /unknown option `windw`/],
  ['a={"signal":1}', /unknown option `signal`/],
  ['a={"kv":{"format":"int1"}}', /kv.format/],
  ['a={"compress":{"policy":"window"}}', /compress.window/],
  ['a={"model":7}', /model/],
  ['a={"draftContext":{"factor":-1}}', /draftContext.factor/],
])('%j is refused', (text, message) => {
  expect(() => parseSetting(text)).toThrow(message);
});

test('names must differ', () => {
  const two = [parseSetting('a={}'), parseSetting('a={"threads":1}')];
  expect(() => checkSettings(two)).toThrow(/a name of its own/);
});

test('what differs only in requests shares an engine', () => {
  const key = (text: string) => engineKey(parseSetting(text));
  expect(key('a={"compress":{"policy":"window","window":9},"threads":1}')).toBe(
    key('b={"threads":1}'),
  );
  expect(key('a={"threads":1,"stepTokens":9}')).toBe(key('b={"stepTokens":9,"threads":1}'));
  expect(key('a={"threads":1}')).not.toBe(key('b={"threads":2}'));
  expect(key('a={"model":"x"}')).not.toBe(key('b={}'));
});
