/** What has been measured so far, in a file that a later run of the same comparison continues. */
import { existsSync } from 'node:fs';

import { CachalotError } from '../errors.js';
import { readTextFile } from '../files/regular-file.js';
import { writeWhole } from '../files/write-whole.js';
import { parseJson } from '../text/parse-json.js';
import type { AnswerRecord, SampleName } from './answers.js';
import { PARTS } from './divergence.js';
import type { DivergenceRecord } from './divergence.js';

const FORMAT = 'cachalot-quality-1';
const WRITE_EVERY_MS = 2000;
/** More than a comparison has. */
const MOST_TURNS = 16;

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
      format === FORMAT && isListOf(answers, isAnswer) && isListOf(divergences, isDivergence);
    if (!isOurs) throw refuse(`'${path}' is no file of \`cachalot quality\`; give another --keep`);
    if (JSON.stringify(other) !== journal.#what)
      throw refuse(
        `'${path}' holds a comparison of other settings, models, tasks or texts; give another --keep, or delete it`,
      );
    for (const one of answers) journal.answers.push(one as unknown as AnswerRecord);
    for (const one of divergences) journal.divergences.push(one as unknown as DivergenceRecord);
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

type Fields = Record<string, unknown>;

const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const isAmount = (value: unknown) => Number.isFinite(value) && (value as number) >= 0;

function isAnswer(one: Fields): boolean {
  const { setting, task, mode, turn, right, of } = one;
  const counts = ['length', 'sample', 'tokens', 'kept', 'computed', 'generated'];
  return (
    typeof setting === 'string' &&
    typeof task === 'string' &&
    (mode === 'requests' || mode === 'turns') &&
    isCount(turn) &&
    (turn as number) < MOST_TURNS &&
    counts.every((name) => isCount(one[name])) &&
    ['right', 'of', 'kvBytes', 'prefillMs', 'decodeMs'].every((name) => isAmount(one[name])) &&
    (right as number) <= (of as number)
  );
}

function isDivergence({ setting, passage, parts, differsAt, continued }: Fields): boolean {
  const isPart = ({ rows, kl, agree, nll }: Fields) =>
    isCount(rows) && isAmount(kl) && isCount(agree) && Number.isFinite(nll);
  return (
    typeof setting === 'string' &&
    isCount(passage) &&
    isCount(continued) &&
    (differsAt === null || isCount(differsAt)) &&
    isListOf(parts, isPart) &&
    parts.length === PARTS
  );
}

function isListOf(value: unknown, isOne: (one: Fields) => boolean): value is Fields[] {
  return (
    Array.isArray(value) &&
    value.every((one) => typeof one === 'object' && one !== null && isOne(one as Fields))
  );
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}
