/** What has been measured so far, in a file that a later run of the same comparison continues. */
import { existsSync } from 'node:fs';

import { CachalotError } from '../errors.js';
import { readTextFile } from '../files/regular-file.js';
import { writeWhole } from '../files/write-whole.js';
import { parseJson } from '../text/parse-json.js';
import type { AnswerRecord, SampleName } from './answers.js';
import type { DivergenceRecord } from './divergence.js';

const FORMAT = 'cachalot-quality-1';
const WRITE_EVERY_MS = 2000;

export class Journal {
  readonly answers: AnswerRecord[] = [];
  readonly divergences: DivergenceRecord[] = [];
  readonly #path: string | undefined;
  readonly #what: string;
  #written = -Infinity;

  private constructor(path: string | undefined, what: string) {
    this.#path = path;
    this.#what = what;
  }

  /** `what`: everything that results depend on. Throws io, or invalid_argument if the file holds another comparison. */
  static async open(path: string | undefined, what: object): Promise<Journal> {
    const journal = new Journal(path, JSON.stringify(what));
    if (path === undefined || !existsSync(path)) return journal;
    const said = parseJson(await readTextFile(path), `'${path}'`, 'invalid_argument');
    const { format, what: other, answers, divergences } = (said ?? {}) as Record<string, unknown>;
    const isOurs =
      format === FORMAT && isListOf(answers, ANSWER) && isListOf(divergences, DIVERGENCE);
    if (!isOurs) throw refuse(`'${path}' is no file of \`cachalot quality\`; give another --keep`);
    if (JSON.stringify(other) !== journal.#what)
      throw refuse(
        `'${path}' holds a comparison of other settings, models, tasks or texts; give another --keep, or delete it`,
      );
    journal.answers.push(...(answers as AnswerRecord[]));
    journal.divergences.push(...(divergences as DivergenceRecord[]));
    return journal;
  }

  hasAnswers(setting: string, { task, length, sample }: SampleName): boolean {
    return this.answers.some(
      (one) =>
        one.setting === setting &&
        one.task === task &&
        one.length === length &&
        one.sample === sample,
    );
  }

  hasDivergence(setting: string, passage: number): boolean {
    return this.divergences.some((one) => one.setting === setting && one.passage === passage);
  }

  /** Written at most every two seconds; `close` writes the rest. */
  async add(answers: readonly AnswerRecord[], divergences: readonly DivergenceRecord[] = []) {
    this.answers.push(...answers);
    this.divergences.push(...divergences);
    if (performance.now() - this.#written > WRITE_EVERY_MS) await this.close();
  }

  async close(): Promise<void> {
    this.#written = performance.now();
    if (this.#path === undefined) return;
    const { answers, divergences } = this;
    const all = { format: FORMAT, what: JSON.parse(this.#what) as unknown, answers, divergences };
    await writeWhole(this.#path, `${JSON.stringify(all)}\n`);
  }
}

/** Fields that sums are made of. */
const ANSWER = ['right', 'of', 'tokens', 'kept', 'kvBytes', 'computed', 'prefillMs', 'decodeMs'];
const DIVERGENCE = ['passage', 'continued'];
const PART = ['rows', 'kl', 'agree', 'nll'];

/** Whether these are objects whose fields are numbers. */
function isListOf(value: unknown, fields: readonly string[]): value is object[] {
  if (!Array.isArray(value)) return false;
  return value.every((item: unknown) => {
    if (typeof item !== 'object' || item === null) return false;
    const record = item as Record<string, unknown>;
    const isWhole = fields.every((field) => Number.isFinite(record[field]));
    return isWhole && (fields !== DIVERGENCE || isListOf(record['parts'], PART));
  });
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}
