/** The vocabulary of a model on disk, whatever its container. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

import { fromNative } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { native } from '../native.js';
import type { GgufInfo } from '../native.js';
import { readModelTokens, readVocabulary } from './gguf-tokenizer.js';
import { readHubVocabulary } from './hub-tokenizer.js';
import { readTokenizerJson } from './tokenizer-json.js';
import type { Vocabulary } from './vocabulary.js';

/** The metadata that is read. Models also contain their tokenizer.json, which is long and not needed. */
const KEYS = ['tokenizer.ggml.', 'tokenizer.chat_template'];

/** `tokenizer` is the path of a tokenizer.json to use instead of the model's own. */
export async function loadVocabulary(path: string, tokenizer?: string): Promise<Vocabulary> {
  const folder = hubFolder(path);
  if (folder !== undefined) return readHubVocabulary(folder, tokenizer);
  let file: GgufInfo;
  try {
    file = await native().readGguf(path, { keys: KEYS });
  } catch (error) {
    throw fromNative(error);
  }
  return tokenizer === undefined
    ? readVocabulary(file)
    : readTokenizerJson(tokenizer, readModelTokens(file));
}

/** The Hugging Face folder that `path` is or lies in; undefined for a GGUF file. */
function hubFolder(path: string): string | undefined {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  } catch (error) {
    throw ioError(error, 'read', path);
  }
  return /\.(safetensors|json)$/.test(path) ? dirname(path) : undefined;
}
