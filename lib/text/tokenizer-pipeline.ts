/** Which steps an untrusted tokenizer.json may have: those that do a bounded amount of work for each character. */
import { CachalotError } from '../errors.js';
import type { Step, TokenizerJson } from './vocabulary.js';

const NORMALIZERS = new Set([
  'Sequence',
  'NFC',
  'NFD',
  'NFKC',
  'NFKD',
  'Replace',
  'Prepend',
  'Lowercase',
  'Strip',
  'StripAccents',
]);
const PRE_TOKENIZERS = new Set([
  'Sequence',
  'ByteLevel',
  'Split',
  'Digits',
  'Metaspace',
  'Punctuation',
  'Whitespace',
  'WhitespaceSplit',
]);

/** The factor by which all replacements together may lengthen a text. */
const MAX_GROWTH = 64;

/** Throws tokenizer_unsupported or tokenizer_invalid. */
export function checkPipeline(path: string, { normalizer, pre_tokenizer }: TokenizerJson): void {
  const steps = flat(normalizer);
  for (const [kind, known, list] of [
    ['normalizer', NORMALIZERS, steps],
    ['pre-tokenizer', PRE_TOKENIZERS, flat(pre_tokenizer)],
  ] as const) {
    const unknown = list.find((step) => !known.has(step.type ?? ''));
    if (unknown) {
      throw new CachalotError(
        'tokenizer_unsupported',
        `the ${kind} '${String(unknown.type)}' in '${path}' is not supported; supported are ${[...known].join(', ')}`,
      );
    }
  }
  const growth = growthBy(normalizer);
  if (!(growth <= MAX_GROWTH)) {
    throw new CachalotError(
      'tokenizer_invalid',
      `'${path}' is no usable tokenizer.json: its normalizer makes texts ${growth} times as long`,
    );
  }
}

/** The factor by which a normalizer can lengthen a text. */
export function growthBy(normalizer: Step | null | undefined): number {
  return flat(normalizer).reduce((product, step) => product * growthOf(step), 1);
}

function flat(step: Step | null | undefined): Step[] {
  if (!step) return [];
  const parts = [...(step.normalizers ?? []), ...(step.pretokenizers ?? [])];
  return [step, ...parts.flatMap((part) => flat(part))];
}

/** The most characters that a step makes of one. */
function growthOf(step: Step): number {
  const { content, prepend, pattern } = step;
  if (typeof prepend === 'string') return prepend.length <= 16 ? 1 : Infinity;
  if (step.type !== 'Replace') return 1;
  if (typeof content !== 'string') return Infinity;
  const { String: text } = (pattern ?? {}) as { String?: string };
  // "$" stands for parts of the text; an empty pattern or a regular expression may match between all characters.
  if (content.includes('$') || text === '') return Infinity;
  return text === undefined ? content.length + 1 : Math.max(1, content.length / text.length);
}
