/** The tables of a comparison, as rows of text, and the lines that explain them. */
import type { Share, SettingSummary, Summary, TaskSummary } from './summary.js';

export interface Section {
  title: string;
  head: string[];
  rows: string[][];
  /** What a reader must know to judge the table. */
  notes: string[];
}

export function sectionsOf(summary: Summary): Section[] {
  const sections = [settingsSection(summary), tasksSection(summary)];
  const compared = summary.settings.filter(({ divergence }) => divergence);
  return compared.length === 0 ? sections : [...sections, divergenceSection(compared)];
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const number = (value: number | undefined) =>
  value === undefined ? '' : value.toFixed(value < 100 ? 1 : 0);

function shareText({ right, of, low, high }: Share): string {
  if (of === 0) return '';
  const interval = `${(100 * low).toFixed(0)}-${(100 * high).toFixed(0)}`;
  return `${(100 * (right / of)).toFixed(0)} % (${interval})`;
}

function settingsSection({ settings, unable, tasks }: Summary): Section {
  const able = [...new Set(tasks.map(({ task }) => task))].filter((task) => !unable.includes(task));
  const judged = `Score: right answers in ${able.join(', ') || 'no task'}, with the 95 % interval (Wilson; questions about one context count for fewer than they are).`;
  return {
    title: 'Settings',
    head: [
      ...['setting', 'score', 'points beside baseline', 'keys kept', 'KV, MB'],
      ...['prefill, tokens/s', 'decode, tokens/s'],
    ],
    rows: settings.map(({ setting, score, difference, kept, kvBytes, prefill, decode }, i) => [
      setting,
      shareText(score),
      i === 0 ? '' : `${signed(difference.points)} ± ${difference.margin.toFixed(1)}`,
      percent(kept),
      number(kvBytes / 1e6),
      number(prefill),
      number(decode),
    ]),
    notes: [
      judged,
      ...(unable.length === 0
        ? []
        : [`The model cannot do ${unable.join(', ')} without any setting, so they count nowhere.`]),
      'KV: bytes in the pool of a context with its first question, by `stats()`; of a compression what it has left. A window gives memory back under pressure only.',
      'Points: difference of the scores, and half of its 95 % interval: the same questions, context by context.',
    ],
  };
}

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(1)}`;

function tasksSection({ tasks }: Summary): Section {
  const turns = Math.max(0, ...tasks.map((one) => one.turns.length));
  return {
    title: 'Tasks',
    head: [
      ...['task', 'setting', 'each question alone'],
      ...Array.from({ length: turns }, (_, i) => `turn ${i + 1}`),
      ...['n', 'better', 'worse'],
    ],
    rows: tasks.map((one) => taskRow(one, turns)),
    notes: [
      'n: words that answers had to hold. Better and worse: questions, beside the baseline.',
      'Turns: one conversation; earlier turns hold the right answers. Turn 1 is the first question alone, and counts once.',
    ],
  };
}

function taskRow({ task, setting, requests, turns, all, won, lost }: TaskSummary, n: number) {
  const shares = Array.from({ length: n }, (_, i) => (turns[i] ? shareText(turns[i]) : ''));
  return [
    ...[task, setting, shareText(requests), ...shares],
    ...[String(all.of), String(won), String(lost)],
  ];
}

function divergenceSection(settings: readonly SettingSummary[]): Section {
  const parts = settings[0]!.divergence!.parts.length;
  return {
    title: 'Next-token distributions on ordinary text',
    head: [
      ...['setting', 'KL, nats', 'same likeliest token', 'perplexity'],
      ...Array.from({ length: parts }, (_, i) => `KL, part ${i + 1} of ${parts}`),
      'greedy answers',
    ],
    rows: settings.map(({ setting, divergence }) => {
      const { kl, agree, perplexity, parts: by, ...greedy } = divergence!;
      return [
        ...[setting, small(kl), percent(agree), perplexity.toPrecision(5)],
        ...by.map((part) => small(part.kl)),
        greedyText(greedy),
      ];
    }),
    notes: ['Divergences are of the setting from the baseline. Passages are cut into equal parts.'],
  };
}

const small = (value: number) => (value === 0 ? '0' : value.toPrecision(3));

function greedyText({
  same,
  passages,
  differsAt,
  continued,
}: Pick<
  NonNullable<SettingSummary['divergence']>,
  'same' | 'passages' | 'differsAt' | 'continued'
>): string {
  if (differsAt === undefined) return `same for ${continued} tokens`;
  const parted = `differ after ${differsAt.toFixed(0)} of ${continued}`;
  return same === 0 ? parted : `${same} of ${passages} same; others ${parted}`;
}
