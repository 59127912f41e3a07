/**
 * Limits on the number and kind of added tokens of a vocabulary. Each of them is searched at every place of a text: no text may
 * take long, and no list of them may take much memory.
 */
import { CachalotError } from '../errors.js';
import type { AddedToken } from './vocabulary.js';

/** Vocabularies with a token for each sound or image patch have some 100,000. */
const MAX_NAMES = 1 << 18;
/** The names that we know have at most 40 characters. */
const MAX_NAME = 256;
/** Limit of all names together: the automaton that finds them has as many states. */
const MAX_CHARACTERS = 1 << 21;

/** The mark that breaks names (name-breaker.ts) is made of these characters: no name may contain one. */
const NONCHARACTERS = /[\ufdd0-\ufdef]/;

/** Throws tokenizer_invalid, which names the limit. Returns the length of the longest name. */
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
