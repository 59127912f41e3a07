/** Some tokenizers put a space before the first word of a text. Text that continues other text must not get one. */
import type { Step, TokenizerJson } from './vocabulary.js';

const isPrepend = (step: Step) => step.type === 'Prepend';
const isMetaspace = (step: Step) => step.type === 'Metaspace' && step['prepend_scheme'] !== 'never';

const isByteLevel = (step: Step) => step.type === 'ByteLevel' && step['add_prefix_space'] === true;

export function putsSpaceFirst({ normalizer, pre_tokenizer }: TokenizerJson): boolean {
  return (
    someStep(normalizer, isPrepend) ||
    someStep(pre_tokenizer, (step) => isMetaspace(step) || isByteLevel(step))
  );
}

export function withoutFirstSpace(json: TokenizerJson): TokenizerJson {
  return {
    ...json,
    normalizer: changed(json.normalizer, (step) => (isPrepend(step) ? null : step)),
    pre_tokenizer: changed(json.pre_tokenizer, (step) => {
      if (isMetaspace(step)) return { ...step, prepend_scheme: 'never' };
      return isByteLevel(step) ? { ...step, add_prefix_space: false } : step;
    }),
  };
}

function someStep(step: Step | null | undefined, test: (step: Step) => boolean): boolean {
  if (!step) return false;
  const parts = [...(step.normalizers ?? []), ...(step.pretokenizers ?? [])];
  return test(step) || parts.some((part) => someStep(part, test));
}

function changed(step: Step | null | undefined, change: (step: Step) => Step | null): Step | null {
  if (!step) return null;
  const copy: Step = { ...step };
  for (const key of ['normalizers', 'pretokenizers'] as const) {
    const parts = step[key];
    if (parts)
      copy[key] = parts.flatMap((part): Step[] => {
        const made = changed(part, change);
        return made ? [made] : [];
      });
  }
  return change(copy);
}
