/**
 * Ids against @huggingface/tokenizers on each family's own tokenizer.json: as the file itself gives them, and as a GGUF
 * file of the same vocabulary would, where only tokens, merges and the name of a pre-tokenizer are left. The files are not
 * ours: `npm run pull:tokenizers` fetches them, and without them these tests are skipped.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from '../../lib/models/cache-folder.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { readTokenizerJson } from '../../lib/text/tokenizer-json.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { TokenType } from '../../lib/text/vocabulary.js';
import type { TokenizerJson, Vocabulary } from '../../lib/text/vocabulary.js';
import type { GgufValue } from '../../lib/native.js';

const { Tokenizer } = require('@huggingface/tokenizers') as {
  Tokenizer: new (
    json: object,
    config: object,
  ) => { encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] } };
};

const fileOf = (name: string) => join(cacheFolder(), 'tokenizers', `${name}.json`);

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
  mistral: { name: 'mistral' },
  'mistral nemo': { name: 'mistral-nemo', pre: 'tekken' },
  qwen: { name: 'qwen', pre: 'qwen2' },
  gpt2: { name: 'gpt2', pre: 'gpt-2' },
  'gpt-4o': { name: 'o200k', pre: 'gpt-4o' },
  gemma: { name: 'gemma' },
  deepseek: { name: 'deepseek' },
};

type Json = TokenizerJson & {
  model: { vocab: Record<string, number>; merges: (string | string[])[] };
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
  '\u200b\u200d\ufeff\u00a0\u3000',
  'snake_case camelCase SCREAMING_CASE kebab-case',
  'for (let i = 0; i < n; i++) { a[i] += "b"; } // done',
  'https://example.com/path?q=1&r=2#frag',
  '!!!???...---***',
  '▁ and Ġ and Ċ as text',
  '\ud800 lone surrogate',
  'ǅ ǈ titlecase, ﬁ ligature, ½ ², Ⅷ',
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

/** What a GGUF file says of the same vocabulary. */
function asGguf(json: Json, { pre, sentencePiece }: Family): Vocabulary {
  const ids = [...Object.values(json.model.vocab), ...json.added_tokens!.map(({ id }) => id)];
  const size = ids.reduce((max, id) => Math.max(max, id), 0) + 1;
  const tokens = Array.from({ length: size }, (_, id) => `[unused ${id}]`);
  const types = new Float64Array(size).fill(TokenType.Unused);
  for (const [token, id] of Object.entries(json.model.vocab)) {
    tokens[id] = token;
    const isByte = sentencePiece && /^<0x[0-9A-F]{2}>$/.test(token);
    types[id] = isByte ? TokenType.Byte : TokenType.Normal;
  }
  for (const { id, content, special } of json.added_tokens!) {
    tokens[id] = content;
    types[id] = special ? TokenType.Control : TokenType.UserDefined;
    if (content === '<unk>') types[id] = TokenType.Unknown;
  }
  // A file of SentencePiece has scores in place of merges: what merges first has the highest.
  const scores = new Float64Array(size);
  const merges = json.model.merges.map((merge) => [merge].flat().join(' '));
  merges.forEach((merge, rank) => {
    const whole = json.model.vocab[merge.replace(' ', '')]!;
    if (scores[whole] === 0) scores[whole] = -1 - rank;
  });
  const own: Record<string, GgufValue> = sentencePiece
    ? { 'tokenizer.ggml.scores': scores }
    : { 'tokenizer.ggml.pre': pre!, 'tokenizer.ggml.merges': merges };
  return readVocabulary({
    tensors: [],
    metadata: {
      'tokenizer.ggml.model': sentencePiece ? 'llama' : 'gpt2',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': types,
      ...own,
    },
  });
}

const present = (family: Family) => existsSync(fileOf(family.name));

describe.each(Object.entries(FAMILIES))('%s', (_, family) => {
  const file = fileOf(family.name);
  const testHere = present(family) ? test : test.skip;
  let json: Json;
  let plain: object;
  beforeAll(() => {
    if (!present(family)) return;
    json = JSON.parse(readFileSync(file, 'utf8')) as Json;
    plain = { ...json, added_tokens: json.added_tokens!.filter((token) => !token.special) };
  });

  const check = (tokenizer: TextTokenizer, original: Json = json) => {
    const [reference, special] = [new Tokenizer(plain, {}), new Tokenizer(original, {})];
    const options = { add_special_tokens: false };
    for (const text of [...AWKWARD, ...specialTexts(json)]) {
      expect([text, Array.from(tokenizer.encode(text))]).toEqual([
        text,
        reference.encode(text, options).ids,
      ]);
      expect([text, Array.from(tokenizer.encode(text, { special: true }))]).toEqual([
        text,
        special.encode(text, options).ids,
      ]);
    }
  };

  testHere('ids equal the library on the original tokenizer.json', async () => {
    const model = { bos: undefined, eos: undefined, stops: [], addBos: false };
    check(new TextTokenizer(await readTokenizerJson(file, { ...model, chatTemplate: undefined })));
  });

  const inGguf = family.pre !== undefined || family.sentencePiece === true;
  (inGguf ? testHere : test.skip)('ids are the same from what a GGUF file keeps', () => {
    // GGUF does not say "normalized": special tokens are found in the text as it is.
    const added_tokens = json.added_tokens!.map((token) => ({ ...token, normalized: false }));
    check(new TextTokenizer(asGguf(json, family)), { ...json, added_tokens });
  });

  testHere('text comes back from its ids', async () => {
    const model = { bos: undefined, eos: undefined, stops: [], addBos: false };
    const tokenizer = new TextTokenizer(
      await readTokenizerJson(file, { ...model, chatTemplate: undefined }),
    );
    const sentencePiece = family.pre === undefined;
    for (const text of AWKWARD) {
      if (text.startsWith('\ud800') || (sentencePiece && text.includes('▁'))) continue;
      const decoded = tokenizer.decode(tokenizer.encode(text));
      const same = family.pre === 'qwen2' ? text.normalize('NFC') : text;
      expect(sentencePiece ? [same, ` ${same}`] : [same]).toContain(decoded);
    }
  });
});
