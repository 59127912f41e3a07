/**
 * npm run bench:parts: what parts of contexts save and cost. A revision beside computing the text again; many contexts side by side beside one
 * after the other; and a text far longer than the model's context, read through a window, beside contexts of the model's length.
 */
import { performance } from 'node:perf_hooks';

import { summarize } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import { integer } from '#lib/cli/flag-values.js';
import type { Context } from '#lib/engine/context.js';
import { Engine } from '#lib/engine.js';
import { readHaystack } from '#lib/quality/text/read-haystack.js';
import { Command } from 'commander';

import { describeMachine, printAndKeep, runMain, today } from './harness/main.js';
import { markdownTable } from './harness/results.js';
import { syntheticModel } from './models/model-files.js';

interface Flags {
  model: string;
  shape: string;
  contexts: number;
  times: number;
  runs: number;
  haystack?: string;
  only?: string;
}

const median = (values: readonly number[]) => summarize(values).median;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** 20 tokens at 500 of 1,900: only they are computed. A first token is drawn after both, so all has been read. */
async function revising(engine: Engine, { runs }: Flags): Promise<string[][]> {
  const { vocabulary, contextLength } = engine.description;
  const n = Math.min(1900, contextLength - 8);
  const at = Math.floor((500 * n) / 1900);
  const ids = randomTokens(n, vocabulary, 1);
  const times: Record<'moved' | 'prefix' | 'all', number[]> = { moved: [], prefix: [], all: [] };
  const first = (context: Context) => engine.completeTokens([7], { context, maxTokens: 1 }).result;
  for (let run = 0; run <= runs; run++) {
    for (const how of ['all', 'prefix', 'moved'] as const) {
      engine.clearCache();
      const changed = [...ids];
      changed.splice(at, 20, ...randomTokens(20, vocabulary, 10 + run));
      const doc = how === 'all' ? undefined : await engine.cache.add(ids);
      const ms = await timed(async () =>
        first(
          doc === undefined
            ? await engine.cache.add(changed)
            : await engine.cache.revise(doc, changed, { reuse: how as 'moved' | 'prefix' }),
        ),
      );
      if (run > 0) times[how].push(ms);
    }
  }
  const whole = median(times.all);
  const names = { all: 'all computed again', prefix: "reuse: 'prefix'", moved: "reuse: 'moved'" };
  return (['all', 'prefix', 'moved'] as const).map((how) => {
    const ms = median(times[how]);
    return [
      `20 tokens at ${at} of ${n}: ${names[how]}`,
      ms.toFixed(0),
      `${((100 * ms) / whole).toFixed(1)} %`,
    ];
  });
}

/** The first token after contexts of 1,024 tokens that have been read, and after the same texts read in sequence. */
async function sideBySide(engine: Engine, { contexts: n, runs }: Flags): Promise<string[][]> {
  const { vocabulary } = engine.description;
  const texts = Array.from({ length: n }, (_, i) => [1, ...randomTokens(1023, vocabulary, 20 + i)]);
  const contexts: Context[] = [];
  for (const ids of texts) contexts.push(await engine.cache.add(ids, { pin: true }));
  const first: Record<'parallel' | 'sequence', number[]> = { parallel: [], sequence: [] };
  for (let run = 0; run <= runs; run++)
    for (const combine of ['parallel', 'sequence'] as const) {
      const ms = await timed(
        () =>
          engine.completeTokens([5 + run, 6, 7, 8], { context: contexts, combine, maxTokens: 1 })
            .result,
      );
      if (run > 0) first[combine].push(ms);
    }
  const read = await timed(
    () =>
      engine.completeTokens([1, ...texts.flatMap((ids) => ids.slice(1)), 5, 6, 7, 8], {
        maxTokens: 1,
      }).result,
  );
  const row = (name: string, ms: number) => [
    name,
    ms.toFixed(0),
    `${((100 * ms) / read).toFixed(2)} %`,
  ];
  return [
    row(`${n} contexts of 1,024: read in sequence`, read),
    row('side by side, each read before', median(first.parallel)),
    row('one after the other, each read before', median(first.sequence)),
  ];
}

/** Perplexity of the last tokens of a long text: behind a window, after nothing but a context of the model's length, and as the plain engine would have it. */
async function endless(path: string, { times, haystack }: Flags): Promise<string[][]> {
  await using engine = await Engine.load(path);
  const trained = engine.description.contextLength;
  const length = times * trained;
  const { text } = await readHaystack(haystack, new AbortController().signal);
  const words = text.replace(/\s+/g, ' ').slice(0, 8 * length);
  const ids = engine.tokenize(words, { bos: true }).slice(0, length);
  const scored = Math.floor(trained / 4);
  const from = ids.length - scored;
  const window = Math.floor(trained / 2);
  const compress = { policy: 'window', sinks: 4, window } as const;
  const behind = await engine.score(ids, { compress, from });
  const bytes = engine.stats().kvBytesInUse;
  const begin = ids.length - trained;
  const fresh = await engine.score([1, ...ids.slice(begin + 1)], { from: trained - scored });
  await using long = await Engine.load(path, {
    contextLength: length + 8,
    rope: { scaling: 'none' },
  });
  const plain = await long.score(ids, { from });
  const per = (name: string, perplexity: number) => [
    name,
    perplexity.toFixed(2),
    `${(perplexity / fresh.perplexity).toFixed(3)}x`,
  ];
  return [
    per(`${ids.length} tokens, trained for ${trained}: a fresh context`, fresh.perplexity),
    per(
      `4 sinks and a window of ${window} (${(bytes / 2 ** 20).toFixed(0)} MiB in the pool)`,
      behind.perplexity,
    ),
    per('the plain engine beyond its length', plain.perplexity),
  ];
}

async function main(flags: Flags): Promise<void> {
  const sections: string[] = [];
  const wants = (name: string) => flags.only === undefined || flags.only === name;
  const add = (title: string, head: string[], rows: string[][]) => {
    sections.push(`## ${title}`, '', markdownTable(head, rows), '');
    console.error(markdownTable(head, rows));
  };
  if (wants('revise')) {
    await using engine = await Engine.load(flags.model);
    add(`A revision, ${flags.model}`, ['', 'ms', 'of all'], await revising(engine, flags));
  }
  if (wants('parallel')) {
    const [shape, type] = flags.shape.split(':') as [string, string];
    const context = flags.contexts * 1024 + 1024;
    await using engine = await Engine.load(await syntheticModel({ shape, type, context }));
    const rows = await sideBySide(engine, flags);
    add(
      `Contexts side by side, ${flags.shape}, random weights`,
      ['first token after', 'ms', 'of reading'],
      rows,
    );
  }
  if (wants('endless'))
    add(
      `Endless, ${flags.model}`,
      ['', 'perplexity', 'beside fresh'],
      await endless(flags.model, flags),
    );
  const markdown = [
    `# Parts of contexts, ${today()}`,
    '',
    `${describeMachine()}.`,
    '',
    ...sections,
  ].join('\n');
  printAndKeep('parts', { markdown, json: { date: today(), flags, sections } });
}

runMain(
  new Command('bench:parts')
    .description('what parts of contexts save and cost')
    .option('--model <name>', 'of the revision and the endless text', 'tinyllama-1.1b-chat')
    .option(
      '--shape <shape:type>',
      'of random weights, for contexts side by side',
      'smollm2-135m:Q8_0',
    )
    .option('--contexts <n>', 'side by side', integer(1), 16)
    .option('--times <n>', 'the endless text: so many times the trained length', integer(2), 8)
    .option('--runs <n>', 'the median of so many', integer(1), 5)
    .option(
      '--haystack <name>',
      'the endless text: moby-dick, or a file (default: made-up sentences)',
    )
    .option('--only <part>', 'revise, parallel or endless')
    .action(main),
);
