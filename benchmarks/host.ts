/**
 * npm run bench:host: what must take next to nothing, with what it should take at most. Tests do not look at clocks, so these
 * promises are kept here: how long the event loop is held, what scheduling, forking and idle engines cost.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Engine } from '#lib/engine.js';
import { GREEDY } from '#lib/options/sampling-options.js';
import { TemplateRenderer } from '#lib/chat/chat-template.js';
import { Command } from 'commander';

import { writeTinyModel } from '../test/fixtures/tiny-model.js';
import { COSTS, trace } from '../test/fixtures/traces.js';
import { Random } from '../test/random.js';
import { describeMachine, printAndKeep, runMain, today } from './harness/main.js';
import { markdownTable } from './harness/results.js';
import { native } from '#lib/native.js';
import { testing } from './harness/testing-addon.js';

interface Row {
  what: string;
  measured: number;
  atMost: number;
  unit: string;
}

const median = (values: number[]) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

function timed(runs: number, work: () => void): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return median(times);
}

/** CPU time, so that what a busy machine takes from the thread does not count. */
async function eventLoop(): Promise<Row> {
  const { path } = await writeTinyModel({
    template: '{% for m in messages %}{{ m.content }}{% endfor %}',
    shape: { width: 32, heads: 1, kvHeads: 1, ffn: 32, layers: 1, context: 131_072 },
  });
  const probe = join(process.cwd(), 'benchmarks', 'host', 'event-loop-probe.cjs');
  const runs: number[] = [];
  for (let run = 0; run < 3; run++) {
    const { stdout } = await promisify(execFile)(process.execPath, [probe, path]);
    runs.push((JSON.parse(stdout) as { worst: number }).worst);
  }
  const what = 'longest turn of the event loop: 8 sessions generate, 200 KB of text are added';
  return { what, measured: Math.min(...runs), atMost: 10, unit: 'ms' };
}

async function scheduling(): Promise<Row> {
  const { hostUs } = await native().simulate(
    trace(1500, 20, new Random(7)),
    { schedule: 'prefix-grouped', kvTokens: 500_000, stepRows: 512, reuse: true },
    COSTS,
  );
  return {
    what: 'scheduling, per step of 256 sequences',
    measured: hostUs,
    atMost: 300,
    unit: 'us',
  };
}

async function forking(): Promise<Row> {
  const { path } = await writeTinyModel({ shape: { context: 20_000 } });
  await using engine = await Engine.load(path);
  const session = engine.createSession();
  await session.complete('the a '.repeat(8000), { maxTokens: 1 }).result;
  const measured = 1000 * timed(101, () => void session.fork());
  return { what: 'forking a session of 16,000 tokens', measured, atMost: 100, unit: 'us' };
}

function repetitiveText(): Row {
  const tokens = new Int32Array(100_000).fill(7);
  const measured = timed(5, () => testing.logitEdits({ ...GREEDY, dryMultiplier: 1 }, tokens, 0));
  return { what: 'DRY over 100,000 equal tokens', measured, atMost: 500, unit: 'ms' };
}

async function hostileTemplate(): Promise<Row> {
  const renderer = new TemplateRenderer();
  await renderer.render('warm', {});
  const start = performance.now();
  const loop =
    '{% for i in range(3000) %}{% for j in range(3000) %}{{ i * j }}{% endfor %}{% endfor %}';
  await renderer.render(loop, {}).catch(() => undefined);
  const measured = performance.now() - start;
  await renderer.dispose();
  return { what: 'until an endless chat template is ended', measured, atMost: 2500, unit: 'ms' };
}

async function longConversation(): Promise<Row> {
  const renderer = new TemplateRenderer();
  const template =
    '{% for m in messages %}{% for n in messages[loop.index0:] %}{% endfor %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}';
  const messages = Array.from({ length: 1000 }, () => ({ role: 'user', content: ' text ' }));
  await renderer.render(template, { messages: [] });
  const start = performance.now();
  await renderer.render(template, { messages });
  const measured = performance.now() - start;
  await renderer.dispose();
  const what = '1,000 messages, each of which looks at all that follow, in a chat template';
  return { what, measured, atMost: 1000, unit: 'ms' };
}

async function idle(): Promise<Row> {
  const { path } = await writeTinyModel({ type: 'Q8_0' });
  const engines = await Promise.all([1, 2].map(() => Engine.load(path, { threads: 4 })));
  for (const engine of engines) await engine.completeTokens([3, 4], { maxTokens: 60 }).result;
  await sleep(50); // threads park
  const before = process.cpuUsage();
  await sleep(500);
  const { user, system } = process.cpuUsage(before);
  await Promise.all(engines.map((engine) => engine.dispose()));
  const what = 'two idle engines of 4 threads, share of a core';
  return { what, measured: (user + system) / 5000, atMost: 20, unit: '%' };
}

async function main(): Promise<void> {
  const rows = [
    await eventLoop(),
    await scheduling(),
    await forking(),
    repetitiveText(),
    await hostileTemplate(),
    await longConversation(),
    await idle(),
  ];
  const cells = rows.map(({ what, measured, atMost, unit }) => [
    what,
    `${measured.toPrecision(3)} ${unit}`,
    `${atMost} ${unit}`,
    measured <= atMost ? 'yes' : 'NO',
  ]);
  const table = markdownTable(['what', 'measured', 'at most', 'kept'], cells);
  const machine = describeMachine();
  const markdown = `# What must take next to nothing, ${today()}\n\n${machine}.\n\n${table}\n`;
  printAndKeep('host', { markdown, json: { date: today(), machine, rows } });
}

runMain(
  new Command('bench:host')
    .description('what must take next to nothing, with what it should take at most')
    .action(main),
);
