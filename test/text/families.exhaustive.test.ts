/**
 * Ids against Hugging Face's tokenizers in Rust, on awkward and random texts, of each family's own tokenizer.json: as the file
 * gives them, and as a GGUF file of the same vocabulary would, where only tokens, merges and the name of a pre-tokenizer are
 * left. The files and the library are not ours: `npm run pull:tokenizers` fetches them, and without them these tests are skipped.
 */
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { readTokenizerJson } from '../../lib/text/tokenizer-json.js';
import { Random } from '../random.js';
import { randomText } from './random-texts.js';
import {
  STEPS,
  asGguf,
  fileOf,
  hasReference,
  readJson,
  reference,
  withSteps,
} from './reference.js';
import type { Json } from './reference.js';

const TEXTS = 2000;

interface Family {
  /** Of the file that `npm run pull:tokenizers` fetches. */
  name: string;
  /** Its name in GGUF files; none for SentencePiece, or where GGUF has no such tokenizer. */
  pre?: string;
  sentencePiece?: boolean;
}

const FAMILIES: Record<string, Family> = {
  llama2: { name: 'llama2', sentencePiece: true },
  llama3: { name: 'llama3', pre: 'llama-bpe' },
  'llama 3.2': { name: 'llama3.2', pre: 'llama-bpe' },
  mistral: { name: 'mistral' },
  'mistral nemo': { name: 'mistral-nemo', pre: 'tekken' },
  qwen: { name: 'qwen', pre: 'qwen2' },
  qwen3: { name: 'qwen3', pre: 'qwen2' },
  yi: { name: 'yi' },
  gpt2: { name: 'gpt2', pre: 'gpt-2' },
  'gpt-4o': { name: 'o200k', pre: 'gpt-4o' },
  'command r': { name: 'command-r', pre: 'command-r' },
  gemma: { name: 'gemma' },
  deepseek: { name: 'deepseek', pre: 'deepseek-v3' },
};

const AWKWARD = [
  '',
  ' ',
  '  ',
  ' a',
  'Hello, world!',
  "I'll don't WE'RE it's",
  'tabs\tand\nnew\r\nlines\n\n\n  indented',
  'trailing spaces   ',
  '1234567890 3.14159 1,000,000 x2 2x',
  'naïve café résumé Ångström',
  'e\u0301 combining, o\u0308, \u1e9b\u0323',
  '日本語のテキスト。中文文本,한국어 텍스트',
  '👍🏽👨‍👩‍👧‍👦🏳️‍🌈 emoji',
  'مرحبا שלום नमस्ते ไทย',
  'x\u0000y\u0001z\u007f',
  '\u200b\u200d\ufeff\u00a0\u3000\u0085',
  'snake_case camelCase SCREAMING_CASE kebab-case',
  'for (let i = 0; i < n; i++) { a[i] += "b"; } // done',
  'https://example.com/path?q=1&r=2#frag',
  '!!!???...---***',
  '▁ and Ġ and Ċ as text',
  'ǅ ǈ titlecase, ﬁ ligature, ½ ², Ⅷ,  ٤',
  'a'.repeat(300),
  'the '.repeat(100),
];

/** The names of a family's special tokens, in the middle of words and beside each other. */
function specialTexts(json: Json): string[] {
  const names = json.added_tokens!.filter((token) => token.special).map((token) => token.content);
  const some = [names[0]!, names.at(-1)!, names[Math.floor(names.length / 2)]!];
  return [
    ...some.map((name) => `before ${name} after`),
    ...some.map((name) => name + name),
    `x${some[0]}${some[1]} ${some[2]}\n`,
    `${some[0]!.slice(0, -1)}${some[0]}`,
  ];
}

/** As transformers loads them, whatever the file says: special tokens are found in the text as it is. */
const specialAsFound = (json: Json): Json => ({
  ...json,
  added_tokens: json.added_tokens!.map((token) =>
    token.special ? { ...token, normalized: false } : token,
  ),
});

/** Compares one by one: a difference says where it begins. */
async function check(tokenizer: TextTokenizer, json: Json): Promise<void> {
  const names = json.added_tokens!.map(({ content }) => content);
  const added_tokens = json.added_tokens!.filter((token) => !token.special);
  const [plain, special] = [reference({ ...json, added_tokens }), reference(specialAsFound(json))];
  const random = new Random(7);
  const texts = [
    ...AWKWARD,
    ...specialTexts(json),
    ...Array.from({ length: TEXTS }, () => randomText(random, names)),
  ];
  const differences: unknown[] = [];
  for (const text of texts) {
    for (const isSpecial of [false, true]) {
      const expected = await (isSpecial ? special : plain)(text);
      const ids = Array.from(tokenizer.encode(text, { special: isSpecial }));
      if (ids.join() !== expected.join()) differences.push({ text, isSpecial, ids, expected });
    }
  }
  expect([differences.length, differences[0]]).toEqual([0, undefined]);
}

const model = { bos: undefined, eos: undefined, stops: [], addBos: false, chatTemplate: undefined };

/** GGUF does not say "normalized": special tokens are found in the text as it is. */
const asFound = (json: Json): Json => ({
  ...json,
  added_tokens: json.added_tokens!.map((token) => ({ ...token, normalized: false })),
});

describe.each(Object.entries(FAMILIES))('%s', (_, { name, pre, sentencePiece }) => {
  const testHere = hasReference(name) ? test : test.skip;

  testHere('ids of its tokenizer.json equal the reference', async () => {
    await check(new TextTokenizer(await readTokenizerJson(fileOf(name), model)), readJson(name));
  });

  const inGguf = pre !== undefined || sentencePiece === true;
  (inGguf ? testHere : test.skip)('ids are the same from what a GGUF file keeps', async () => {
    const json = readJson(name);
    await check(new TextTokenizer(asGguf(json, pre)), asFound(json));
  });

  testHere('text comes back from its ids', async () => {
    const tokenizer = new TextTokenizer(await readTokenizerJson(fileOf(name), model));
    const composes = readJson(name).normalizer?.type === 'NFC';
    for (const text of AWKWARD) {
      if (pre === undefined && text.includes('▁')) continue;
      const same = composes ? text.normalize('NFC') : text;
      const decoded = tokenizer.decode(tokenizer.encode(text));
      expect(pre === undefined ? [same, ` ${same}`] : [same]).toContain(decoded);
    }
  });
});

describe.each(Object.entries(STEPS))('%s, with the vocabulary of GPT-2', (pre, steps) => {
  const testHere = hasReference('gpt2') ? test : test.skip;
  testHere('ids are those that the reference makes by its steps', async () => {
    const json = withSteps(readJson('gpt2'), steps);
    await check(new TextTokenizer(asGguf(json, pre)), json);
  });
});
