/**
 * Turns the vocabulary inside a GGUF file into the JSON that @huggingface/tokenizers takes.
 *
 * "llama": SentencePiece BPE. The file has scores, not merges: a piece made of two pieces is a merge, ranked by the score
 * of the whole (Kudo and Richardson 2018). "gpt2": byte-level BPE with its merges in the file.
 */
import { types } from 'node:util';

import { CachalotError } from '../errors.js';
import type { GgufInfo, GgufValue } from '../native.js';
import { guessPreTokenizer } from './missing-pre-tokenizer.js';
import { PRE_TOKENIZERS } from './pre-tokenizers.js';
import { TokenType } from './vocabulary.js';
import type { AddedToken, TokenizerJson, Vocabulary } from './vocabulary.js';

export function readVocabulary(file: Pick<GgufInfo, 'metadata' | 'tensors'>): Vocabulary {
  const { metadata } = file;
  const model = metadata['tokenizer.ggml.model'];
  if (model !== 'llama' && model !== 'gpt2') {
    throw new CachalotError(
      'tokenizer_unsupported',
      `the tokenizer '${model === undefined ? 'none' : asText(model)}' of this file is not supported; supported are llama (SentencePiece BPE) and gpt2 (byte-level BPE)`,
    );
  }
  const tokens = stringList(metadata, 'tokenizer.ggml.tokens');
  const types = tokenTypes(metadata, tokens.length);
  const vocabulary = { tokens, types, ...readModelTokens(file) };
  if (model === 'llama')
    return {
      ...vocabulary,
      encoding: 'sentencepiece',
      tokenizerJson: sentencePieceJson(metadata, tokens, types),
    };
  const { warning } = preTokenizerName(metadata);
  return {
    ...vocabulary,
    encoding: 'byte-level',
    tokenizerJson: byteLevelJson(metadata, tokens, types),
    ...(warning === undefined ? {} : { warnings: [warning] }),
  };
}

/** The name in the file, or a guess from its merges. */
function preTokenizerName(metadata: GgufInfo['metadata']): { name: GgufValue; warning?: string } {
  const name = metadata['tokenizer.ggml.pre'];
  if (name !== undefined) return { name };
  const [tokens, merges] = ['tokens', 'merges'].map((key) => metadata[`tokenizer.ggml.${key}`]);
  const count = (list: GgufValue | undefined) => (Array.isArray(list) ? list.length : 0);
  return guessPreTokenizer(count(tokens), count(merges));
}

/** Settings of a model file besides its vocabulary. */
export function readModelTokens({
  metadata,
  tensors,
}: Pick<GgufInfo, 'metadata' | 'tensors'>): Pick<
  Vocabulary,
  'bos' | 'eos' | 'stops' | 'addBos' | 'chatTemplate'
> {
  const tokens = metadata['tokenizer.ggml.tokens'];
  const rows = tensors.find(({ name }) => name === 'token_embd.weight')?.shape[1];
  const size = Array.isArray(tokens) ? tokens.length : (rows ?? 0);
  return {
    bos: tokenId(metadata, 'tokenizer.ggml.bos_token_id', size),
    eos: tokenId(metadata, 'tokenizer.ggml.eos_token_id', size),
    stops: ['eot', 'eom'].flatMap(
      (name) => tokenId(metadata, `tokenizer.ggml.${name}_token_id`, size) ?? [],
    ),
    addBos: (metadata['tokenizer.ggml.add_bos_token'] ?? addsBos(metadata)) === true,
    chatTemplate: optionalText(metadata['tokenizer.chat_template']),
  };
}

/** Defaults for settings that the file does not have. */
function addsBos(metadata: GgufInfo['metadata']): boolean {
  if (metadata['tokenizer.ggml.model'] === 'llama') return true;
  const { name } = preTokenizerName(metadata);
  return typeof name === 'string' && PRE_TOKENIZERS.get(name)?.addBos === true;
}

function asText(value: GgufValue): string {
  return typeof value === 'object' ? 'a list' : String(value);
}

function optionalText(value: GgufValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function invalid(message: string): CachalotError {
  return new CachalotError('tokenizer_invalid', `the file's tokenizer is damaged: ${message}`);
}

function stringList(metadata: GgufInfo['metadata'], key: string): string[] {
  const value = metadata[key];
  if (!Array.isArray(value) || value.length === 0)
    throw invalid(`'${key}' is not a list of strings`);
  return value;
}

function numberList(metadata: GgufInfo['metadata'], key: string, length: number): Float64Array {
  const value = metadata[key];
  if (!types.isFloat64Array(value) || value.length !== length) {
    throw invalid(`'${key}' is not a list of ${length} numbers`);
  }
  return value;
}

function tokenTypes(metadata: GgufInfo['metadata'], length: number): TokenType[] {
  if (metadata['tokenizer.ggml.token_type'] === undefined)
    return new Array<TokenType>(length).fill(TokenType.Normal);
  return Array.from(numberList(metadata, 'tokenizer.ggml.token_type', length));
}

function tokenId(metadata: GgufInfo['metadata'], key: string, length: number): number | undefined {
  const value = metadata[key];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || value < 0 || value >= length)
    throw invalid(`'${key}' is not one of ${length} tokens`);
  return value;
}

function vocabularyMap(tokens: string[]): Record<string, number> {
  const map = Object.create(null) as Record<string, number>; // no prototype: "constructor" is a token like any other
  for (const [id, token] of tokens.entries()) map[token] ??= id;
  return map;
}

function addedTokens(tokens: string[], types: TokenType[]): AddedToken[] {
  const special = new Set([TokenType.Control, TokenType.Unknown]);
  return tokens.flatMap((content, id) => {
    const type = types[id]!;
    if (!special.has(type) && type !== TokenType.UserDefined) return [];
    return [
      {
        id,
        content,
        special: special.has(type),
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
      },
    ];
  });
}

function sentencePieceJson(
  metadata: GgufInfo['metadata'],
  tokens: string[],
  types: TokenType[],
): TokenizerJson {
  const scores = numberList(metadata, 'tokenizer.ggml.scores', tokens.length);
  const prefix = metadata['tokenizer.ggml.add_space_prefix'] ?? true;
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const vocab = vocabularyMap(tokens);
  return {
    added_tokens: addedTokens(tokens, types),
    normalizer: {
      type: 'Sequence',
      normalizers: prefix ? [{ type: 'Prepend', prepend: '▁' }, replace] : [replace],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: tokens[types.indexOf(TokenType.Unknown)] ?? null,
      byte_fallback: true,
      fuse_unk: true,
      vocab,
      merges: mergesFromScores(tokens, types, scores, vocab),
    } as TokenizerJson['model'],
  };
}

/** Longer pieces are no words of any language. Their merges are left out, because trying every cut is quadratic. */
const MAX_MERGED = 256;
/** Limit of the characters of all cuts of all pieces. A vocabulary of 256,000 pieces has some 20 million. */
const MAX_CUTS = 1 << 28;

/** Every way to cut a piece into two pieces is a merge; better scores merge first, then the order of the parts. */
function mergesFromScores(
  tokens: string[],
  types: TokenType[],
  scores: Float64Array,
  vocab: Record<string, number>,
): [string, string][] {
  const cuts = tokens.reduce((n, { length }) => n + (length > MAX_MERGED ? 0 : length ** 2), 0);
  if (cuts > MAX_CUTS)
    throw invalid(
      `its tokens are too long: the squares of their lengths add up to ${cuts}, at most ${MAX_CUTS} are allowed`,
    );
  const merges: { parts: [string, string]; score: number; left: number; right: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (types[id] !== TokenType.Normal && types[id] !== TokenType.UserDefined) continue;
    if (token.length > MAX_MERGED) continue;
    for (let cut = 1; cut < token.length; cut++) {
      const left = vocab[token.slice(0, cut)];
      const right = vocab[token.slice(cut)];
      if (left === undefined || right === undefined) continue;
      merges.push({
        parts: [token.slice(0, cut), token.slice(cut)],
        score: scores[id]!,
        left,
        right,
      });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return merges.map((merge) => merge.parts);
}

function byteLevelJson(
  metadata: GgufInfo['metadata'],
  tokens: string[],
  types: TokenType[],
): TokenizerJson {
  const { name } = preTokenizerName(metadata);
  const pre = typeof name === 'string' ? PRE_TOKENIZERS.get(name) : undefined;
  if (pre === undefined) {
    throw new CachalotError(
      'tokenizer_unsupported',
      `the pre-tokenizer '${asText(name)}' of this file is not supported; supported are ${[...PRE_TOKENIZERS.keys()].join(', ')}. If you have the model's tokenizer.json, give it as \`tokenizer\``,
    );
  }
  const merges = stringList(metadata, 'tokenizer.ggml.merges').map((merge) => {
    const space = merge.indexOf(' ', 1); // a part may be a space itself, never empty
    if (space < 0) throw invalid(`'${merge}' in 'tokenizer.ggml.merges' is not a pair`);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
  return {
    added_tokens: addedTokens(tokens, types),
    normalizer: pre.normalizer,
    pre_tokenizer: pre.step,
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: null,
      byte_fallback: false,
      fuse_unk: false,
      ignore_merges: pre.ignoreMerges,
      vocab: vocabularyMap(tokens),
      merges,
    } as TokenizerJson['model'],
  };
}
