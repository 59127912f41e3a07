/** A whole comparison on a tiny model: what must be equal is equal, and what was measured is not measured again. */
import { readFileSync, writeFileSync } from 'node:fs';

import { Journal } from '../../lib/quality/journal.js';
import { QualityRun } from '../../lib/quality/run.js';
import type { Comparison } from '../../lib/quality/comparison.js';
import { BASELINE, parseSetting } from '../../lib/quality/settings.js';
import { summarize } from '../../lib/quality/summary.js';
import { TASKS } from '../../lib/quality/tasks/all.js';
import { readPublished } from '../../lib/quality/tasks/published.js';
import { madeUpText } from '../../lib/quality/text/made-up.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const SETTINGS = [
  'neutral={"compress":{"policy":"window","window":1000000}}',
  'otherwise={"stepTokens":16,"sharedReads":"never","threads":1}',
  'bad={"compress":{"policy":"window","sinks":0,"window":2}}',
].map(parseSetting);
const NAMES = [BASELINE, ...SETTINGS.map(({ name }) => name)];

let comparison: Comparison;
beforeAll(async () => {
  const { path } = await writeTinyModel({ shape: { context: 2048 } });
  comparison = {
    model: path,
    load: { kv: { format: 'f32' } },
    settings: SETTINGS,
    tasks: TASKS,
    lengths: [200, 700],
    samples: 1,
    questions: 2,
    passages: 2,
    passageTokens: 200,
    seed: 3,
    haystack: { name: 'made up', text: madeUpText(100, 1) },
  };
});

async function measure(more: Partial<Comparison> = {}, path?: string, signal?: AbortSignal) {
  const all = { ...comparison, ...more };
  const journal = await Journal.open(path, { ...all, tasks: [], published: [] });
  const seen: number[] = [];
  const run = new QualityRun(all, journal, {
    signal: signal ?? new AbortController().signal,
    onProgress: ({ done, total }) => void seen.push(done / total),
  });
  await run.run();
  return { journal, seen };
}

test('neutral settings equal the baseline in every row, and a bad one does not', async () => {
  const { journal, seen } = await measure();
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBeLessThan(1);
  const answers = (name: string) =>
    journal.answers
      .filter(({ setting }) => setting === name)
      .map(({ task, length, mode, turn, right, of, tokens, generated }) => {
        return { task, length, mode, turn, right, of, tokens, generated };
      });
  const wanted = answers(BASELINE);
  expect(wanted).toHaveLength(6 * 2 * (2 + 1)); // two questions alone, and a second turn
  for (const name of ['neutral', 'otherwise']) expect(answers(name)).toEqual(wanted);
  const { settings } = summarize(NAMES, journal.answers, journal.divergences);
  const [baseline, neutral, otherwise, bad] = settings.map(({ divergence }) => divergence!);
  expect(baseline).toMatchObject({ kl: 0, agree: 1, same: 2, differsAt: undefined });
  expect(neutral).toEqual(baseline);
  expect(otherwise).toEqual(baseline);
  expect(bad!.kl).toBeGreaterThan(1e-6);
  expect(settings[3]!.kept).toBeLessThan(0.05);
  expect(settings[0]!.kept).toBe(1);
  for (const one of settings) expect(one.kvBytes).toBeGreaterThan(200 * 2 * 2 * 2 * 16 * 4 * 0.9);
  expect(settings[1]!.kvBytes).toBeLessThan(1.2 * settings[0]!.kvBytes);
}, 60_000);

test('settings of one engine are asked after one prefill of the context', async () => {
  const { journal } = await measure({ passages: 0, tasks: TASKS.slice(0, 1) });
  const computed = (name: string) =>
    journal.answers.filter(({ setting }) => setting === name).map((one) => one.computed);
  expect(computed(BASELINE)[0]).toBeGreaterThan(200);
  for (const rows of computed('neutral')) expect(rows).toBeLessThan(40);
});

test('what was measured before an interruption is kept, and not measured again', async () => {
  const path = temporaryPath('quality.json');
  const stop = new AbortController();
  const all = { ...comparison };
  const journal = await Journal.open(path, { ...all, tasks: [], published: [] });
  const run = new QualityRun(all, journal, {
    signal: stop.signal,
    onProgress: ({ done, total }) => done > total / 2 && stop.abort(),
  });
  await expect(run.run()).rejects.toMatchObject({ code: 'aborted' });
  const kept = JSON.parse(readFileSync(path, 'utf8')) as {
    answers: object[];
    divergences: object[];
  };
  expect(kept.answers.length).toBeGreaterThan(20);
  const { journal: whole, seen } = await measure({}, path);
  expect(seen[0]).toBeGreaterThan(0.3);
  const once = (await measure()).journal;
  const untimed = (one: Journal) =>
    summarize(NAMES, one.answers, one.divergences).tasks.map((task) => ({ ...task }));
  expect(untimed(whole)).toEqual(untimed(once));
  await expect(measure({ seed: 4 }, path)).rejects.toThrow(/another --keep/);
  const [answer, divergence] = [kept.answers[0] as object, { ...kept.divergences[0]! }];
  const damaged = [
    ...[{ of: 'x' }, { turn: 3e7 }, { turn: -1 }, { task: {} }, { mode: 'x' }, { right: 9 }].map(
      (wrong) => ({ ...kept, answers: [{ ...answer, ...wrong }] }),
    ),
    ...[{ parts: [] }, { parts: [7] }, { differsAt: 'x' }, { passage: null }].map((wrong) => ({
      ...kept,
      divergences: [{ ...divergence, ...wrong }],
    })),
  ].map((wrong) => JSON.stringify(wrong));
  for (const wrong of ['{}', '[]', 'null', '{', ...damaged]) {
    writeFileSync(path, wrong);
    await expect(measure({}, path)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
}, 60_000);

test('contexts that do not fit are refused before anything is asked', async () => {
  await expect(measure({ lengths: [2000] })).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('do not fit') as string,
  });
});

test('a setting changes single options, also within kv, and is asked the same questions', async () => {
  const settings = ['memory={"kv":{"bytes":40000000}}', 'short={"contextLength":1400}'].map(
    parseSetting,
  );
  const { journal } = await measure({ settings, passages: 1, tasks: TASKS.slice(2, 3) });
  const of = (name: string) =>
    journal.answers
      .filter(({ setting }) => setting === name)
      .map(({ task, length, mode, turn, right, tokens }) => [
        task,
        length,
        mode,
        turn,
        right,
        tokens,
      ]);
  expect(of('memory')).toEqual(of(BASELINE));
  expect(of('short')).toEqual(of(BASELINE));
  // F32 as the baseline has it: BF16 would show.
  const { settings: found } = summarize([BASELINE, 'memory'], [], journal.divergences);
  expect(found[1]!.divergence).toEqual(found[0]!.divergence);
});

test('a setting that cannot be loaded, or is too small, is told before anything is measured', async () => {
  for (const [text, code] of [
    ['gpu={"device":"cuda:99"}', 'device_unavailable'],
    ['small={"contextLength":500}', 'invalid_argument'],
    ['none={"model":"/no/such/model"}', 'model_not_found'],
  ] as const) {
    const path = temporaryPath('none.json');
    const wrong = measure({ settings: [parseSetting(text)] }, path);
    await expect(wrong).rejects.toMatchObject({ code });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ answers: [], divergences: [] });
  }
});

describe('published questions', () => {
  const file = (...lines: unknown[]) => {
    const path = temporaryPath('questions.jsonl');
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    return path;
  };
  const ruler = { input: 'Numbers: 1 2 3. Which?', outputs: ['1', '3'], length: 40 };
  const longbench = {
    ...{ input: 'Who?', context: 'It was Anna. '.repeat(400), answers: ['Anna'], length: 99 },
    ...{ dataset: 'hotpotqa', all_classes: null },
  };

  test('of RULER and LongBench are asked alone, and long ones lose their middle', async () => {
    const published = await readPublished(file(ruler, longbench), undefined);
    const { journal } = await measure({ published, passages: 0, settings: [] });
    expect(journal.answers.map(({ task, mode, of }) => [task, mode, of])).toEqual([
      [expect.stringMatching(/questions$/), 'requests', 1],
      ['hotpotqa', 'requests', 1],
    ]);
    expect(journal.answers[1]!.tokens).toBeLessThanOrEqual(2048);
  });

  test('are asked with what the data set leaves out, and code is continued', async () => {
    const report = { ...longbench, dataset: 'gov_report', input: '' };
    const code = { ...longbench, dataset: 'lcc', context: 'a();\nb();\n', input: '' };
    const [first, second] = await readPublished(file(report, code), undefined);
    expect(first!.sample.questions[0]!.text).toMatch(/summary/);
    expect(second!.sample).toMatchObject({ context: '', questions: [{ text: 'a();\nb();\n' }] });
  });

  test('leave room for the question where an answer may be longer than the context', async () => {
    const long = { ...longbench, dataset: 'gov_report', context: 'the inn '.repeat(2000) };
    const { path } = await writeTinyModel({ shape: { context: 256 } });
    const published = await readPublished(file(long), undefined);
    const { journal } = await measure({ model: path, published, passages: 0, settings: [] });
    expect(journal.answers[0]!.tokens).toBeLessThanOrEqual(256);
  });

  test.each([
    [[], /no lines/],
    [[7], /line 1 .* no JSON object/],
    [[ruler, { outputs: ['a'] }], /line 2 .* `input`/],
    [[{ input: 'a' }], /`outputs` or `answers`/],
    [[{ input: 'a', outputs: [] }], /no answers/],
    [[{ ...longbench, dataset: 'dureader' }], /"dureader"/],
    [[{ ...longbench, dataset: 'constructor' }], /"constructor"/],
    [[{ ...longbench, dataset: '__proto__' }], /"__proto__"/],
    [[{ ...longbench, all_classes: [1] }], /all_classes/],
  ])('%j is refused', async (lines, message) => {
    const read = readPublished(file(...lines), undefined);
    await expect(read).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(read).rejects.toThrow(message);
  });
});
