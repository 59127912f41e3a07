/** A Hugging Face tokenizer.json: beside safetensors, or in place of the vocabulary inside a GGUF file. */
import { readFile } from 'node:fs/promises';

import { CachalotError } from '../errors.js';
import { TokenType } from './vocabulary.js';
import type { Step, TokenizerJson, Vocabulary } from './vocabulary.js';

/** What a tokenizer.json does not say - first and last token, chat template - is taken from the model file. */
export type ModelTokens = Pick<Vocabulary, 'bos' | 'eos' | 'stops' | 'addBos' | 'chatTemplate'>;

export async function readTokenizerJson(
  path: string,
  model: ModelTokens | ((json: TokenizerJson, id: (token: string) => number) => ModelTokens),
): Promise<Vocabulary> {
  let json: TokenizerJson;
  try {
    json = JSON.parse(await readFile(path, 'utf8')) as TokenizerJson;
  } catch (error) {
    throw invalid(path, (error as Error).message, error);
  }
  if (json?.model?.type !== 'BPE' || typeof json.model.vocab !== 'object') {
    throw new CachalotError(
      'tokenizer_unsupported',
      `'${path}' has a tokenizer of type '${String(json?.model?.type)}'; only BPE is supported`,
    );
  }
  const tokens: string[] = [];
  const types: TokenType[] = [];
  const add = (id: unknown, token: unknown, type: TokenType) => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_TOKENS) {
      throw invalid(path, `token ${JSON.stringify(token)} has the id ${String(id)}`);
    }
    if (typeof token !== 'string') throw invalid(path, `token ${String(id)} is no string`);
    tokens[id as number] = token;
    types[id as number] = type;
  };
  for (const [token, id] of Object.entries(json.model.vocab)) {
    const byte = json.model.byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token);
    add(id, token, byte ? TokenType.Byte : TokenType.Normal);
  }
  for (const { id, content, special } of json.added_tokens ?? []) {
    add(id, content, special ? TokenType.Control : TokenType.UserDefined);
  }
  const rest = typeof model === 'function' ? model(json, (token) => tokens.indexOf(token)) : model;
  return {
    ...rest,
    tokens: Array.from(tokens, (token) => token ?? ''),
    types: Array.from(types, (type) => type ?? TokenType.Unused),
    encoding:
      uses(json.decoder, 'ByteLevel') || uses(json.pre_tokenizer, 'ByteLevel')
        ? 'byte-level'
        : 'sentencepiece',
    tokenizerJson: json,
  };
}

const MAX_TOKENS = 1 << 22;

function uses(step: Step | null | undefined, type: string): boolean {
  if (!step) return false;
  const parts = [...(step.pretokenizers ?? []), ...(step.decoders ?? [])];
  return step.type === type || parts.some((part) => uses(part, type));
}

function invalid(path: string, why: string, cause?: unknown): CachalotError {
  return new CachalotError('tokenizer_invalid', `'${path}' is no usable tokenizer.json: ${why}`, {
    cause,
  });
}
