/**
 * Where `cachalot batch` writes: one line for each finished item, whole or not at all. A file that is there already is gone on
 * with: what it holds is not computed again, a line that a kill cut off is taken away.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  truncateSync,
  writeSync,
} from 'node:fs';

import { CachalotError } from '../errors.js';
import type { BatchResult } from '../batch.js';
import type { InputLine } from './batch-input.js';

/** Which input line an output line answers, however the file was edited since. */
export function keyOf(line: InputLine): string {
  return createHash('sha256').update(line.text).digest('hex').slice(0, 16);
}

export function outputLine(
  line: InputLine,
  result: Omit<BatchResult, 'index' | 'completion'>,
): string {
  const head = {
    index: line.index,
    ...(line.id === undefined ? {} : { id: line.id }),
    key: keyOf(line),
  };
  if (result.error) {
    const { code, message } = result.error;
    return JSON.stringify({ ...head, error: { code, message } });
  }
  const { text, finishReason, usage } = result as Extract<BatchResult, { text: string }>;
  return JSON.stringify({ ...head, text, finishReason, usage });
}

/** Standard output, or a file that knows what is done. */
export class BatchOutput {
  /** Indices of items that are there. */
  readonly done = new Set<number>();
  readonly #file: number | undefined;

  /** Throws invalid_argument if the file is of another input. */
  constructor(path: string | undefined, lines: readonly InputLine[]) {
    if (path === undefined) return;
    if (existsSync(path)) this.resume(path, lines);
    this.#file = openSync(path, 'a');
  }

  private resume(path: string, lines: readonly InputLine[]): void {
    const content = readFileSync(path);
    const end = content.lastIndexOf(0x0a) + 1;
    if (end < content.length) truncateSync(path, end);
    const whole = content.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
    for (const [i, text] of whole.entries()) {
      const { index, key } = parse(text);
      const line = typeof index === 'number' ? lines[index] : undefined;
      if (line === undefined || keyOf(line) !== key) {
        throw new CachalotError(
          'invalid_argument',
          `line ${i + 1} of '${path}' answers no line of this input; give another --output, or delete it`,
        );
      }
      this.done.add(line.index);
    }
  }

  /** In one piece: a kill leaves a line out, or whole, or (when the disk is full) cut off, which the next run sees. */
  write(line: string): void {
    if (this.#file === undefined) {
      process.stdout.write(`${line}\n`);
      return;
    }
    const bytes = Buffer.from(`${line}\n`);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  close(): void {
    if (this.#file === undefined) return;
    fsyncSync(this.#file);
    closeSync(this.#file);
  }
}

function parse(text: string): { index?: unknown; key?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as { index?: unknown; key?: unknown };
  } catch {
    return {};
  }
}
