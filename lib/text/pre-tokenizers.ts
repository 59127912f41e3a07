/**
 * How byte-level BPE cuts text before it merges, by the name that GGUF files give (tokenizer.ggml.pre). The names are
 * llama.cpp's; the patterns are those of the families' own tokenizer.json.
 */
import type { Step, TokenizerJson } from './vocabulary.js';

export interface PreTokenizer {
  normalizer: Step | null;
  step: Step;
  /** A piece that is a token as a whole is not merged from its parts. */
  ignoreMerges: boolean;
  /** Whether a text begins with the beginning-of-text token when the file does not say. */
  addBos: boolean;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LETTERS = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const SYMBOLS = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
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

const split = (...alternatives: string[]): Step =>
  sequence(
    {
      type: 'Split',
      pattern: { Regex: alternatives.join('|') },
      behavior: 'Isolated',
      invert: false,
    },
    byteLevel(false),
  );

const plain = { normalizer: null, ignoreMerges: false, addBos: false };

const gpt2: PreTokenizer = { ...plain, step: byteLevel(true) };
const smollm: PreTokenizer = {
  ...plain,
  step: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};
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

export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['default', gpt2],
  ['gpt-2', gpt2],
  ['phi-2', gpt2],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['falcon3', llama3],
  ['smaug-bpe', { ...llama3, ignoreMerges: false, addBos: false }],
  ['smollm', smollm],
  ['starcoder', smollm],
  ['refact', smollm],
  ['command-r', smollm],
  ['codeshell', smollm],
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', qwen2],
  ['megrez', qwen2],
  ['tekken', tekken],
  ['gpt-4o', gpt4o],
]);

/** Patterns of families that GGUF does not name. */
const OTHER_PATTERNS = [
  // DeepSeek
  '\\p{N}{1,3}',
  '[一-龥\u3040-ゟ゠-ヿ]+',
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
];

const KNOWN_PATTERNS = new Set([
  ...OTHER_PATTERNS,
  ...[...PRE_TOKENIZERS.values()].flatMap(({ step }) => patternsOf(step)),
]);

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
