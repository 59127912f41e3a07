import { compression } from '../../lib/cli/compress-flag.js';

test.each([
  ['snap:512', { policy: 'snap', budget: 512 }],
  ['chelsea:25%', { policy: 'chelsea', keep: 0.25 }],
  ['key-norm:0.5', { policy: 'key-norm', keep: 0.5 }],
  ['recent:100%', { policy: 'recent', keep: 1 }],
  ['window:1024', { policy: 'window', window: 1024 }],
  ['{"policy":"snap","keep":0.5,"split":"mass"}', { policy: 'snap', keep: 0.5, split: 'mass' }],
])('%s', (text, expected) => expect(compression(text)).toEqual(expected));

test.each([
  ['', /as snap:512/],
  ['snap', /as snap:512/],
  ['snap:', /as snap:512/],
  ['snap:-3', /as snap:512/],
  ['snap:1.5', /an integer/],
  ['snap:200%', /0 to 1/],
  ['snap:0', /keep/],
  ['none:3', /one of window, recent/],
  ['window:50%', /integer/],
  ['razor:3', /unknown option/],
  ['compress-kv:30', /cachalot heads/],
  ['{"policy":', /JSON/],
  ['{"policy":"snap"}', /either `keep` or `budget`/],
])('"%s" is refused', (text, message) => expect(() => compression(text)).toThrow(message));
