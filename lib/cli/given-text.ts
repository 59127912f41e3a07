/**
 * The text for `run` and `score`. All given parts are used: first files, then piped text, then the argument, with
 * a blank line between them. (A question is best asked last: questions about one text then share a prefix, which is computed once.)
 */
import type { Command } from 'commander';

import { CachalotError } from '../errors.js';
import {
  isStandardInput,
  nameOf,
  readStandardInput,
  readStandardInputQuietly,
  readText,
  standardInputKind,
} from './read-text.js';
import { decodeText } from './text-bytes.js';

export interface Given {
  argument: string | undefined;
  files: readonly string[];
  /** Whether a blank argument counts as a text. */
  mayBeBlank: boolean;
}

/** Reads the files in `given`, and standard input. Ends the command with a usage error if nothing is given. */
export async function readGiven(
  given: Given,
  command: Command,
  signal: AbortSignal,
): Promise<GivenText> {
  const { argument, files } = given;
  const named = [...files.filter(isStandardInput), ...(argument === '-' ? ['-'] : [])];
  if (named.length > 1) return refuse(command, 'standard input can be given once');
  const isAlone = files.length === 0 && argument === undefined;
  const kind = named.length > 0 ? 'nothing' : standardInputKind();
  if (isAlone && kind === 'nothing') return refuse(command, NOTHING);
  const parts: string[] = [];
  for (const file of files) parts.push(await readText(file, signal));
  const idle = kind === 'socket' && !isAlone ? new IdleInput(signal) : undefined;
  if (kind !== 'nothing' && !idle)
    parts.push(decodeText(await readStandardInput(signal), nameOf('-')));
  const last = argument === '-' ? await readText('-', signal) : argument;
  const check = (text: string) => {
    const isText = /\S/.test(text) || (given.mayBeBlank && argument !== undefined);
    return isText ? text : refuse(command, NOTHING);
  };
  if (!idle) check(joined([...parts, last]));
  return new GivenText(async () => check(joined([...parts, await idle?.text(), last])), idle);
}

const NOTHING = 'give a text: as the argument, with --file, or through a pipe';

function refuse(command: Command, what: string): never {
  return command.error(`error: ${what}`, { exitCode: 2 });
}

/** A single part stays as it is, byte for byte. */
function joined(parts: readonly (string | undefined)[]): string {
  const texts = parts.filter((part) => part !== undefined && /\S/.test(part)) as string[];
  if (texts.length === 0) return parts.find((part) => part !== undefined) ?? '';
  return texts
    .map((text, i) => (i + 1 < texts.length ? text.replace(/[\r\n]+$/, '') : text))
    .join('\n\n');
}

export class GivenText {
  readonly #text: () => Promise<string>;
  readonly #idle: IdleInput | undefined;

  constructor(text: () => Promise<string>, idle: IdleInput | undefined) {
    this.#text = text;
    this.#idle = idle;
  }

  /** Passes the text to `work`, once the model is loaded. Fails if more text comes meanwhile. */
  async use(work: (text: string) => Promise<void>): Promise<void> {
    const text = await this.#text();
    await Promise.race([work(text), ...(this.#idle ? [this.#idle.late] : [])]);
  }

  /** Closes open inputs: they would keep the process alive. */
  close(): void {
    this.#idle?.close();
  }
}

/**
 * Standard input as made by Node's `child_process`: a socket that may never be written to or closed, while the text is given in another
 * way. If no text has come when the model is loaded, it is not waited for; text that comes later is an error.
 */
class IdleInput {
  /** Rejects if text comes after all. */
  readonly late: Promise<never>;
  readonly #controller = new AbortController();
  readonly #reading: Promise<Buffer>;
  #hasBegun = false;
  #isLeftOut = false;

  constructor(signal: AbortSignal) {
    let refuseLate: (error: CachalotError) => void = () => undefined;
    this.late = new Promise((_, reject) => (refuseLate = reject));
    this.late.catch(() => undefined); // the code that works with the text handles it
    const either = AbortSignal.any([signal, this.#controller.signal]);
    this.#reading = readStandardInputQuietly(either, () => {
      this.#hasBegun = true;
      if (this.#isLeftOut) refuseLate(TOO_LATE);
    });
    this.#reading.catch(() => undefined); // `text` reports it, or nobody waits for it
    void this.#reading.then(
      () => (this.#hasBegun = true),
      () => undefined,
    );
  }

  async text(): Promise<string | undefined> {
    this.#isLeftOut = !this.#hasBegun;
    return this.#hasBegun ? decodeText(await this.#reading, nameOf('-')) : undefined;
  }

  close(): void {
    this.#controller.abort();
  }
}

const TOO_LATE = new CachalotError(
  'invalid_argument',
  'text came through standard input when the answer had begun without it: write it at once, or give no other text',
);
