/**
 * Where `cachalot batch` writes: one line for each finished item, whole or not at all. A file that is there already is gone on
 * with: what it holds is not computed again, and a line that a kill cut off is taken away. Nothing else is ever taken from a file.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';

import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { FileLock } from '../files/lock.js';
import type { LockHolder } from '../files/lock-file.js';
import { PRIVATE_FILE } from '../files/private.js';
import { notAFile } from '../files/regular-file.js';
import { followLink } from '../files/write-whole.js';
import { parseJson } from '../text/parse-json.js';
import type { InputLine } from './batch-input.js';
import { openForAnswers } from './open-for-answers.js';
import { readWholeLines } from './whole-lines.js';

/** Standard output, or a file that knows what is done. */
export class BatchOutput {
  /** Indices of items that are there, and of those, which have failed. */
  readonly done = new Set<number>();
  readonly failed = new Set<number>();
  readonly #settings: string;
  #path = '';
  #file: number | undefined;
  /** Of a file that is gone on with: a pipe has none. */
  #lock: FileLock | undefined;

  /** `settings`: what answers depend on besides their lines. */
  private constructor(settings: unknown) {
    this.#settings = JSON.stringify(settings);
  }

  /** Throws io, aborted, or invalid_argument if the file is another's; it is then as it was. */
  static async open(
    path: string | undefined,
    lines: readonly InputLine[],
    settings: unknown,
    signal: AbortSignal,
  ): Promise<BatchOutput> {
    const output = new BatchOutput(settings);
    if (path === undefined) return output;
    output.#path = path;
    try {
      output.#file = openForAnswers(path);
      if (output.#file !== undefined) return output; // nothing to go on with
      const target = await followLink(path); // one lock, whatever links lead there
      const onWait = (holder: LockHolder) => tellOrRefuse(holder, path);
      output.#lock = await FileLock.acquire(target, { signal, onWait });
      output.#file = openSync(target, 'a+', PRIVATE_FILE);
      const status = fstatSync(output.#file);
      if (!status.isFile()) throw notAFile('write', path, status); // it has been exchanged
      output.resume(output.#file, path, lines);
      return output;
    } catch (error) {
      await output.close().catch(() => undefined); // the first error says more
      throw ioError(error, 'write', path);
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
      if (error !== undefined && error !== null) this.failed.add(line.index);
    }
    const { end, rest } = next.value;
    if (rest.length === 0) return;
    if (!this.isBeginningOfOurs(rest, lines))
      throw refuse(
        `'${path}' does not end with an answer of \`cachalot batch\`; give another --output`,
      );
    ftruncateSync(file, end);
  }

  /** Whether a last line that was cut off is an answer of this batch: one with its key, or the first bytes of one behind others. */
  private isBeginningOfOurs(rest: Buffer, lines: readonly InputLine[]): boolean {
    return lines.some((line) => {
      const head = Buffer.from(this.headOf(line));
      const both = Math.min(head.length, rest.length);
      const isSame = head.subarray(0, both).equals(rest.subarray(0, both));
      return isSame && (rest.length >= head.length || this.done.size > 0);
    });
  }

  /** What an answer begins with, up to where its outcome goes; the id as it came. */
  private headOf(line: InputLine): string {
    const { index, id, form } = line;
    const name = form === 'openai' ? 'custom_id' : 'id';
    const named = id !== undefined || form === 'openai' ? `,"${name}":${id ?? 'null'}` : '';
    return `{"index":${index}${named},"key":"${this.keyOf(line)}"`;
  }

  /** Of a line and all that its answer depends on: a file of other answers is not gone on with. */
  keyOf(line: InputLine): string {
    const hash = createHash('sha256').update(this.#settings).update('\n').update(line.text);
    return hash.digest('hex').slice(0, 16);
  }

  /** In one piece: a kill leaves a line out, or whole, or cut off, which the next run sees. `outcome` is an object that is not empty. */
  write(line: InputLine, outcome: object): void {
    const text = `${this.headOf(line)},${JSON.stringify(outcome).slice(1)}`;
    if (this.#file === undefined) {
      process.stdout.write(`${text}\n`);
      return;
    }
    if (this.#lock?.lost.aborted) throw this.#lock.lost.reason; // another process goes on with it
    const bytes = Buffer.from(`${text}\n`);
    const before = this.#lock ? fstatSync(this.#file).size : undefined;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      if (before !== undefined) ftruncateSync(this.#file, before); // what found room of this line
      throw ioError(error, 'write', this.#path);
    }
  }

  /** Throws io. */
  async close(): Promise<void> {
    const [file, lock] = [this.#file, this.#lock];
    this.#file = this.#lock = undefined;
    try {
      if (file !== undefined && lock) fsyncSync(file);
    } catch (error) {
      throw ioError(error, 'write', this.#path);
    } finally {
      if (file !== undefined) closeSync(file);
      await lock?.release();
    }
  }
}

/** Who is known to write there is not waited for: an answer to the same question is being made. */
function tellOrRefuse({ description, isAlive }: LockHolder, path: string): void {
  if (isAlive) throw refuse(`another process writes '${path}': ${description}`);
  process.stderr.write(
    `'${path}' is locked by ${description}; this goes on when the lock shows no sign of life for a minute\n`,
  );
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}

function parse(text: string): { index?: unknown; key?: unknown; error?: unknown } {
  try {
    return parseJson(text, 'it', 'invalid_argument') ?? {};
  } catch {
    return {};
  }
}
