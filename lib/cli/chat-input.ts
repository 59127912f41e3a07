/** The input of a chat: a terminal, with a prompt and pasting, or a pipe. */
import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';

import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { variable } from '../system/environment.js';
import { ChatLines } from './chat-lines.js';
import type { Said } from './chat-lines.js';
import { STANDARD_INPUT } from './read-text.js';
import { decodeText, linesOf, utf8Converter } from './text-bytes.js';

export interface ChatInput extends AsyncIterable<Said> {
  /** Shows a prompt for the next message, if there is a terminal. */
  prompt(): void;
  /** Drops typed text that was not sent yet. False if there is none. */
  clear(): boolean;
  close(): void;
}

/** Lines of a pipe. Throws io if it is not text, and invalid_argument for a block without an end. */
export class PipeInput implements ChatInput {
  prompt(): void {
    // Nobody would see it.
  }

  clear(): boolean {
    return false;
  }

  close(): void {
    process.stdin.destroy();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Said, void, void> {
    const lines = new ChatLines();
    for await (const line of readLines()) {
      const said = lines.push(line, false);
      if (said) yield said;
    }
    if (lines.isBlock)
      throw new CachalotError('invalid_argument', 'the message that begins with """ has no end');
  }
}

/** Lines as they come, in UTF-8 or UTF-16 with its byte-order mark, which is not part of them. */
async function* readLines(): AsyncGenerator<string, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  const toUtf8 = utf8Converter(STANDARD_INPUT);
  let number = 1;
  const decode = (bytes: Buffer) => {
    const text = number++ === 1 ? decodeText(bytes, STANDARD_INPUT) : bytes.toString('utf8');
    if (isUtf8(bytes)) return text.replace(/\r$/, '');
    throw new CachalotError('io', `cannot read ${STANDARD_INPUT}: line ${number - 1} is not UTF-8`);
  };
  try {
    for await (const chunk of process.stdin) {
      const lines = linesOf(Buffer.concat([rest, toUtf8(chunk as Buffer, false)]));
      rest = lines.pop()!;
      for (const line of lines) yield decode(line);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE') return; // we have stopped reading
    throw ioError(error, 'read', STANDARD_INPUT);
  }
  for (const line of linesOf(Buffer.concat([rest, toUtf8(Buffer.alloc(0), true)])))
    if (line.length > 0) yield decode(line);
}

/** Terminals mark pasted text if they are asked to. */
const [MARK_PASTES, MARK_NO_PASTES] = ['\x1b[?2004h', '\x1b[?2004l'];

export class TerminalInput implements ChatInput {
  readonly #readline: Interface;
  readonly #lines = new ChatLines();
  readonly #said: Said[] = [];
  readonly #prompts: { first: string; more: string };
  #isPasting = false;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(prompts: { first: string; more: string }, onInterrupt: () => void) {
    this.#prompts = prompts;
    const { stdin: input, stdout: output } = process;
    this.#readline = createInterface({ input, output, terminal: true, prompt: prompts.first });
    this.#readline.on('SIGINT', onInterrupt);
    this.#readline.on('line', (line) => this.take(line));
    input.on('keypress', (_, key?: { name?: string }) => {
      if (key?.name === 'paste-start') this.#isPasting = true;
      if (key?.name === 'paste-end') this.#isPasting = false;
    });
    const mark = (text: string) => variable('TERM') !== 'dumb' && output.write(text);
    const unmark = () => void mark(MARK_NO_PASTES);
    mark(MARK_PASTES);
    process.once('exit', unmark); // otherwise the shell would receive the marks, too
    this.#readline.once('close', () => {
      process.off('exit', unmark);
      unmark();
      this.#isClosed = true;
      this.#wake();
    });
  }

  prompt(): void {
    if (this.#isClosed) return;
    const { first, more } = this.#prompts;
    this.#readline.setPrompt(this.#lines.isOpen ? more : first);
    this.#readline.prompt();
  }

  clear(): boolean {
    const isOpen = this.#lines.isOpen || this.#readline.line !== '';
    this.#lines.clear();
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
    return isOpen;
  }

  close(): void {
    this.#readline.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Said, void, void> {
    for (;;) {
      const said = this.#said.shift();
      if (said) yield said;
      else if (this.#isClosed) return;
      else await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  private take(line: string): void {
    const said = this.#lines.push(line, this.#isPasting);
    if (said) this.#said.push(said);
    else if (!this.#isPasting) this.prompt();
    else this.#readline.setPrompt(''); // pasted text is shown as it is
    this.#wake();
  }
}
