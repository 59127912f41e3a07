/** The lines that `cachalot batch` reads: JSON, one prompt each, in our form or OpenAI's. */
import { isUtf8 } from 'node:buffer';

import type { BatchRequest } from '../batch/batch.js';
import type { Message } from '../chat/messages.js';
import { CachalotError, fromNative } from '../errors.js';
import type { GenerateOptions } from '../options/generate-options.js';
import { parseJson } from '../text/parse-json.js';
import { isOpenAi, readOpenAi } from './openai-request.js';
import type { OpenAiRequest } from './openai-request.js';
import { rawMembers } from './raw-members.js';
import { nameOf, readBytes } from './read-text.js';
import { textLines } from './text-bytes.js';

/** A line of the input, or what is wrong with it: a bad line fails alone. */
export interface InputLine {
  /** Among the lines that are not empty, from 0. */
  index: number;
  text: string;
  /** `id` or `custom_id` as it was written, as JSON. */
  id: string | undefined;
  /** What is asked; undefined if it is an error. */
  prompt: string | unknown[] | undefined;
  tokens: number[] | undefined;
  options: GenerateOptions;
  /** How the answer is written. */
  form: 'own' | 'openai';
  /** Of a line in OpenAI's form that is no error. */
  asked: OpenAiRequest | undefined;
  error: CachalotError | undefined;
}

/** The lines of all files, in their order. */
export async function readInput(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<InputLine[]> {
  const lines: Buffer[] = [];
  for (const path of paths)
    for (const line of textLines(await readBytes(path, signal), nameOf(path))) lines.push(line);
  return lines
    .map((bytes) => ({ text: bytes.toString('utf8').trim(), isText: isUtf8(bytes) }))
    .filter(({ text }) => text !== '')
    .map(({ text, isText }, index) => parseLine(text, index, isText));
}

type Parsed = Partial<Pick<InputLine, 'id' | 'form'>>;

function parseLine(text: string, index: number, isText: boolean): InputLine {
  const line: InputLine = {
    index,
    text,
    id: undefined,
    prompt: undefined,
    tokens: undefined,
    options: {},
    form: 'own',
    asked: undefined,
    error: undefined,
  };
  const seen: Parsed = {}; // also of a line that turns out to be wrong
  try {
    if (!isText) throw wrong('it is not UTF-8');
    return { ...line, ...parseValue(text, seen) };
  } catch (error) {
    return { ...line, ...seen, error: fromNative(error) };
  }
}

function parseValue(text: string, seen: Parsed): Partial<InputLine> {
  const value = parseJson(text, 'it', 'invalid_argument');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { prompt: checkPrompt(value) };
  if (isOpenAi(value)) seen.form = 'openai';
  const members = rawMembers(text);
  const name = seen.form === 'openai' ? 'custom_id' : 'id';
  const raw = members.get(name);
  if (raw !== undefined && !/^["\d-]/.test(raw))
    throw wrong(`\`${name}\` is neither a string nor a number`);
  if (raw !== undefined) seen.id = raw;
  if (seen.form === 'openai') return { ...seen, ...readOpenAiLine(value, members) };
  const { prompt, ...rest } = value as { prompt?: unknown };
  const options = Object.fromEntries(Object.entries(rest).filter(([key]) => key !== 'id'));
  return { ...seen, prompt: checkPrompt(prompt), options };
}

function readOpenAiLine(value: object, members: ReadonlyMap<string, string>): Partial<InputLine> {
  const asked = readOpenAi(value);
  rawMembers(members.get('body')!); // no field is there twice
  const { prompt, tokens, options } = asked;
  return { prompt, tokens, options, asked };
}

function checkPrompt(prompt: unknown): string | unknown[] {
  if (typeof prompt === 'string' || Array.isArray(prompt)) return prompt;
  throw wrong('it has no `prompt`: a string, or an array of messages');
}

function wrong(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}

/** What a batch is asked besides its lines. */
export interface BatchSetting {
  /** Whether a string is a message for the model's chat template, or text to continue. */
  isChat: boolean;
  system: string | undefined;
  /** Of draws, where a line has none of its own. */
  seed: number;
}

/**
 * What the batch is asked: several completions of one prompt are as many requests, whose draws differ. A line that is no request
 * fails there as it should, without a token computed.
 */
export function toRequests(line: InputLine, setting: BatchSetting): BatchRequest[] {
  const { options, error, tokens, asked } = line;
  if (error) return [{ prompt: [] }];
  const request: BatchRequest =
    tokens === undefined ? { ...options, prompt: promptOf(line, setting) } : { ...options, tokens };
  const { n = 1 } = asked ?? {};
  if (n === 1) return [request];
  const { seed = setting.seed } = options;
  return Array.from({ length: n }, (_, i) => ({
    ...request,
    seed: (seed + i) % Number.MAX_SAFE_INTEGER,
  }));
}

function promptOf(
  { prompt, asked }: InputLine,
  { isChat, system }: BatchSetting,
): string | Message[] {
  if (typeof prompt === 'string') {
    if (asked || !isChat) return prompt; // OpenAI's prompts are text to continue
    return withSystem([{ role: 'user', content: prompt }], system);
  }
  return withSystem(prompt as Message[], system);
}

/** A conversation that has been told something keeps it. */
function withSystem(messages: Message[], system: string | undefined): Message[] {
  const isTold = (messages as ({ role?: unknown } | null)[]).some(
    (message) => message?.role === 'system' || message?.role === 'developer',
  );
  return system === undefined || isTold
    ? messages
    : [{ role: 'system', content: system }, ...messages];
}
