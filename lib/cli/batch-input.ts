/** The lines that `cachalot batch` reads: JSON, one prompt each. */
import { readFile } from 'node:fs/promises';

import type { BatchRequest } from '../batch.js';
import { CachalotError, fromNative } from '../errors.js';
import type { Message } from '../text/chat-template.js';

/** A line of the input, or what is wrong with it: a bad line fails alone. */
export interface InputLine {
  /** Of the line, from 0; empty lines do not count. */
  index: number;
  text: string;
  id: string | number | undefined;
  request: BatchRequest | CachalotError;
}

/** How strings become prompts. */
export interface PromptStyle {
  /** Strings are messages of a user, for the model's chat template; else text to continue. */
  isChat: boolean;
  system: string | undefined;
}

export async function readInput(path: string, style: PromptStyle): Promise<InputLine[]> {
  const text =
    path === '-' ? await readStandardInput() : await readFile(path, 'utf8').catch(fail(path));
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line, index) => parseLine(line, index, style));
}

function fail(path: string): (error: unknown) => never {
  return (error) => {
    const why = (error as Error).message;
    throw new CachalotError('io', `cannot read '${path}': ${why}`, { cause: error });
  };
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseLine(text: string, index: number, style: PromptStyle): InputLine {
  let id: string | number | undefined;
  try {
    const value = parse(text);
    const isRequest = typeof value === 'object' && value !== null && !Array.isArray(value);
    const {
      id: given,
      prompt,
      ...options
    } = (isRequest ? value : { prompt: value }) as {
      id?: unknown;
      prompt?: unknown;
    };
    if (typeof given === 'string' || typeof given === 'number') id = given;
    else if (given !== undefined) throw wrong('`id` is neither a string nor a number');
    if (typeof prompt !== 'string' && !Array.isArray(prompt))
      throw wrong('it has no `prompt`: a string, or an array of messages');
    return { index, text, id, request: { ...options, prompt: styled(prompt, style) } };
  } catch (error) {
    return { index, text, id, request: fromNative(error) };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(`it is no JSON: ${(error as Error).message}`);
  }
}

function wrong(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}

function styled(prompt: string | unknown[], { isChat, system }: PromptStyle): string | Message[] {
  if (typeof prompt !== 'string') return prompt as Message[]; // the batch checks them
  if (!isChat) return prompt;
  return [
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    { role: 'user', content: prompt },
  ];
}
