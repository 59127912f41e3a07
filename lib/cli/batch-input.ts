/** The lines that `cachalot batch` reads: JSON, one prompt each, in our format or OpenAI's. */
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

/** A line of the input, or its error: an invalid line fails alone. */
export interface InputLine {
  /** Index among the lines that are not empty, from 0. */
  index: number;
  text: string;
  /** `id` or `custom_id` as it was written, as JSON. */
  id: string | undefined;
  /** The prompt; undefined if the line has an error. */
  prompt: string | unknown[] | undefined;
  tokens: number[] | undefined;
  options: GenerateOptions;
  /** The format of its answer. */
  form: 'own' | 'openai';
  /** For a valid line in OpenAI's format. */
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
  const seen: Parsed = {}; // these also count if the line turns out to be invalid
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
  rawMembers(members.get('body')!); // throws if a field is there twice
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

/** Options of a batch besides its lines. */
export interface BatchSetting {
  /** Whether a string is a message for the model's chat template, rather than text to continue. */
  isChat: boolean;
  system: string | undefined;
  /** Seed of lines that have none of their own. */
  seed: number;
}

/**
 * The items of the batch. Several completions of one prompt are as many items, with different draws. An invalid line becomes an item
 * that fails, without any token computed.
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

/** A conversation with a system message of its own keeps it. */
function withSystem(messages: Message[], system: string | undefined): Message[] {
  const isTold = (messages as ({ role?: unknown } | null)[]).some(
    (message) => message?.role === 'system' || message?.role === 'developer',
  );
  return system === undefined || isTold
    ? messages
    : [{ role: 'system', content: system }, ...messages];
}
