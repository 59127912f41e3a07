/** A Hugging Face tokenizer.json: beside safetensors, or in place of the vocabulary inside a GGUF file. */
import { CachalotError } from '../errors.js';
import { readTextFile } from '../files/regular-file.js';
import { parseJson } from './parse-json.js';
import { checkPipeline } from './tokenizer-pipeline.js';
import { TokenType } from './vocabulary.js';
import type { Step, TokenizerJson, Vocabulary } from './vocabulary.js';

/** Settings that a tokenizer.json does not have - first and last token, chat template - are taken from the model file. */
export type ModelTokens = Pick<Vocabulary, 'bos' | 'eos' | 'stops' | 'addBos' | 'chatTemplate'>;

export async function readTokenizerJson(
  path: string,
  model: ModelTokens | ((json: TokenizerJson, id: (token: string) => number) => ModelTokens),
): Promise<Vocabulary> {
  const text = await readTextFile(path);
  const json = parseJson(text, `'${path}'`, 'tokenizer_invalid');
  checkShape(path, json);
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
  const { vocab = {}, byte_fallback } = json.model ?? {};
  for (const [token, id] of Object.entries(vocab)) {
    const byte = byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token);
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
    tokenizerJson: withSpecialAsFound(json),
  };
}

/** As in the transformers library: special tokens are searched in the text before it is normalized. */
function withSpecialAsFound(json: TokenizerJson): TokenizerJson {
  const added_tokens = json.added_tokens?.map((token) =>
    token.special ? { ...token, normalized: false } : token,
  );
  return added_tokens ? { ...json, added_tokens } : json;
}

const MAX_TOKENS = 1 << 22;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isString = (value: unknown) => typeof value === 'string';

const isMerge = (merge: unknown) =>
  isString(merge) || (Array.isArray(merge) && merge.length === 2 && merge.every(isString));

/** Checks the parts that the library uses without a check. */
function checkShape(path: string, json: unknown): asserts json is TokenizerJson {
  const model: unknown = isObject(json) ? json['model'] : undefined;
  const type = isObject(model) ? model['type'] : undefined;
  if (!isObject(json) || !isObject(model) || type !== 'BPE') {
    throw new CachalotError(
      'tokenizer_unsupported',
      `'${path}' has a tokenizer of type '${isString(type) ? type : 'none'}'; only BPE is supported`,
    );
  }
  const { vocab, merges, ignore_merges, unk_token } = model;
  if (!isObject(vocab)) throw invalid(path, 'it has no vocabulary');
  if (!Array.isArray(merges) || !merges.every(isMerge))
    throw invalid(path, 'its merges are no pairs');
  if (ignore_merges !== undefined && typeof ignore_merges !== 'boolean')
    throw invalid(path, 'ignore_merges is no truth value');
  if ((unk_token ?? '') !== '' && !isString(unk_token)) throw invalid(path, 'unk_token is no text');
  for (const name of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    if (!isSound(json[name] ?? null)) throw invalid(path, `'${name}' is damaged`);
  }
  checkPipeline(path, json);
  const added = json['added_tokens'] ?? [];
  const isToken = (token: unknown) => isObject(token) && (token['content'] ?? '') !== '';
  if (!Array.isArray(added) || !added.every(isToken))
    throw invalid(path, 'its added tokens are damaged');
}

/** A step of a pipeline: an object with a type, whose own steps are sound. */
function isSound(step: unknown, depth = 0): boolean {
  if (step === null) return depth === 0;
  if (!isObject(step) || !isString(step['type']) || depth > 8) return false;
  const pattern = step['pattern'];
  const isPattern = isObject(pattern) && isString(pattern['String'] ?? pattern['Regex']);
  if (pattern !== undefined && !isPattern) return false;
  const parts = ['normalizers', 'pretokenizers', 'decoders', 'processors'].map(
    (name) => step[name] ?? [],
  );
  return parts.every(
    (list) => Array.isArray(list) && list.every((part) => isSound(part, depth + 1)),
  );
}

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
