/**
 * How byte-level BPE cuts text before it merges, by the name in GGUF files (tokenizer.ggml.pre). The names are llama.cpp's, and so
 * are the choices whether pieces are looked up whole and whether texts begin with a token. The patterns and normal forms are those
 * of the families' own tokenizer.json if it is public; otherwise they are llama.cpp's, and a comment beside the name says so.
 */
import type { Step, TokenizerJson } from './vocabulary.js';

export interface PreTokenizer {
  normalizer: Step | null;
  step: Step;
  /** A piece that is a token as a whole is looked up, not merged from its parts. */
  ignoreMerges: boolean;
  /** Whether a text begins with the beginning-of-text token if the file does not say. */
  addBos: boolean;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LETTERS = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const LETTERS_AND_MARKS = '[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+';
const SYMBOLS = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
const SYMBOLS_NOT_MARKS = ' ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*';
const SYMBOLS_AND_SLASHES = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*';
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const [UPPER, LOWER] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];
const CASED = [`${UPPER}*${LOWER}+`, `${UPPER}+${LOWER}*`].map((c) => `[^\\r\\n\\p{L}\\p{N}]?${c}`);

const byteLevel = (useRegex: boolean): Step => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});

const sequence = (...pretokenizers: Step[]): Step => ({ type: 'Sequence', pretokenizers });

const isolated = (pattern: string): Step => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});

const eachDigit: Step = { type: 'Digits', individual_digits: true };

/** Each pattern cuts the pieces that the patterns before it have left. */
const splits = (...patterns: string[]): Step =>
  sequence(...patterns.map(isolated), byteLevel(false));

const split = (...alternatives: string[]): Step => splits(alternatives.join('|'));

const plain = { normalizer: null, ignoreMerges: false, addBos: false };

const gpt2: PreTokenizer = { ...plain, step: byteLevel(true) };
const smollm: PreTokenizer = { ...plain, step: sequence(eachDigit, byteLevel(true)) };
const llama3: PreTokenizer = {
  ...plain,
  step: split(CONTRACTIONS, LETTERS, '\\p{N}{1,3}', SYMBOLS, SPACES),
  ignoreMerges: true,
  addBos: true,
};
const qwen2: PreTokenizer = {
  ...plain,
  normalizer: { type: 'NFC' },
  step: split(CONTRACTIONS, LETTERS, '\\p{N}', SYMBOLS, SPACES),
};
const tekken: PreTokenizer = {
  ...plain,
  step: split(...CASED, '\\p{N}', SYMBOLS_AND_SLASHES, SPACES),
  ignoreMerges: true,
  addBos: true,
};
const gpt4o: PreTokenizer = {
  ...plain,
  step: split(
    ...CASED.map((cased) => `${cased}${CONTRACTIONS}?`),
    '\\p{N}{1,3}',
    SYMBOLS_AND_SLASHES,
    SPACES,
  ),
};
const qwen35: PreTokenizer = {
  ...qwen2,
  step: split(CONTRACTIONS, LETTERS_AND_MARKS, '\\p{N}', SYMBOLS_NOT_MARKS, SPACES),
};
const seedCoder: PreTokenizer = {
  ...plain,
  normalizer: { type: 'NFC' },
  step: split(
    CONTRACTIONS,
    '[^\r\n\\p{L}\\p{N}]?\\p{L}+',
    '\\p{N}{1}',
    ' ?[^\\s\\p{L}\\p{N}\r\n]+',
    '\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
  ),
};
const miniCpm5: PreTokenizer = {
  ...plain,
  step: splits('\\p{N}{1,3}', [CONTRACTIONS, LETTERS, '\\p{N}+', SYMBOLS, SPACES].join('|')),
  ignoreMerges: true,
};
const viking: PreTokenizer = {
  ...plain,
  step: sequence(isolated(' ?[^(\\s|[.,!?…。，、।۔،])]+'), eachDigit, byteLevel(false)),
};

/** Letters with upper and lower case, as DeepSeek's first tokenizers list them. */
const DEEPSEEK_LETTERS = [
  'A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af',
  '\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5',
  '\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba',
  '\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45',
  '\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe',
  '\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102',
  '\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139',
  '\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3',
  '\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06',
  '\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}',
  '\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}',
].join('');
const DEEPSEEK_SYMBOLS = '\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+';
const DEEPSEEK_IDEOGRAPHS = '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+';

const deepseekLlm: PreTokenizer = {
  ...plain,
  step: sequence(
    ...['[\r\n]', `\\s?[${DEEPSEEK_LETTERS}]+`, DEEPSEEK_SYMBOLS, '\\s+$', DEEPSEEK_IDEOGRAPHS].map(
      isolated,
    ),
    eachDigit,
    byteLevel(false),
  ),
};
const deepseekCoder: PreTokenizer = {
  ...plain,
  step: sequence(
    ...['[\r\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', DEEPSEEK_IDEOGRAPHS].map(isolated),
    eachDigit,
    byteLevel(false),
  ),
};
const deepseekV3: PreTokenizer = {
  ...plain,
  step: splits(
    '\\p{N}{1,3}',
    '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
    [
      '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+',
      '[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+',
      ' ?[\\p{P}\\p{S}]+[\r\n]*',
      '\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
    ].join('|'),
  ),
};

export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['default', gpt2],
  ['gpt-2', gpt2],
  ['phi-2', gpt2],
  ['mellum', gpt2], // llama.cpp's
  ['trillion', gpt2], // llama.cpp's
  ['a.x-4.0', gpt2], // llama.cpp's
  ['granite-docling', gpt2], // llama.cpp's
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['falcon3', llama3], // llama.cpp's
  ['midm-2.0', llama3], // llama.cpp's
  ['smaug-bpe', { ...llama3, ignoreMerges: false, addBos: false }],
  ['smollm', smollm],
  ['starcoder', smollm],
  ['refact', smollm],
  ['command-r', { ...smollm, normalizer: { type: 'NFC' } }],
  ['codeshell', smollm], // llama.cpp's
  ['minerva-7b', smollm], // llama.cpp's
  ['exaone', smollm], // llama.cpp's
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', qwen2],
  ['kormo', qwen2], // llama.cpp's
  ['f2llmv2', qwen2], // llama.cpp's
  ['megrez', qwen2], // llama.cpp's
  ['qwen35', qwen35],
  ['deepseek-llm', deepseekLlm],
  ['deepseek-coder', deepseekCoder],
  ['deepseek-v3', deepseekV3],
  ['seed-coder', seedCoder],
  ['minicpm5', miniCpm5],
  ['viking', viking], // llama.cpp's, with the characters of Bloom's tokenizer.json
  ['tekken', tekken],
  // Mistral's files with this name were made from a tokenizer.json with Llama 3's pattern, by mistake: the models were trained
  // with Tekken's pattern. transformers corrects such a tokenizer.json, too.
  ['pixtral', tekken],
  ['gpt-4o', gpt4o],
]);

const KNOWN_PATTERNS = new Set(
  [...PRE_TOKENIZERS.values()].flatMap(({ step }) => patternsOf(step)),
);

/** Whether all regular expressions of a tokenizer are of families that we know. */
export function usesKnownPatterns({ normalizer, pre_tokenizer }: TokenizerJson): boolean {
  return [normalizer, pre_tokenizer]
    .flatMap((step) => patternsOf(step))
    .every((pattern) => KNOWN_PATTERNS.has(pattern));
}

function patternsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === 'Regex' ? [String(part)] : patternsOf(part),
  );
}
