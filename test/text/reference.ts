/**
 * The reference for tokenizers: Hugging Face's library in Rust, with which models were trained. It is no part of the project:
 * `npm run pull:tokenizers` fetches it, and tokenizer.json files of several families.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from '../../lib/models/store/cache-folder.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { TokenType } from '../../lib/text/vocabulary.js';
import type { Step, TokenizerJson, Vocabulary } from '../../lib/text/vocabulary.js';
import type { GgufValue } from '../../lib/native.js';

interface RustTokenizer {
  encode(
    text: string,
    pair: null,
    options: { addSpecialTokens: boolean },
  ): Promise<{ getIds(): number[] }>;
  idToToken(id: number): string | null;
}

export type Json = TokenizerJson & {
  model: { vocab: Record<string, number>; merges: (string | string[])[] };
};

const folder = join(cacheFolder(), 'tokenizers');
const library = join(folder, 'rust');

export const fileOf = (name: string) => join(folder, `${name}.json`);

export const hasReference = (name: string) => existsSync(fileOf(name)) && existsSync(library);

export const readJson = (name: string) => JSON.parse(readFileSync(fileOf(name), 'utf8')) as Json;

/** Ids of a text. The library gives ids of its own to added tokens that are not where it expects them. */
export function reference(json: Json): (text: string) => Promise<number[]> {
  const { Tokenizer } = require(library) as {
    Tokenizer: { fromString(json: string): RustTokenizer };
  };
  const plain = { ...json, truncation: null, padding: null, post_processor: null, decoder: null };
  const tokenizer = Tokenizer.fromString(JSON.stringify(plain));
  const own = new Map(json.added_tokens!.map(({ content, id }) => [content, id]));
  return async (text) => {
    const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
    return encoding.getIds().map((id) => own.get(tokenizer.idToToken(id) ?? '') ?? id);
  };
}

/** What a GGUF file says of the same vocabulary; without a name of a pre-tokenizer it is SentencePiece's. */
export function asGguf(json: Json, pre: string | undefined): Vocabulary {
  const ids = [...Object.values(json.model.vocab), ...json.added_tokens!.map(({ id }) => id)];
  const size = ids.reduce((max, id) => Math.max(max, id), 0) + 1;
  const tokens = Array.from({ length: size }, (_, id) => `[unused ${id}]`);
  const types = new Float64Array(size).fill(TokenType.Unused);
  for (const [token, id] of Object.entries(json.model.vocab)) {
    tokens[id] = token;
    const isByte = pre === undefined && /^<0x[0-9A-F]{2}>$/.test(token);
    types[id] = isByte ? TokenType.Byte : TokenType.Normal;
  }
  for (const { id, content, special } of json.added_tokens!) {
    tokens[id] = content;
    types[id] = special ? TokenType.Control : TokenType.UserDefined;
    if (content === '<unk>') types[id] = TokenType.Unknown;
  }
  const merges = json.model.merges.map((merge) => [merge].flat().join(' '));
  const own: Record<string, GgufValue> =
    pre === undefined
      ? { 'tokenizer.ggml.scores': scoresOf(json, merges, size) }
      : { 'tokenizer.ggml.pre': pre, 'tokenizer.ggml.merges': merges };
  return readVocabulary({
    tensors: [],
    metadata: {
      'tokenizer.ggml.model': pre === undefined ? 'llama' : 'gpt2',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': types,
      ...own,
    },
  });
}

/** A file of SentencePiece has scores in place of merges: what merges first has the highest. */
function scoresOf({ model }: Json, merges: string[], size: number): Float64Array {
  const scores = new Float64Array(size);
  merges.forEach((merge, rank) => {
    const whole = model.vocab[merge.replace(' ', '')]!;
    if (scores[whole] === 0) scores[whole] = -1 - rank;
  });
  return scores;
}

const isolated = (Regex: string): Step => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});
const bytes = (use_regex: boolean): Step => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const digits: Step = { type: 'Digits', individual_digits: true };
const IDEOGRAPHS = '[一-龥ࠀ-一가-퟿]+';

interface Steps {
  normalizer?: Step;
  steps: Step[];
  ignoreMerges?: boolean;
}

/** Steps as they stand in the tokenizer.json of families whose files are not on npm, by their names in GGUF files. */
export const STEPS: Record<string, Steps> = {
  smollm: { steps: [digits, bytes(true)] },
  qwen35: {
    normalizer: { type: 'NFC' },
    steps: [
      isolated(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
      bytes(false),
    ],
  },
  'seed-coder': {
    normalizer: { type: 'NFC' },
    steps: [
      isolated(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
      ),
      bytes(false),
    ],
  },
  minicpm5: {
    steps: [
      isolated('\\p{N}{1,3}'),
      isolated(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
      bytes(false),
    ],
    ignoreMerges: true,
  },
  'deepseek-llm': {
    steps: [
      isolated('[\r\n]'),
      isolated(
        '\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+',
      ),
      isolated('\\s?[!-/:-~！-／：-～‘-‟　-。]+'),
      isolated('\\s+$'),
      isolated(IDEOGRAPHS),
      digits,
      bytes(false),
    ],
  },
  'deepseek-coder': {
    steps: [
      ...['[\r\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', IDEOGRAPHS].map(isolated),
      digits,
      bytes(false),
    ],
  },
  viking: { steps: [isolated(' ?[^(\\s|[.,!?…。，、।۔،])]+'), digits, bytes(false)] },
};

/** A vocabulary with another family's steps: what they cut is the same, whatever the pieces are merged to. */
export function withSteps(json: Json, { normalizer, steps, ignoreMerges = false }: Steps): Json {
  return {
    ...json,
    normalizer: normalizer ?? null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: steps },
    model: { ...json.model, ignore_merges: ignoreMerges } as Json['model'],
  };
}
