/**
 * How many added tokens a vocabulary may have, and of what kind. Every one is looked for at every place of a text: no text may
 * take long for them, and no list of them much memory.
 */
import { CachalotError } from '../errors.js';
import type { AddedToken } from './vocabulary.js';

/** Vocabularies with a token for each sound or patch of a picture have some 100,000. */
const MAX_NAMES = 1 << 18;
/** Those that we know have at most 40 characters. */
const MAX_NAME = 256;
/** Of all names together: as many states find them. */
const MAX_CHARACTERS = 1 << 21;

/** Of these characters the mark is made that breaks names (name-breaker.ts): none of them may be part of one. */
const NONCHARACTERS = /[\ufdd0-\ufdef]/;

/** Throws tokenizer_invalid, which names the limit. Returns how long the longest name is. */
export function checkNames(added: readonly Pick<AddedToken, 'content'>[]): number {
  const longest = added.reduce((n, { content }) => Math.max(n, content.length), 0);
  if (longest > MAX_NAME)
    throw invalid(`has an added token of ${longest} characters; at most ${MAX_NAME} are allowed`);
  if (added.length > MAX_NAMES)
    throw invalid(`has ${added.length} added tokens; at most ${MAX_NAMES} are allowed`);
  const characters = added.reduce((n, { content }) => n + content.length, 0);
  if (characters > MAX_CHARACTERS)
    throw invalid(
      `has added tokens of ${characters} characters in all; at most ${MAX_CHARACTERS} are allowed`,
    );
  const wrong = added.find(({ content }) => NONCHARACTERS.test(content));
  if (wrong !== undefined)
    throw invalid(
      `has the added token ${JSON.stringify(wrong.content)}, which holds a character from U+FDD0 to U+FDEF; these are for programs' own use`,
    );
  return longest;
}

function invalid(what: string): CachalotError {
  return new CachalotError('tokenizer_invalid', `the model's tokenizer ${what}`);
}
