/** What a comparison has found, per task and per setting. */
import type { AnswerRecord } from './answers.js';
import type { DivergenceRecord, RowSums } from './divergence.js';
import { clusteredInterval, pairedDifference, sum } from './metrics.js';
import type { Cluster, Interval } from './metrics.js';
import { BASELINE } from './settings.js';

/** A share of right answers. */
export interface Share extends Interval {
  right: number;
  of: number;
}

export interface TaskSummary {
  task: string;
  setting: string;
  /** Each question on its own. */
  requests: Share;
  /** As turns of one conversation, in order. */
  turns: Share[];
  all: Share;
  /** Questions that the setting answers better than the baseline does, and those that it answers worse. */
  won: number;
  lost: number;
}

export interface SettingSummary {
  setting: string;
  /** Over the tasks that the baseline can do. */
  score: Share;
  /** Difference from the baseline's score in points, and half of its 95 % interval: paired, by context. */
  difference: { points: number; margin: number };
  kept: number;
  kvBytes: number;
  prefill: number | undefined;
  decode: number | undefined;
  /** Undefined: no passage was compared, for example because another vocabulary counts other tokens. */
  divergence: DivergenceSummary | undefined;
}

export interface DivergenceSummary {
  kl: number;
  agree: number;
  perplexity: number;
  /** By quarter of the passages. */
  parts: { kl: number; agree: number }[];
  /** Of passages whose continuation is the same, and the mean length of what is the same in the others. */
  same: number;
  passages: number;
  differsAt: number | undefined;
  continued: number;
}

export interface Summary {
  tasks: TaskSummary[];
  settings: SettingSummary[];
  /** Tasks that the baseline hardly ever does, which say nothing of a setting. */
  unable: string[];
}

/** A task that the model does less often is left out of the verdict. */
const ABLE = 0.2;

export function summarize(
  settings: readonly string[],
  answers: readonly AnswerRecord[],
  divergences: readonly DivergenceRecord[],
): Summary {
  const tasks = [...new Set(answers.map(({ task }) => task))];
  const baseline = new Map(
    answers.filter(({ setting }) => setting === BASELINE).map((one) => [keyOf(one), one]),
  );
  const unable = tasks.filter((task) => {
    const { right, of } = share([...baseline.values()].filter((one) => one.task === task));
    return right < ABLE * of;
  });
  const ofSetting = (name: string) => answers.filter(({ setting }) => setting === name);
  return {
    unable,
    tasks: tasks.flatMap((task) =>
      settings.map((setting) => {
        const own = ofSetting(setting).filter((one) => one.task === task);
        return { task, setting, ...taskSummary(own, baseline) };
      }),
    ),
    settings: settings.map((setting) => {
      const own = ofSetting(setting);
      const judged = own.filter(({ task }) => !unable.includes(task));
      return {
        setting,
        score: share(judged),
        difference: differenceOf(judged, baseline),
        ...costsOf(own),
        divergence: divergenceOf(divergences.filter((one) => one.setting === setting)),
      };
    }),
  };
}

const keyOf = ({ task, length, sample, mode, turn }: AnswerRecord) =>
  [task, length, sample, mode, turn].join('/');

function share(answers: readonly AnswerRecord[]): Share {
  const clusters = [...clustersOf(answers).values()];
  const right = sum(answers, (one) => one.right);
  const of = sum(answers, (one) => one.of);
  return { right, of, ...clusteredInterval(clusters) };
}

/** Answers about one context stand together. */
function clustersOf(answers: readonly AnswerRecord[]): Map<string, Cluster> {
  const clusters = new Map<string, Cluster>();
  for (const { task, length, sample, right, of } of answers) {
    const key = [task, length, sample].join('/');
    const cluster = clusters.get(key) ?? { right: 0, of: 0 };
    clusters.set(key, { right: cluster.right + right, of: cluster.of + of });
  }
  return clusters;
}

function taskSummary(
  own: readonly AnswerRecord[],
  baseline: ReadonlyMap<string, AnswerRecord>,
): Omit<TaskSummary, 'task' | 'setting'> {
  const requests = own.filter(({ mode }) => mode === 'requests');
  const turns = own.filter(({ mode }) => mode === 'turns');
  const n = turns.reduce((most, { turn }) => Math.max(most, turn + 1), 0);
  // The first turn is the first question alone.
  const first = n === 0 ? [] : [requests.filter(({ turn }) => turn === 0)];
  const later = Array.from({ length: Math.max(0, n - 1) }, (_, i) =>
    turns.filter(({ turn }) => turn === i + 1),
  );
  const changes = own.map((one) => one.right - (baseline.get(keyOf(one))?.right ?? one.right));
  return {
    requests: share(requests),
    turns: [...first, ...later].map(share),
    all: share(own),
    won: changes.filter((change) => change > 0).length,
    lost: changes.filter((change) => change < 0).length,
  };
}

function differenceOf(
  own: readonly AnswerRecord[],
  baseline: ReadonlyMap<string, AnswerRecord>,
): SettingSummary['difference'] {
  const both = own.flatMap((one) => {
    const other = baseline.get(keyOf(one));
    return other ? [{ one, other }] : [];
  });
  const others = clustersOf(both.map(({ other }) => other));
  const pairs = [...clustersOf(both.map(({ one }) => one))].map(([key, cluster]) => ({
    ...cluster,
    other: others.get(key)!.right,
  }));
  return pairedDifference(pairs);
}

function costsOf(own: readonly AnswerRecord[]) {
  const decoded = own.filter(({ generated }) => generated > 1);
  const rate = (tokens: number, ms: number) => (ms > 0 ? (1000 * tokens) / ms : undefined);
  // Where most of a prompt was in the cache, its time says nothing of prefilling.
  const prefilled = own.filter(({ computed, tokens }) => computed > tokens / 2);
  const contexts = own.filter(({ mode, turn }) => mode === 'requests' && turn === 0);
  return {
    kept: sum(own, ({ kept }) => kept) / sum(own, ({ tokens }) => tokens),
    kvBytes: sum(contexts, ({ kvBytes }) => kvBytes) / Math.max(1, contexts.length),
    prefill: rate(
      sum(prefilled, ({ computed }) => computed),
      sum(prefilled, ({ prefillMs }) => prefillMs),
    ),
    decode: rate(
      sum(decoded, ({ generated }) => generated - 1),
      sum(decoded, ({ decodeMs }) => decodeMs),
    ),
  };
}

function divergenceOf(records: readonly DivergenceRecord[]): DivergenceSummary | undefined {
  if (records.length === 0) return undefined;
  const means = (parts: readonly RowSums[]) => {
    const rows = sum(parts, (part) => part.rows);
    return {
      kl: sum(parts, (part) => part.kl) / rows,
      agree: sum(parts, (part) => part.agree) / rows,
      nll: sum(parts, (part) => part.nll) / rows,
    };
  };
  const { kl, agree, nll } = means(records.flatMap(({ parts }) => parts));
  const different = records.flatMap(({ differsAt }) => (differsAt === null ? [] : [differsAt]));
  return {
    kl,
    agree,
    perplexity: Math.exp(nll),
    parts: records[0]!.parts.map((_, i) => means(records.map(({ parts }) => parts[i]!))),
    same: records.length - different.length,
    passages: records.length,
    differsAt: different.length === 0 ? undefined : sum(different, (at) => at) / different.length,
    continued: records[0]!.continued,
  };
}
