/** Makes the table of a vocabulary: the bytes that each token adds to a text. */
import { checkNames } from './name-limits.js';
import { usesKnownPatterns } from './pre-tokenizers.js';
import type { TokenTableData } from './token-table.js';
import { growthBy } from './tokenizer-pipeline.js';
import { TokenType } from './vocabulary.js';
import type { Vocabulary } from './vocabulary.js';

/** More than twice the longest names of known families. */
const USUAL_NAME = 128;

/** Throws tokenizer_invalid for names that are far too long. */
export function tableOf(vocabulary: Vocabulary, stopTokens: Int32Array): TokenTableData {
  const { tokens, bos, eos, tokenizerJson } = vocabulary;
  const { added_tokens = [], normalizer } = tokenizerJson;
  // The library searches each name at every place of a text, which the normalizer may have lengthened.
  const walk = checkNames(added_tokens) * growthBy(normalizer);
  const special = added_tokens.filter((token) => token.special);
  const named = [bos, eos, ...stopTokens].filter((id) => id !== undefined);
  const parts = tokens.map((_, id) => tokenBytes(vocabulary, id));
  let end = 0;
  return {
    bytes: new Uint8Array(Buffer.concat(parts)), // a buffer of its own: the result of Buffer.concat may lie in a pool
    ends: Uint32Array.from(parts, (part) => (end += part.length)),
    names: new Map([...special.map(({ id }) => id), ...named].map((id) => [id, tokens[id] ?? ''])),
    specialIds: new Set(special.map(({ id }) => id)),
    specialNames: special.map(({ content }) => content),
    normalizer,
    bos,
    eos,
    stopTokens,
    longestToken: tokens.reduce((n, token) => Math.max(n, token.length), 1),
    isTrusted: walk <= USUAL_NAME && usesKnownPatterns(tokenizerJson),
  };
}

function tokenBytes({ tokens, types, encoding }: Vocabulary, id: number): Uint8Array {
  const token = tokens[id];
  const type = types[id];
  if (token === undefined || type === TokenType.Control || type === TokenType.Unknown)
    return new Uint8Array(0);
  if (type === TokenType.UserDefined && encoding === 'byte-level') return Buffer.from(token);
  return encoding === 'sentencepiece' ? sentencePieceBytes(token) : byteLevelBytes(token);
}

function sentencePieceBytes(token: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  if (byte) return Uint8Array.of(parseInt(byte[1]!, 16));
  return Buffer.from(token.replaceAll('▁', ' '));
}

function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) bytes.push(...Buffer.from(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on, in order. */
const BYTE_OF_CHARACTER = new Map<string, number>();
{
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    BYTE_OF_CHARACTER.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
}
