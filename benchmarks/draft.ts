/**
 * npm run bench:draft: what guesses of next tokens save. Each question is answered plainly and with guesses, one after the other, so that both see the
 * same machine; the answers must be the same to the bit. The first question of a run is not counted.
 */
import { performance } from 'node:perf_hooks';

import { summarize } from '#lib/bench/statistics.js';
import { draftFlag } from '#lib/cli/draft-flag.js';
import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import type { Draft, GenerationResult } from '#lib/index.js';
import { Command } from 'commander';

import { copies, edits, repeats, shapes, specBench } from './draft/workloads.js';
import type { Asked, Workload } from './draft/workloads.js';
import { describeMachine, printAndKeep, runMain, today } from './harness/main.js';
import { markdownTable } from './harness/results.js';

interface Flags {
  models: string[];
  batches: number[];
  prompts?: string;
  each: number;
  rounds: number;
  longest: number;
  tokens: number;
  temperature: number;
  draft: Draft;
  only?: string[];
}

/** What a question took, plainly and with guesses. */
interface Pair {
  ratio: number;
  tokensPerStep: number;
  proposed: number;
  accepted: number;
  /** Of the shortest answer. */
  tokens: number;
}

/** Answers that are shorter tell nothing of a speed. */
const LEAST_TOKENS = 16;

/** Milliseconds from the first token of any to the last token of all. The prompts have been read before. */
async function answered(
  engine: Engine,
  group: readonly Asked[],
  { tokens, temperature }: Flags,
  draft: Draft,
  namespace: string,
): Promise<{ ms: number; results: GenerationResult[] }> {
  const begun = performance.now();
  const results = await Promise.all(
    group.map(async (messages) => {
      const how = { maxTokens: tokens, temperature, seed: 1, draft, namespace };
      const isText = typeof messages === 'string';
      return (isText ? engine.complete(messages, how) : engine.chat(messages, how)).result;
    }),
  );
  return { ms: performance.now() - begun, results };
}

const bits = (results: readonly GenerationResult[]) =>
  results.map(({ tokens, logprob }) => [logprob, ...tokens].join()).join(';');

async function compare(
  engine: Engine,
  group: readonly Asked[],
  flags: Flags,
  isPlainFirst: boolean,
  namespace: string,
): Promise<Pair> {
  await answered(engine, group, { ...flags, tokens: 1 }, false, namespace);
  const run = (draft: Draft) => answered(engine, group, flags, draft, namespace);
  const first = await run(isPlainFirst ? false : flags.draft);
  const second = await run(isPlainFirst ? flags.draft : false);
  const [plain, guessed] = isPlainFirst ? [first, second] : [second, first];
  if (bits(plain.results) !== bits(guessed.results))
    throw new Error('the answers differ: that must never be');
  const sum = (what: 'proposed' | 'accepted') =>
    guessed.results.reduce((total, { usage }) => total + (usage.draft?.[what] ?? 0), 0);
  const n = guessed.results.reduce((total, { tokens }) => total + tokens.length, 0);
  const [proposed, accepted] = [sum('proposed'), sum('accepted')];
  return {
    ratio: plain.ms / guessed.ms,
    tokensPerStep: n / (n - accepted),
    proposed,
    accepted,
    tokens: Math.min(...guessed.results.map(({ tokens }) => tokens.length)),
  };
}

function groupsOf(asked: readonly Asked[], size: number): Asked[][] {
  if (size === 1) return asked.map((one) => [one]);
  return [Array.from({ length: size }, (_, i) => asked[i % asked.length]!)];
}

function rowOf(name: string, pairs: readonly Pair[]): string[] {
  const ratios = pairs.map(({ ratio }) => ratio);
  const { median } = summarize(ratios);
  const total = (of: (pair: Pair) => number) => pairs.reduce((sum, pair) => sum + of(pair), 0);
  const proposed = total((pair) => pair.proposed);
  return [
    name,
    `${pairs.length}`,
    median.toFixed(2),
    Math.min(...ratios).toFixed(2),
    (total((pair) => pair.tokensPerStep) / pairs.length).toFixed(2),
    proposed === 0 ? '-' : `${((100 * total((pair) => pair.accepted)) / proposed).toFixed(0)} %`,
  ];
}

/** Answers in one namespace learn from each other. A second round begins without what the first one has learned. */
async function measure(engine: Engine, workloads: Workload[], batch: number, flags: Flags) {
  const all: Pair[] = [];
  const rows: string[][] = [];
  await compare(engine, groupsOf(workloads[0]!.asked, batch)[0]!, flags, true, 'first');
  for (const { name, asked } of workloads) {
    const pairs: Pair[] = [];
    for (let round = 0; round < flags.rounds; round++)
      for (const group of groupsOf(asked, batch)) {
        const isPlainFirst = (round + pairs.length) % 2 === 0;
        pairs.push(await compare(engine, group, flags, isPlainFirst, `${batch} ${round}`));
      }
    const long = pairs.filter(({ tokens }) => tokens >= LEAST_TOKENS);
    if (long.length === 0) continue;
    all.push(...long);
    rows.push(rowOf(name, long));
    console.error(rows.at(-1)!.join('  '));
  }
  return [...rows, rowOf('all', all)];
}

async function main(flags: Flags): Promise<void> {
  const { prompts, each, longest, only } = flags;
  const workloads = [
    copies(),
    edits(),
    repeats(),
    shapes(),
    ...(prompts === undefined ? [] : specBench(prompts, each, longest)),
  ].filter(({ name }) => only === undefined || only.includes(name));
  const sections: string[] = [];
  const head = ['', 'pairs', 'median', 'least', 'tokens a step', 'guesses right'];
  for (const model of flags.models) {
    await using engine = await Engine.load(model, { kv: { bytes: 1 << 30 } });
    for (const batch of flags.batches) {
      const rows = await measure(engine, workloads, batch, flags);
      sections.push(
        `## ${model.replace(/^.*[\\/]/, '')}, ${batch} at once`,
        '',
        markdownTable(head, rows),
        '',
      );
    }
  }
  const markdown = [
    `# Guesses of next tokens, ${today()}`,
    '',
    `${describeMachine()}. Answers of at most ${flags.tokens} tokens at temperature ${flags.temperature}; how many times as fast as plain decoding, prompts read before.`,
    '',
    ...sections,
  ].join('\n');
  printAndKeep('draft', { markdown, json: { date: today(), flags, sections } });
}

runMain(
  new Command('bench:draft')
    .description('what guesses of next tokens save')
    .option('--models <name...>', 'models', ['tinyllama-1.1b-chat'])
    .option('--batches <n...>', 'questions at once', (n: string, before: number[] | undefined) => [
      ...(before ?? []),
      integer(1)(n),
    ])
    .option('--prompts <file>', "spec-bench's questions, as JSON lines with `category` and `turns`")
    .option('--each <n>', 'questions of each category', integer(1), 10)
    .option('--rounds <n>', 'so often', integer(1), 1)
    .option('--longest <n>', 'characters of a question', integer(1), 4000)
    .option('--tokens <n>', 'of an answer', integer(1), 96)
    .option('--temperature <t>', 'of the answers', Number, 0)
    .option('--draft <what>', 'as in other commands', draftFlag, 'auto')
    .option('--only <workload...>', 'some of the workloads')
    .action((flags: Flags) => main({ ...flags, batches: flags.batches ?? [1] })),
);
