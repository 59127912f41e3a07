/** The lines that `cachalot batch` reads: JSON, one prompt each. */
import type { BatchRequest } from '../batch.js';
import { isUnicode } from '../check-options.js';
import { CachalotError, fromNative } from '../errors.js';
import type { GenerateOptions } from '../generate-options.js';
import type { Message } from '../text/messages.js';
import { parseJson } from '../text/parse-json.js';
import { readStandardInput, readText } from './read-text.js';

/** A line of the input, or what is wrong with it: a bad line fails alone. */
export interface InputLine {
  /** Among the lines that are not empty, from 0. */
  index: number;
  text: string;
  id: string | number | undefined;
  prompt: string | unknown[];
  options: GenerateOptions;
  error: CachalotError | undefined;
}

export async function readInput(path: string, signal: AbortSignal): Promise<InputLine[]> {
  const text = path === '-' ? await readStandardInput(signal) : await readText(path, signal);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(text: string, index: number): InputLine {
  const line: InputLine = { index, text, id: undefined, prompt: [], options: {}, error: undefined };
  try {
    const value = parseJson(text, 'it', 'invalid_argument');
    const isRequest = typeof value === 'object' && value !== null && !Array.isArray(value);
    const { id, prompt, ...options } = (isRequest ? value : { prompt: value }) as {
      id?: unknown;
      prompt?: unknown;
    };
    if (typeof id === 'string' && !isUnicode(id)) throw wrong('`id` is no Unicode text');
    if (typeof id === 'string' || typeof id === 'number') line.id = id;
    else if (id !== undefined) throw wrong('`id` is neither a string nor a number');
    if (typeof prompt !== 'string' && !Array.isArray(prompt))
      throw wrong('it has no `prompt`: a string, or an array of messages');
    return { ...line, prompt, options };
  } catch (error) {
    return { ...line, error: fromNative(error) };
  }
}

function wrong(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}

/** What the batch is asked; a line that is no request fails there as it should, without a token computed. */
export function toRequest(line: InputLine, isChat: boolean, system?: string): BatchRequest {
  const { prompt, options, error } = line;
  if (error) return { prompt: [] };
  if (typeof prompt !== 'string') return { ...options, prompt: prompt as Message[] };
  if (!isChat) return { ...options, prompt };
  const first: Message[] = system === undefined ? [] : [{ role: 'system', content: system }];
  return { ...options, prompt: [...first, { role: 'user', content: prompt }] };
}
