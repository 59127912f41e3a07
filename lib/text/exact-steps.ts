/**
 * Rewrites the steps of a tokenizer.json so that @huggingface/tokenizers does exactly what the reference does. The reference is
 * Hugging Face's tokenizers in Rust, with which models were trained: other pieces of a text give other ids. The library differs
 * in some steps (digits, white space, punctuation, behaviors of Split); all of them can be expressed as patterns.
 */
import { CachalotError } from '../errors.js';
import { fromOniguruma } from './oniguruma.js';
import type { Step, TokenizerJson } from './vocabulary.js';

/** The default pattern of "ByteLevel": GPT-2's. */
const BYTE_LEVEL =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** \w of Rust's regular expressions, which "Whitespace" uses; Oniguruma's, which "Split" uses, is another. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const PUNCTUATION = '[\\p{P}$+<=>^`|~]';
/** DeepSeek's pattern, which JavaScript tries again at each space of a run, and an equivalent one that takes one pass. */
const [AT_END, AT_END_ONCE] = ['\\s+$', '(?<!\\s)\\s+$'];

export function exactPipeline<T extends TokenizerJson>(json: T): T {
  return {
    ...json,
    normalizer: exactNormalizer(json.normalizer),
    pre_tokenizer: exactPreTokenizer(json.pre_tokenizer),
  };
}

function exactNormalizer(step: Step | null | undefined): Step | null {
  if (!step) return null;
  switch (step.type) {
    case 'Sequence':
      return { ...step, normalizers: (step.normalizers ?? []).map((one) => exactNormalizer(one)!) };
    case 'Lowercase': // JavaScript looks at the characters around a sigma
      return { type: 'Sequence', normalizers: [replace({ String: 'Σ' }, 'σ'), step] };
    case 'Strip':
      return {
        type: 'Sequence',
        normalizers: [
          ...(step['strip_left'] ? [replace({ Regex: '\\A\\s+' }, '')] : []),
          ...(step['strip_right'] ? [replace({ Regex: '(?<!\\s)\\s+\\z' }, '')] : []),
        ],
      };
    case 'Replace': {
      const { Regex } = patternOf(step);
      return Regex === undefined ? step : { ...step, pattern: { Regex: fromOniguruma(Regex) } };
    }
    default:
      return step;
  }
}

function exactPreTokenizer(step: Step | null | undefined): Step | null {
  if (!step) return null;
  switch (step.type) {
    case 'Sequence':
      return sequence(...(step.pretokenizers ?? []).map((one) => exactPreTokenizer(one)!));
    case 'ByteLevel':
      return sequence(
        ...(step['add_prefix_space'] === true ? [replace({ Regex: '\\A(?! )' }, ' ')] : []),
        ...(step['use_regex'] === false ? [] : [keep(BYTE_LEVEL)]),
        { ...step, add_prefix_space: false, use_regex: false },
      );
    case 'Digits':
      return isolate(step['individual_digits'] === true ? '\\p{N}' : '\\p{N}+');
    case 'Punctuation':
      return exactSplit(PUNCTUATION, step['behavior'] ?? 'Isolated', false);
    case 'Whitespace':
      return keep(`[${WORD}]+|[^${WORD}\\s]+`);
    case 'WhitespaceSplit':
      return keep('\\S+');
    case 'Metaspace':
      return exactMetaspace(step);
    case 'Split': {
      const { Regex, String: text = '' } = patternOf(step);
      const pattern = Regex === undefined ? escaped(text) : fromOniguruma(Regex);
      return exactSplit(
        pattern === AT_END ? AT_END_ONCE : pattern,
        step['behavior'],
        step['invert'] === true,
      );
    }
    default:
      return step;
  }
}

/** The library does not know this behavior; a pattern that matches whole pieces has the same effect. */
function exactSplit(pattern: string, behavior: unknown, invert: boolean): Step {
  const found = `(?:${pattern})`;
  const withPrevious = `[\\s\\S]*?${found}|[\\s\\S]+`;
  const end = `(?=${found}|\\z)`;
  const withNext = `${found}[\\s\\S]*?${end}|[\\s\\S]+?${end}`;
  switch (behavior) {
    case 'Isolated':
      return isolate(pattern);
    case 'Removed':
      return invert
        ? keep(pattern)
        : { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: false };
    case 'Contiguous':
      return isolate(`${found}+`);
    case 'MergedWithPrevious':
      return keep(invert ? withNext : withPrevious);
    case 'MergedWithNext':
      return keep(invert ? withPrevious : withNext);
    default:
      throw new CachalotError(
        'tokenizer_unsupported',
        `the behavior '${String(behavior)}' of a step of this tokenizer is not supported`,
      );
  }
}

/** Old files use `add_prefix_space` to say whether a mark is put first. */
function exactMetaspace(step: Step): Step {
  const { replacement = '▁', add_prefix_space: adds, prepend_scheme } = step;
  const scheme = prepend_scheme ?? (adds === false ? 'never' : 'always');
  const mark = { type: 'Metaspace', replacement, prepend_scheme: scheme };
  const cut = exactSplit(escaped(String(replacement)), 'MergedWithNext', false);
  return step['split'] === false ? mark : sequence(mark, cut);
}

const sequence = (...pretokenizers: Step[]): Step => ({ type: 'Sequence', pretokenizers });

const replace = (pattern: object, content: string): Step => ({ type: 'Replace', pattern, content });

/** The matches are the pieces; text between them is dropped. */
const keep = (pattern: string): Step => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Removed',
  invert: true,
});

/** The matches are pieces, and so is the text between them. */
const isolate = (pattern: string): Step => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});

function patternOf(step: Step): { Regex?: string; String?: string } {
  return step['pattern'] ?? {};
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
