/**
 * How texts are cut before they are merged, by the names of GGUF files and by the steps of a tokenizer.json. What is expected
 * is what Hugging Face's tokenizers in Rust make of each family's own tokenizer.json (see families.exhaustive.test.ts).
 */
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import type { Step } from '../../lib/text/vocabulary.js';

const { ByteLevelPreTokenizer } = require('@huggingface/tokenizers') as {
  ByteLevelPreTokenizer: new (config: object) => { pre_tokenize_text(text: string): string[] };
};

const alphabet = new ByteLevelPreTokenizer({ use_regex: false });
const bytesOf = (text: string) => alphabet.pre_tokenize_text(text)[0] ?? '';

/** Every part of the text is a token, and pieces are looked up whole: the tokens are the pieces. */
function tokensOf(text: string): string[] {
  const parts = new Set<string>();
  for (let from = 0; from < text.length; from++)
    for (let to = from + 1; to <= text.length; to++) parts.add(bytesOf(text.slice(from, to)));
  return [...parts];
}

function tokenizerFor(text: string, pre: string, step?: Step): TextTokenizer {
  const vocabulary = readVocabulary({
    tensors: [],
    metadata: {
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': pre,
      'tokenizer.ggml.tokens': tokensOf(text),
      'tokenizer.ggml.merges': ['Ā Ā'],
    },
  });
  const { tokenizerJson: json } = vocabulary;
  Object.assign(json.model!, { ignore_merges: true });
  if (step?.type === 'ByteLevel') json.pre_tokenizer = step;
  else if (step) json.pre_tokenizer = { type: 'Sequence', pretokenizers: [step, BYTES] };
  return new TextTokenizer(vocabulary);
}

function piecesOf(text: string, pre: string, step?: Step, normalized = text): string[] {
  const tokenizer = tokenizerFor(normalized, pre, step);
  return Array.from(tokenizer.encode(text), (id) => tokenizer.decode([id]));
}

const BYTES: Step = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

const TEXTS = ["We'LL a'ſ 12 ½²٤1234", 'x\u0085y\ufeffz  w\r\n\n v', 'Éa日本か。q\u0301 a/*==>/\n'];

const PIECES: Record<string, string[]> = {
  'gpt-2': [
    "We|'|LL| a|'|ſ| 12| ½²٤1234",
    'x|\u0085|y|\ufeff|z| | w|\r\n\n| v',
    'Éa日本か|。|q|\u0301| a|/*==>/|\n',
  ],
  smollm: [
    "We|'|LL| a|'|ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085|y|\ufeff|z| | w|\r\n\n| v',
    'Éa日本か|。|q|\u0301| a|/*==>/|\n',
  ],
  'llama-bpe': [
    "We|'LL| a|'ſ| |12| |½²٤|123|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q|\u0301| a|/*==>/\n',
  ],
  qwen2: [
    "We|'LL| a|'ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q|\u0301| a|/*==>/\n',
  ],
  qwen35: [
    "We|'LL| a|'ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q\u0301| a|/*==>/\n',
  ],
  tekken: [
    "We|'LL| a|'ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q\u0301| a|/*==>/\n',
  ],
  'gpt-4o': [
    "We'LL| a'ſ| |12| |½²٤|123|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q\u0301| a|/*==>/\n',
  ],
  'deepseek-v3': [
    "We|'LL| a|'|ſ| |12| |½²٤|123|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa|日本か|。|q\u0301| a|/*==>/\n',
  ],
  'seed-coder': [
    "We|'LL| a|'ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q|\u0301| a|/*==>/|\n',
  ],
  'deepseek-llm': [
    "We|'|LL| a|'|ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeff|z| | w|\r|\n|\n| v',
    'É|a|日本か|。|q|\u0301| a|/*==>/|\n',
  ],
  'deepseek-coder': [
    "We|'|LL| a|'|ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085y|\ufeff|z| | w|\r|\n|\n| v',
    'Éa|日本か|。|q|\u0301| a|/*|==>|/|\n',
  ],
  minicpm5: [
    "We|'LL| a|'ſ| |12| |½²٤|123|4",
    'x|\u0085y|\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。q|\u0301| a|/*==>/\n',
  ],
  viking: [
    "We'LL| a'ſ| |1|2| |½|²|٤|1|2|3|4",
    'x|\u0085|y\ufeffz| | w|\r\n\n| v',
    'Éa日本か|。|q\u0301| a/*==>/|\n',
  ],
};

const SAME: Record<string, string[]> = {
  'gpt-2': ['default', 'phi-2', 'mellum', 'trillion', 'a.x-4.0', 'granite-docling'],
  smollm: ['starcoder', 'refact', 'command-r', 'codeshell', 'minerva-7b', 'exaone'],
  'llama-bpe': ['llama3', 'llama-v3', 'falcon3', 'midm-2.0', 'smaug-bpe'],
  qwen2: ['deepseek-r1-qwen', 'kormo', 'f2llmv2', 'megrez'],
  tekken: ['pixtral'],
};

const named = Object.entries(PIECES).flatMap(([name, pieces]) =>
  [name, ...(SAME[name] ?? [])].map((one) => [one, pieces] as const),
);

test.each(named)('%s cuts as its family does', (name, pieces) => {
  expect(TEXTS.map((text) => piecesOf(text, name).join('|'))).toEqual(pieces);
});

test.each(['qwen2', 'qwen35', 'seed-coder', 'command-r'])(
  '%s brings text into its normal form first',
  (name) => expect(piecesOf('e\u0301', name, undefined, 'é')).toEqual(['é']),
);

const split = (pattern: object, behavior: string, invert = false): Step => ({
  type: 'Split',
  pattern,
  behavior,
  invert,
});

test.each([
  ['a', split({ String: 'a' }, 'Isolated'), 'a|a|b|a|a|bb'],
  ['a, inverted', split({ String: 'a' }, 'Isolated', true), 'a|a|b|a|a|bb'],
  ['what is removed', split({ String: 'a' }, 'Removed'), 'b|bb'],
  ['a group that is removed', split({ Regex: '(a)' }, 'Removed'), 'b|bb'],
  ['all but what is removed', split({ Regex: 'a' }, 'Removed', true), 'a|a|a|a'],
  ['what lies together', split({ Regex: 'a' }, 'Contiguous'), 'aa|b|aa|bb'],
  ['with what is before', split({ Regex: 'a' }, 'MergedWithPrevious'), 'a|a|ba|a|bb'],
  ['with what comes after', split({ Regex: 'a' }, 'MergedWithNext'), 'a|ab|a|abb'],
  ['the rest with what is before', split({ Regex: 'a' }, 'MergedWithPrevious', true), 'a|ab|a|abb'],
  ['the rest with what comes after', split({ Regex: 'a' }, 'MergedWithNext', true), 'a|a|ba|a|bb'],
] as const)('Split: %s', (_, step, pieces) => {
  expect(piecesOf('aabaabb', 'gpt-2', step).join('|')).toBe(pieces);
});

test.each([
  ['Digits', { individual_digits: false }, 'a12²½b٤٤', 'a|12²½|b|٤٤'],
  ['Digits', { individual_digits: true }, 'a12²', 'a|1|2|²'],
  ['Punctuation', {}, 'a..b$+c', 'a|.|.|b|$|+|c'],
  ['Punctuation', { behavior: 'Contiguous' }, 'a..b', 'a|..|b'],
  ['Whitespace', {}, 'hi there, x² é\u0301 b', 'hi|there|,|x|²|é\u0301|b'],
  ['WhitespaceSplit', {}, 'a\u0085b \ufeffc', 'a|b|\ufeffc'],
])('%s %j', (type, options, text, pieces) => {
  expect(piecesOf(text, 'gpt-2', { type, ...options }).join('|')).toBe(pieces);
});

test.each([
  ["(?i:'s)", "'ſ'S", "'ſ|'S"],
  ["'(?i:[sdmt]|ll)", "'ſ'LL'T", "'ſ|'LL|'T"],
  ['(?i:ka)', 'KA\u212aax', 'KA|\u212aa|x'],
  ['[s]', 'sſS', 's|ſS'], // without the flag an s is an s
])('%s is read as Oniguruma does', (Regex, text, pieces) => {
  expect(piecesOf(text, 'gpt-2', split({ Regex }, 'Isolated')).join('|')).toBe(pieces);
});

test('the space that ByteLevel puts first is not put after other text', () => {
  const tokenizer = tokenizerFor(' a', 'gpt-2', { ...BYTES, add_prefix_space: true });
  const textOf = (continues: boolean) => tokenizer.decode(tokenizer.encode('a', { continues }));
  expect([textOf(false), textOf(true)]).toEqual([' a', 'a']);
});

// Tried anew at each of the spaces this would take many minutes.
test('a long run of spaces before a character is looked at once', () => {
  const tokenizer = tokenizerFor(' 日', 'deepseek-llm');
  expect(tokenizer.encode(`${' '.repeat(500_000)}日`)).toHaveLength(500_001);
});

test('half a pair of surrogates is cut as the character that its bytes are', () => {
  const text = '=\ufffd';
  const ids = tokenizerFor(text, 'deepseek-v3').encode('=\ud800');
  expect(Array.from(ids)).toEqual(Array.from(tokenizerFor(text, 'deepseek-v3').encode(text)));
});

test('a behavior that nobody knows is refused by name', () => {
  const encode = () => piecesOf('a', 'gpt-2', split({ Regex: 'a' }, 'Shredded'));
  expect(encode).toThrow(expect.objectContaining({ code: 'tokenizer_unsupported' }) as Error);
});
