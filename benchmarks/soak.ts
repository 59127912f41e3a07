/**
 * npm run soak -- --seconds 600: random operations on one engine with little memory - completions, conversations, forks, batches,
 * contexts, scores, logits, aborts, deadlines - each answer compared with that of a lone run on an engine that shares nothing.
 * Ends with the counts; the first difference ends it with the operation and the seed. Under AddressSanitizer:
 * `npm run build:sanitize`, then with libasan preloaded.
 */
import { Command } from 'commander';

import { Engine } from '#lib/engine.js';
import { CachalotError } from '#lib/errors.js';
import { integer } from '#lib/cli/flag-values.js';

import { writeTinyModel } from '../test/fixtures/tiny-model.js';
import { Random } from '../test/random.js';
import { runMain } from './harness/main.js';

const TEMPLATE =
  '{% for m in messages %}{{ m.role }}:{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}';
const WORDS = ['the', 'a', 'and', 'in', 'er', 'ing', 'on', 'at', 'es', 'or', 's'];
const AT_ONCE = 12;
/** What may end an operation that was asked to end, or that finds no room. */
const EXPECTED = ['aborted', 'deadline_exceeded', 'kv_budget_exceeded', 'context_overflow'];

class Soak {
  readonly #random: Random;
  readonly #counts = new Map<string, number>();
  checks = 0;

  constructor(
    readonly busy: Engine,
    readonly alone: Engine,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  /** Random operations, many at once, until the time is over. */
  async run(end: number): Promise<void> {
    const worker = async () => {
      while (performance.now() < end) {
        const [name, work] = this.pick(this.operations);
        try {
          await work();
        } catch (error) {
          if (!(error instanceof CachalotError) || !EXPECTED.includes(error.code))
            throw new Error(`${name}: ${String(error)}`, { cause: error });
        }
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  describe(): string {
    return [...this.#counts].map(([name, n]) => `${name} ${n}`).join(', ');
  }

  private readonly operations: [string, () => Promise<void>][] = [
    ['complete', () => this.complete()],
    ['stream and leave', () => this.leave()],
    ['abort', () => this.abort()],
    ['deadline', () => this.late()],
    ['conversation', () => this.converse()],
    ['batch', () => this.batch()],
    ['context', () => this.context()],
    ['score', () => this.score()],
    ['logits', () => this.logits()],
    ['clear', () => Promise.resolve(this.clear())],
  ];

  private clear(): void {
    if (this.#random.below(20) === 0) this.busy.cache.clear();
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }

  /** Prompts begin alike: a few beginnings, then words of their own. */
  private text(most = 60): string {
    const beginning = 'the a and in '.repeat(1 + this.#random.below(3) * 8);
    const own = Array.from({ length: this.#random.below(most) }, () => this.pick(WORDS));
    return beginning + own.join(' ');
  }

  private options() {
    const random = this.#random;
    return {
      maxTokens: 1 + random.below(24),
      temperature: random.below(2),
      topK: random.below(2) * 20,
      seed: random.below(1000),
      repetitionPenalty: this.pick([1, 1.2]),
      ...(random.below(3) === 0 ? { stop: this.pick(['the', 'e ', '\n']) } : {}),
    };
  }

  private same(what: string, a: unknown, b: unknown): void {
    this.checks++;
    const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
    if (left !== right) throw new Error(`${what}: ${left} is not ${right}, which a lone run gives`);
  }

  private async complete(): Promise<void> {
    const [text, options] = [this.text(), this.options()];
    const { tokens } = await this.busy.complete(text, options).result;
    this.same('complete', tokens, (await this.alone.complete(text, options).result).tokens);
  }

  private async leave(): Promise<void> {
    const [text, options] = [this.text(), { ...this.options(), maxTokens: 60 }];
    const generation = this.busy.complete(text, options);
    let left = 1 + this.#random.below(10);
    for await (const token of generation.tokens()) if (token.id >= 0 && --left === 0) break;
    const { tokens } = await generation.result;
    const whole = (await this.alone.complete(text, options).result).tokens;
    this.same('stream', tokens, whole.slice(0, tokens.length));
  }

  private async abort(): Promise<void> {
    const controller = new AbortController();
    const answer = this.busy.complete(this.text(), { maxTokens: 200, signal: controller.signal });
    setTimeout(() => controller.abort(), this.#random.below(20));
    await answer.result;
  }

  private async late(): Promise<void> {
    const deadlineMs = 1 + this.#random.below(20);
    await this.busy.complete(this.text(), { maxTokens: 200, deadlineMs }).result;
  }

  private async converse(): Promise<void> {
    const said = Array.from({ length: 2 + this.#random.below(2) }, () => this.text(6));
    const options = { ...this.options(), maxTokens: 6 };
    const sessions = [this.busy, this.alone].map((engine) => engine.createSession());
    const tokens = async (session: (typeof sessions)[0]) => {
      let last = session;
      for (const message of said) {
        await last.chat(message, options).result;
        last = last.fork();
      }
      await last.edit(said[0]!, options).result;
      return last.tokens;
    };
    const [a, b] = [await tokens(sessions[0]!), await tokens(sessions[1]!)];
    this.same('conversation', a, b);
  }

  private async batch(): Promise<void> {
    const prompts = Array.from({ length: 1 + this.#random.below(8) }, () => this.text(10));
    const options = this.options();
    const schedule = this.pick(['prefix-grouped', 'fcfs'] as const);
    const results = await this.busy.createBatch(prompts, { ...options, schedule }).results();
    for (const [i, { text }] of results.entries()) {
      const lone = await this.alone.complete(prompts[i]!, options).result;
      if (text !== undefined) this.same('batch', text, lone.text);
    }
  }

  private async context(): Promise<void> {
    const [before, text, options] = [this.text(), this.text(8), this.options()];
    const ask = async (engine: Engine) => {
      const context = await engine.cache.add(before, { pin: engine === this.busy });
      try {
        return (await engine.complete(text, { ...options, context }).result).tokens;
      } finally {
        context.release();
      }
    };
    this.same('context', await ask(this.busy), await ask(this.alone));
  }

  private async score(): Promise<void> {
    const text = this.text();
    this.same('score', await this.busy.score(text), await this.alone.score(text));
  }

  private async logits(): Promise<void> {
    const text = this.text();
    const last = async (engine: Engine) => Array.from((await engine.logits(text))[0]!);
    this.same('logits', await last(this.busy), await last(this.alone));
  }
}

async function main({ seconds, seed }: { seconds: number; seed: number }): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  const { path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 1024 } });
  const common = { checkInvariants: true, stepTokens: 48 } as const;
  const kv = { bytes: 3 << 20 };
  await using busy = await Engine.load(path, { ...common, kv, sharedReads: 'always' });
  await using alone = await Engine.load(path, {
    prefixCache: false,
    sharedReads: 'never',
    draft: false,
  });
  const soak = new Soak(busy, alone, seed);
  await soak.run(end);
  const { running, waiting } = busy.stats();
  if (running + waiting > 0) throw new Error(`${running} requests still run, ${waiting} wait`);
  console.log(`${soak.describe()}; ${soak.checks} answers equal to lone runs, none different`);
}

runMain(
  new Command('soak')
    .description('random operations on one engine, each answer compared with a lone run')
    .option('--seconds <n>', 'how long', integer(1), 60)
    .option('--seed <n>', 'of the operations', integer(0), 1)
    .action(main),
  ({ stack, message }) => stack ?? message,
);
