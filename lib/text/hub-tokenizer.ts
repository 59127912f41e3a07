/** The vocabulary of a Hugging Face folder: tokenizer.json and the files beside it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { readTextIfPresent } from '../files/regular-file.js';
import { parseJson } from './parse-json.js';
import { readTokenizerJson } from './tokenizer-json.js';
import type { Step, TokenizerJson, Vocabulary } from './vocabulary.js';

interface TokenizerConfig {
  bos_token?: string | { content?: string } | null;
  eos_token?: string | { content?: string } | null;
  add_bos_token?: boolean;
  /** One template, or several by name. */
  chat_template?: string | { name?: string; template?: string }[];
}

interface GenerationConfig {
  eos_token_id?: number | number[];
}

/** Limit of ids that end an answer: each request has a copy of them. */
const MAX_ENDS = 1024;

export async function readHubVocabulary(folder: string, tokenizer?: string): Promise<Vocabulary> {
  const path = tokenizer ?? join(folder, 'tokenizer.json');
  if (tokenizer === undefined && !existsSync(path)) {
    throw new CachalotError(
      'tokenizer_unsupported',
      `there is no tokenizer.json in '${folder}'; other tokenizer files are not supported`,
    );
  }
  const [config, generation, model, template] = await Promise.all([
    readJson<TokenizerConfig>(join(folder, 'tokenizer_config.json'), 'tokenizer_invalid'),
    readJson<GenerationConfig>(join(folder, 'generation_config.json'), 'file_bad_metadata'),
    readJson<GenerationConfig>(join(folder, 'config.json'), 'file_bad_metadata'),
    readTextIfPresent(join(folder, 'chat_template.jinja')),
  ]);
  return readTokenizerJson(path, (json, id) => {
    const find = (token: TokenizerConfig['bos_token']) => {
      const found = id(nameOf(token) ?? '');
      return found < 0 ? undefined : found;
    };
    const given = [generation?.eos_token_id ?? model?.eos_token_id ?? []].flat();
    const ends = given.filter((end) => Number.isInteger(end) && end >= 0 && end < 2 ** 31);
    if (ends.length > MAX_ENDS)
      throw new CachalotError(
        'tokenizer_invalid',
        `'${folder}' names ${ends.length} ends of text; at most ${MAX_ENDS} are allowed`,
      );
    const bos = find(config?.bos_token);
    return {
      bos,
      eos: find(config?.eos_token) ?? ends[0],
      stops: ends,
      addBos: config?.add_bos_token ?? beginsWith(json, nameOf(config?.bos_token)),
      chatTemplate: template ?? chatTemplate(config),
    };
  });
}

function nameOf(token: TokenizerConfig['bos_token']): string | undefined {
  return typeof token === 'string' ? token : (token?.content ?? undefined);
}

function chatTemplate(config: TokenizerConfig | undefined): string | undefined {
  const given = config?.chat_template;
  const named = Array.isArray(given) ? given.filter((one) => typeof one === 'object' && one) : [];
  const template = Array.isArray(given)
    ? (named.find(({ name }) => name === 'default') ?? named[0])?.template
    : given;
  return typeof template === 'string' ? template : undefined;
}

/** Whether the tokenizer's own post-processing puts `token` before a text. */
function beginsWith({ post_processor }: TokenizerJson, token: string | undefined): boolean {
  if (!post_processor || token === undefined) return false;
  const steps: Step[] = [post_processor, ...(post_processor.processors ?? [])];
  return steps.some(({ single }) => {
    const first = (Array.isArray(single) ? single[0] : undefined) as
      { SpecialToken?: { id?: string } } | undefined;
    return first?.SpecialToken?.id === token;
  });
}

/** `code`: of the error if the file is not JSON. Only one of these files is the tokenizer's. */
async function readJson<T>(path: string, code: ErrorCode): Promise<T | undefined> {
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const value = parseJson(text, `'${path}'`, code);
  return typeof value === 'object' && value !== null ? (value as T) : undefined;
}
