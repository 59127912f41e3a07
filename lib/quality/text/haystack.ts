/** Ordinary text to hide facts in: sentences, each with its number of tokens, cut to any length. */
import type { Engine } from '../../engine.js';
import { CachalotError } from '../../errors.js';
import { sentencesOf } from '../../relevance/sentences.js';
import type { Random } from '../../relevance/random.js';

interface Sentence {
  text: string;
  tokens: number;
}

/** Longer ones are cut there, so that a text without full stops has sentences, too. */
const MOST_CHARACTERS = 400;

export class Haystack {
  readonly #sentences: Sentence[];

  /** `name` is for reports. Throws invalid_argument for a text without words. */
  constructor(
    engine: Pick<Engine, 'tokenize'>,
    text: string,
    readonly name: string,
  ) {
    this.#sentences = cut(text).map((sentence) => ({
      text: sentence,
      tokens: engine.tokenize(` ${sentence}`).length,
    }));
    if (this.#sentences.length === 0)
      throw new CachalotError('invalid_argument', `${name} has no words to hide a fact among`);
  }

  /** Consecutive sentences from a random place, of at most so many tokens together. A short text goes round. */
  take(tokens: number, random: Random): string[] {
    const taken: string[] = [];
    let left = tokens;
    for (let i = random.below(this.#sentences.length); ; i = (i + 1) % this.#sentences.length) {
      const sentence = this.#sentences[i]!;
      left -= sentence.tokens;
      if (left < 0) return taken;
      taken.push(sentence.text);
    }
  }
}

function cut(text: string): string[] {
  return sentencesOf(text.replace(/\s+/gu, ' ').trim())
    .flatMap((sentence) => pieces(sentence.trim()))
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));
}

function pieces(sentence: string): string[] {
  const cut: string[] = [];
  let at = 0;
  while (sentence.length - at > MOST_CHARACTERS) {
    const space = sentence.lastIndexOf(' ', at + MOST_CHARACTERS);
    const end = space > at ? space : at + MOST_CHARACTERS;
    cut.push(sentence.slice(at, end).trim());
    at = end;
  }
  return [...cut, sentence.slice(at).trim()];
}
