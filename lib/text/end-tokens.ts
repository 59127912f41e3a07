/** Tokens that begin and end texts and turns, whatever type a file gives them. */
import { TokenType } from './vocabulary.js';
import type { AddedToken, Vocabulary } from './vocabulary.js';

/** Names of tokens with which models end a turn. Those that a vocabulary has stop generation. */
const END_OF_TURN = [
  '</s>',
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end_of_text|>',
  '<|endoftext|>',
  '<|end|>',
  '<end_of_turn>',
  '<eos>',
];

/** Ids that end an answer. Some vocabularies use "</s>" for struck-out text: it counts only if the file calls it special. */
export function endTokens({ tokens, types, eos, stops }: Vocabulary): Set<number> {
  const named = END_OF_TURN.flatMap((name) => {
    const id = tokens.indexOf(name);
    const isTag = name === '</s>';
    const counts =
      types[id] === TokenType.Control || (types[id] === TokenType.UserDefined && !isTag);
    return id >= 0 && counts ? [id] : [];
  });
  return new Set([...(eos === undefined ? [] : [eos]), ...stops, ...named]);
}

/** Converted files have some of these as ordinary tokens: then they would be printed, and text could contain them. */
export function withControlTokens(vocabulary: Vocabulary, ends: Set<number>): Vocabulary {
  const { bos, tokens, tokenizerJson } = vocabulary;
  const looksSpecial = (id: number) => /^[<[].*[>\]]$/s.test(tokens[id] ?? '');
  const control = [...ends, ...(bos === undefined ? [] : [bos])].filter(looksSpecial);
  const types = vocabulary.types.slice();
  for (const id of control) types[id] = TokenType.Control;
  const isControl = new Set(control);
  const known = tokenizerJson.added_tokens ?? [];
  const knownIds = new Set(known.map((token) => token.id));
  const added_tokens: AddedToken[] = [
    ...known.map((token) => (isControl.has(token.id) ? { ...token, special: true } : token)),
    ...[...isControl]
      .filter((id) => !knownIds.has(id))
      .map((id) => ({ id, content: tokens[id]!, special: true, normalized: false })),
  ];
  return { ...vocabulary, types, tokenizerJson: { ...tokenizerJson, added_tokens } };
}
