/** Questions of published benchmarks, in the JSONL formats of RULER (`input`, `outputs`) and LongBench (`context`, `input`, `answers`). */
import { CachalotError } from '../../errors.js';
import { readTextFile } from '../../files/regular-file.js';
import { parseJson } from '../../text/parse-json.js';
import { JUDGES } from './judges.js';
import type { JudgeName } from './judges.js';
import type { Sample } from './task.js';

interface DataSet {
  judge: JudgeName;
  maxTokens: number;
  /** What is asked, where the data set itself does not say it. In our words: LongBench's own differ. */
  ask?: string;
  /** The text is code to continue, without any question. */
  isCode?: boolean;
  /** Only the first line of an answer counts. */
  isFirstLine?: boolean;
}

/** LongBench's own choice for each of its English and code data sets. */
const LONGBENCH: Record<string, DataSet> = {
  narrativeqa: { judge: 'f1', maxTokens: 128 },
  qasper: { judge: 'f1', maxTokens: 128 },
  multifieldqa_en: { judge: 'f1', maxTokens: 64 },
  hotpotqa: { judge: 'f1', maxTokens: 32 },
  '2wikimqa': { judge: 'f1', maxTokens: 32 },
  musique: { judge: 'f1', maxTokens: 32 },
  gov_report: { judge: 'rouge', maxTokens: 512, ask: 'Write a summary of this report.' },
  qmsum: { judge: 'rouge', maxTokens: 512 },
  multi_news: {
    judge: 'rouge',
    maxTokens: 512,
    ask: 'Write one summary of all these news articles.',
  },
  trec: { judge: 'classification', maxTokens: 64, isFirstLine: true },
  triviaqa: { judge: 'f1', maxTokens: 32, isFirstLine: true },
  samsum: {
    judge: 'rouge',
    maxTokens: 128,
    ask: 'Write the summary of this dialogue, like those before it: ',
    isFirstLine: true,
  },
  passage_count: {
    judge: 'count',
    maxTokens: 32,
    ask: 'Some of these paragraphs come more than once. How many different paragraphs are there? Answer with the number alone.',
  },
  passage_retrieval_en: {
    judge: 'retrieval',
    maxTokens: 32,
    ask: 'Which of the paragraphs does this summary belong to? Answer in the form "Paragraph 1". The summary: ',
  },
  lcc: { judge: 'similarity', maxTokens: 64, isCode: true },
  'repobench-p': { judge: 'similarity', maxTokens: 64, isCode: true },
};
const RULER: DataSet = { judge: 'all', maxTokens: 128 };

export interface PublishedSample {
  task: string;
  /** As the file says, or 0. */
  length: number;
  sample: Sample;
}

function dataSet(name: string): DataSet | undefined {
  return Object.hasOwn(LONGBENCH, name) ? LONGBENCH[name] : undefined;
}

/** `judge`: in place of the data set's own. Throws io, or invalid_argument with the line. */
export async function readPublished(
  path: string,
  judge: JudgeName | undefined,
): Promise<PublishedSample[]> {
  const lines = (await readTextFile(path)).split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) throw refuse(`'${path}' has no lines`);
  return lines.map((line, i) => {
    const where = `line ${i + 1} of '${path}'`;
    const value = parseJson(line, where, 'invalid_argument');
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refuse(`${where} is no JSON object`);
    return readLine(value as Record<string, unknown>, where, path, judge);
  });
}

function readLine(
  line: Record<string, unknown>,
  where: string,
  path: string,
  judge: JudgeName | undefined,
): PublishedSample {
  const { input, context = '', outputs, answers = outputs, length, dataset, all_classes } = line;
  const { answer_prefix: lead = '' } = line;
  const name = typeof dataset === 'string' ? dataset : undefined;
  const own = name === undefined ? RULER : dataSet(name.replace(/_e$/, ''));
  if (own === undefined && judge === undefined)
    throw refuse(
      `${where} is of the data set "${name}", for which there is no metric; give --metric`,
    );
  const how = { ...(own ?? RULER), ...(judge === undefined ? {} : { judge }) };
  if (typeof input !== 'string' || typeof context !== 'string' || typeof lead !== 'string')
    throw refuse(`${where} must have the text \`input\`, and may have \`context\``);
  const wanted = strings(answers, `${where} must have \`outputs\` or \`answers\`: texts`);
  const classes = strings(all_classes ?? [], `${where} has \`all_classes\` that are no texts`);
  if (wanted.length === 0) throw refuse(`${where} has no answers`);
  const score = (text: string) => {
    const said = how.isFirstLine ? text.replace(/^\n+/, '').split('\n')[0]! : text;
    return JUDGES[how.judge](said, { answers: wanted, classes });
  };
  const asked = how.isCode ? `${context}${input}` : `${how.ask ?? ''}${input}`;
  const question = { text: asked, answers: wanted, lead, gold: wanted[0]!, judge: score };
  const task =
    name ??
    path
      .split(/[\\/]/)
      .at(-1)!
      .replace(/\.jsonl?$/, '');
  return {
    task,
    length: typeof length === 'number' ? length : 0,
    sample: {
      context: how.isCode ? '' : context,
      questions: [{ ...question, maxTokens: how.maxTokens }],
    },
  };
}

function strings(value: unknown, what: string): string[] {
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string')) throw refuse(what);
  return list as string[];
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}
