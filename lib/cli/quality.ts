/** `cachalot quality`: what a setting of the engine costs in answers, and what it saves. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve as resolvePath } from 'node:path';

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { describeDevice } from '../engine/describe-device.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { readTextFile } from '../files/regular-file.js';
import { writeWhole } from '../files/write-whole.js';
import { resolveModel } from '../models/pull.js';
import { chart } from '../quality/chart.js';
import type { Comparison } from '../quality/comparison.js';
import { Journal } from '../quality/journal.js';
import { sectionsOf } from '../quality/report.js';
import type { Section } from '../quality/report.js';
import { QualityRun } from '../quality/run.js';
import { BASELINE, checkSettings, parseSetting } from '../quality/settings.js';
import type { Setting } from '../quality/settings.js';
import { summarize } from '../quality/summary.js';
import { TASKS } from '../quality/tasks/all.js';
import { JUDGES } from '../quality/tasks/judges.js';
import type { JudgeName } from '../quality/tasks/judges.js';
import { readPublished } from '../quality/tasks/published.js';
import { BOOK_NAMES, readHaystack } from '../quality/text/read-haystack.js';
import { processorName } from '../system/processor.js';
import { addEngineOptions, loadOptions } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { integer } from './flag-values.js';
import { interruptSignal, pullReporter } from './output.js';
import { workReporter } from './progress.js';
import { table } from './table.js';
import { version } from './version.js';

interface QualityFlags extends EngineFlags {
  setting: Setting[];
  tasks?: string[];
  lengths?: number[];
  samples?: number;
  questions?: number;
  passages?: number;
  seed: number;
  haystack?: string;
  file?: string;
  metric?: JudgeName;
  quick?: boolean;
  keep?: string;
  svg?: string;
  json?: boolean;
}

const NAMES = TASKS.map(({ name }) => name);

const NOTES = `
A setting is NAME=JSON with options of Engine.load, another "model", "compress" of requests, "combine" (the context in
"pieces" that stand together), or "revise" (the context as a revision of another text). All settings are asked the
same questions, and are compared question by question. Tasks:
${TASKS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join('\n')}

Examples:
  cachalot quality -m tinyllama-1.1b-chat --setting 'window={"compress":{"policy":"window","sinks":4,"window":512}}'
  cachalot quality -m model.gguf --setting 'f32={"kv":{"format":"f32"}}' --setting 'q4={"model":"model-q4.gguf"}'
  cachalot quality -m model.gguf --quick --json
  cachalot quality -m model.gguf --file ruler/niah_multikey_1.jsonl --setting ...
  cachalot quality -m model.gguf --haystack moby-dick --keep run.json --svg run.svg`;

export function addQuality(program: Command): void {
  const command = program
    .command('quality')
    .description('how good the answers of a model are in several settings, and what they cost');
  addEngineOptions(command)
    .option(
      '-s, --setting <name=json>',
      'a setting to compare with the engine as it is; may be given several times',
      (text: string, earlier: Setting[]) => [...earlier, parseSetting(text)],
      [] as Setting[],
    )
    .option('--tasks <name,...>', `of ${NAMES.join(', ')} (default: all)`, taskNames)
    .option('--lengths <tokens,...>', 'of the contexts (default: by the model)', lengths)
    .option('--samples <n>', 'contexts of each task and length (default: 3)', integer(1))
    .option('--questions <n>', 'about each context (default: 3)', integer(1, 4))
    .option('--passages <n>', 'pieces of text on which distributions are compared', integer(0))
    .option('--seed <n>', 'of everything that is drawn', integer(0, 2 ** 31), 1)
    .option(
      '--haystack <text>',
      `text to hide facts in: a file, ${BOOK_NAMES.join(', ')} (fetched once), or an https address (default: made-up sentences)`,
    )
    .option(
      '--file <jsonl>',
      'ask the questions of a file in the format of RULER or LongBench instead',
      (path: string, earlier?: string) => {
        if (earlier === undefined) return path;
        throw new InvalidArgumentError('it is given twice.');
      },
    )
    .addOption(
      new Option('--metric <name>', 'how answers to a file are judged').choices(
        Object.keys(JUDGES),
      ),
    )
    .option('--quick', 'one length, one context of each task, one passage')
    .option('--keep <file>', 'keep results there; a run of the same comparison goes on with them')
    .option('--svg <file>', 'write a chart: score over bytes')
    .option('--json', 'print one JSON object')
    .addHelpText('after', NOTES)
    .action((flags: QualityFlags) => compare(flags));
}

const taskNames = (text: string) => {
  const names = text.split(',');
  const wrong = names.find((name) => !NAMES.includes(name));
  if (wrong !== undefined)
    throw new CachalotError(
      'invalid_argument',
      `no task "${wrong}"; there are ${NAMES.join(', ')}`,
    );
  return names;
};

const lengths = (text: string) => text.split(',').map(integer(1));

async function compare(flags: QualityFlags): Promise<void> {
  await checkFlags(flags);
  const { signal } = interruptSignal();
  const { report, end } = pullReporter();
  const resolve = (name: string) => resolveModel(name, { signal, onProgress: report }).finally(end);
  const path = await resolve(flags.model);
  // Before anything is measured, all models are here.
  const settings: Setting[] = [];
  for (const { model, ...rest } of flags.setting)
    settings.push(model === undefined ? rest : { ...rest, model: await resolve(model) });
  const comparison = await comparisonOf({ ...flags, setting: settings }, path, signal);
  const journal = await Journal.open(flags.keep, await identityOf(comparison, flags));
  const progress = workReporter();
  const run = new QualityRun(comparison, journal, { signal, onProgress: progress.show });
  const { lengths: used, description } = await run.run().finally(progress.end);
  const names = [BASELINE, ...settings.map(({ name }) => name)];
  const summary = summarize(names, journal.answers, journal.divergences);
  const about = `${flags.model} on ${describeDevice(description.device)}`;
  const how = wordsFor(comparison, used);
  const result = { model: flags.model, device: description.device, how, ...summary };
  const text = () => [`${about}: ${how}`, ...sectionsOf(summary).map(sectionText)].join('\n\n');
  process.stdout.write(`${flags.json ? JSON.stringify(result) : text()}\n`);
  if (flags.svg !== undefined) await writeWhole(flags.svg, chart(summary.settings, about));
}

/** What would be ignored, and what would fail after the work. */
async function checkFlags(flags: QualityFlags): Promise<void> {
  checkSettings(flags.setting);
  const { file, metric, svg } = flags;
  if (metric !== undefined && file === undefined)
    throw invalidArgument('--metric', 'it together with --file', metric);
  const ofTasks = ['tasks', 'lengths', 'samples', 'questions'] as const;
  const idle = ofTasks.find((name) => file !== undefined && flags[name] !== undefined);
  if (idle !== undefined)
    throw invalidArgument(`--${idle}`, 'no tasks of ours beside --file', String(flags[idle]));
  if (svg === undefined) return;
  const folder = dirname(resolvePath(svg));
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw ioError(error, 'write', svg);
  });
}

async function comparisonOf(
  flags: QualityFlags,
  model: string,
  signal: AbortSignal,
): Promise<Comparison> {
  const { tasks, quick = false, setting, questions = 3, seed, file, metric } = flags;
  const published = file === undefined ? undefined : await readPublished(file, metric);
  return {
    model,
    load: definedOnly(await loadOptions(flags)),
    settings: setting,
    tasks: TASKS.filter(({ name }) => (tasks ?? NAMES).includes(name)),
    lengths: flags.lengths,
    longest: quick ? 512 : undefined,
    samples: flags.samples ?? (quick ? 1 : 3),
    questions,
    passages: flags.passages ?? (quick ? 1 : 3),
    passageTokens: quick ? 256 : 1024,
    seed,
    ...(published ? { published } : {}),
    haystack: await readHaystack(flags.haystack, signal),
  };
}

function wordsFor(comparison: Comparison, lengths: readonly number[]): string {
  const { tasks, samples, questions, haystack, published, seed } = comparison;
  if (published) return `${published.length} questions of a file`;
  return (
    `contexts of ${lengths.join(', ')} tokens, ${samples} of each for ${tasks.length} tasks, ${questions} questions about each, ` +
    `alone and as turns; text: ${haystack.name}; seed ${seed}`
  );
}

function definedOnly(options: Setting['load']): Setting['load'] {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Everything that results depend on, as plain JSON. */
async function identityOf(
  { tasks, haystack, published, settings, ...rest }: Comparison,
  { file, metric }: QualityFlags,
): Promise<object> {
  const models = [rest.model, ...settings.flatMap(({ model }) => model ?? [])];
  return {
    ...{ version, cpu: processorName(), ...rest, settings },
    lengths: rest.lengths ?? 'default',
    tasks: published ? [] : tasks.map(({ name }) => name),
    text: hashOf(haystack.text),
    questions: file === undefined ? null : hashOf(await readTextFile(file)),
    metric: metric ?? null,
    files: await Promise.all(models.map(stateOf)),
  };
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** A file that was written again is another one. */
async function stateOf(path: string): Promise<object> {
  const { size, mtimeMs } = await stat(path).catch((error: unknown) => {
    throw ioError(error, 'read', path);
  });
  return { path, size, mtimeMs };
}

function sectionText({ title, head, rows, notes }: Section): string {
  return [title, table(head, rows), ...notes].join('\n');
}
