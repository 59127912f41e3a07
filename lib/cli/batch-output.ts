/**
 * The output of `cachalot batch`: one line for each finished item, whole or not at all. An existing file is continued: answers
 * in it are not computed again, and a last line that a kill cut off is removed. Nothing else is ever removed from a file.
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

/** Standard output, or a file that knows which items are done. */
export class BatchOutput {
  /** Indices of items that the file has, and those among them that failed. */
  readonly done = new Set<number>();
  readonly failed = new Set<number>();
  readonly #settings: string;
  #path = '';
  #file: number | undefined;
  /** For a file that can be continued: a pipe cannot. */
  #lock: FileLock | undefined;

  /** `settings`: everything besides the lines that answers depend on. */
  private constructor(settings: unknown) {
    this.#settings = JSON.stringify(settings);
  }

  /** Throws io, aborted, or invalid_argument if the file belongs to another batch; it is then unchanged. */
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
      if (output.#file !== undefined) return output; // a pipe has no earlier answers
      const target = await followLink(path); // one lock, however many links lead there
      const onWait = (holder: LockHolder) => tellOrRefuse(holder, path);
      output.#lock = await FileLock.acquire(target, { signal, onWait });
      output.#file = openSync(target, 'a+', PRIVATE_FILE);
      const status = fstatSync(output.#file);
      if (!status.isFile()) throw notAFile('write', path, status); // it was replaced in the meantime
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

  /** Whether a last line that was cut off is an answer of this batch: it has the batch's key, or is the beginning of one after other answers. */
  private isBeginningOfOurs(rest: Buffer, lines: readonly InputLine[]): boolean {
    return lines.some((line) => {
      const head = Buffer.from(this.headOf(line));
      const both = Math.min(head.length, rest.length);
      const isSame = head.subarray(0, both).equals(rest.subarray(0, both));
      return isSame && (rest.length >= head.length || this.done.size > 0);
    });
  }

  /** The beginning of an answer, up to its outcome, with the id as it was given. */
  private headOf(line: InputLine): string {
    const { index, id, form } = line;
    const name = form === 'openai' ? 'custom_id' : 'id';
    const named = id !== undefined || form === 'openai' ? `,"${name}":${id ?? 'null'}` : '';
    return `{"index":${index}${named},"key":"${this.keyOf(line)}"`;
  }

  /** Key of a line and everything that its answer depends on: a file with other answers is not continued. */
  keyOf(line: InputLine): string {
    const hash = createHash('sha256').update(this.#settings).update('\n').update(line.text);
    return hash.digest('hex').slice(0, 16);
  }

  /** Written in one piece: after a kill the line is absent, whole, or cut off, which the next run detects. `outcome` is an object that is not empty. */
  write(line: InputLine, outcome: object): void {
    const text = `${this.headOf(line)},${JSON.stringify(outcome).slice(1)}`;
    if (this.#file === undefined) {
      process.stdout.write(`${text}\n`);
      return;
    }
    if (this.#lock?.lost.aborted) throw this.#lock.lost.reason; // another process continues this file
    const bytes = Buffer.from(`${text}\n`);
    const before = this.#lock ? fstatSync(this.#file).size : undefined;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      if (before !== undefined) ftruncateSync(this.#file, before); // the part of this line that had room
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

/** If a known process writes there, it is not waited for: it is computing answers to the same lines. */
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
