/**
 * Where `cachalot batch` writes: one line for each finished item, whole or not at all. A file that is there already is gone on
 * with: what it holds is not computed again, and a line that a kill cut off is taken away.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';

import type { BatchResult } from '../batch.js';
import { CachalotError } from '../errors.js';
import { tryLock, unlock } from '../models/lock.js';
import { parseJson } from '../text/parse-json.js';
import type { InputLine } from './batch-input.js';

const CHUNK_BYTES = 1 << 20;
const LINE_BEGINS = '{"index":';

/** Standard output, or a file that knows what is done. */
export class BatchOutput {
  /** Indices of items that are there, and of those, which have failed. */
  readonly done = new Set<number>();
  readonly failed = new Set<number>();
  readonly #settings: string;
  #file: number | undefined;
  #lock: string | undefined;

  /** `settings`: what answers depend on besides their lines. */
  private constructor(settings: unknown) {
    this.#settings = JSON.stringify(settings);
  }

  /** Throws io, or invalid_argument if the file is another's; it is then as it was. */
  static async open(
    path: string | undefined,
    lines: readonly InputLine[],
    settings: unknown,
  ): Promise<BatchOutput> {
    const output = new BatchOutput(settings);
    if (path === undefined) return output;
    try {
      output.#file = openSync(path, 'a+');
      if (!fstatSync(output.#file).isFile()) return output; // a pipe, a device: nothing to go on with
      const lock = `${path}.lock`;
      if (!(await tryLock(lock)) && !(await tryLock(lock)))
        throw refuse(`another process writes '${path}'`);
      output.#lock = lock;
      output.resume(output.#file, path, lines);
      return output;
    } catch (error) {
      await output.close();
      if (error instanceof CachalotError) throw error;
      const why = (error as Error).message;
      throw new CachalotError('io', `cannot write '${path}': ${why}`, { cause: error });
    }
  }

  private resume(file: number, path: string, lines: readonly InputLine[]): void {
    const reader = readWholeLines(file);
    let next = reader.next();
    for (let number = 1; !next.done; number++, next = reader.next()) {
      const { index, key, error } = parse(next.value);
      const line = typeof index === 'number' ? lines[index] : undefined;
      if (line === undefined || this.keyOf(line) !== key || this.done.has(line.index)) {
        throw refuse(
          `line ${number} of '${path}' is no answer to this input with this model and these options; give another --output`,
        );
      }
      this.done.add(line.index);
      if (error !== undefined) this.failed.add(line.index);
    }
    const { end, rest } = next.value;
    if (rest === '') return;
    const isOurs =
      rest.startsWith(LINE_BEGINS) || (this.done.size > 0 && LINE_BEGINS.startsWith(rest));
    if (!isOurs)
      throw refuse(
        `'${path}' does not end with an answer of \`cachalot batch\`; give another --output`,
      );
    ftruncateSync(file, end);
  }

  /** Of a line and all that its answer depends on: a file of other answers is not gone on with. */
  private keyOf(line: InputLine): string {
    const hash = createHash('sha256').update(this.#settings).update('\n').update(line.text);
    return hash.digest('hex').slice(0, 16);
  }

  /** In one piece: a kill leaves a line out, or whole, or cut off, which the next run sees. */
  write(line: InputLine, result: Pick<BatchResult, 'text' | 'error'>): void {
    const { index, id } = line;
    const head = { index, ...(id === undefined ? {} : { id }), key: this.keyOf(line) };
    const text = JSON.stringify({ ...head, ...outcomeOf(result) });
    if (this.#file === undefined) {
      process.stdout.write(`${text}\n`);
      return;
    }
    const bytes = Buffer.from(`${text}\n`);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  async close(): Promise<void> {
    if (this.#file !== undefined) {
      if (this.#lock !== undefined) fsyncSync(this.#file);
      closeSync(this.#file);
    }
    if (this.#lock !== undefined) await unlock(this.#lock);
    this.#file = this.#lock = undefined;
  }
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}

function outcomeOf(result: Pick<BatchResult, 'text' | 'error'>): object {
  if (result.error) return { error: { code: result.error.code, message: result.error.message } };
  const { text, finishReason, usage } = result as Extract<BatchResult, { text: string }>;
  return { text, finishReason, usage };
}

/** The lines that end; then where they do, and the beginning of what is behind them. */
function* readWholeLines(file: number): Generator<string, { end: number; rest: string }, void> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let pieces: Buffer[] = [];
  let end = 0;
  for (let at = 0; ;) {
    const read = readSync(file, chunk, 0, CHUNK_BYTES, at);
    if (read === 0) break;
    let from = 0;
    for (let to = chunk.indexOf(0x0a); to >= 0 && to < read; to = chunk.indexOf(0x0a, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, to)]).toString('utf8');
      pieces = [];
      from = to + 1;
      end = at + from;
    }
    pieces.push(Buffer.from(chunk.subarray(from, read)));
    at += read;
  }
  return { end, rest: Buffer.concat(pieces).subarray(0, 100).toString('utf8') };
}

function parse(text: string): { index?: unknown; key?: unknown; error?: unknown } {
  try {
    return (parseJson(text, 'it', 'invalid_argument') ?? {});
  } catch {
    return {};
  }
}
