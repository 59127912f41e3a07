/** `--draft`: which guesses of next tokens are tried. */
import { InvalidArgumentError } from 'commander';

import type { Draft } from '../options/draft-options.js';

export const DRAFT_HELP =
  'guesses of next tokens that are tried; answers stay the same: auto, off, or some of lookup,recycle,trigram,jacobi';

const KINDS = ['lookup', 'recycle', 'trigram', 'jacobi'] as const;

/** "auto", "off" or "lookup,trigram". */
export function draftFlag(text: string): Draft {
  if (text === 'auto') return 'auto';
  if (text === 'off') return false;
  const named = text.split(',');
  const unknown = named.find((name) => !KINDS.some((kind) => kind === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `expected auto, off, or some of ${KINDS.join(',')}; received '${unknown}'.`,
    );
  return Object.fromEntries(KINDS.map((kind) => [kind, named.includes(kind)]));
}
