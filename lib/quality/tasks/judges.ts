/**
 * How RULER (arXiv 2404.06654) and LongBench (arXiv 2308.14508) judge answers: from 0 to 1. Texts without spaces between words
 * would need a word splitter, so Chinese data sets are not judged here.
 */

/** `all`: how many of the answers the text holds; `part`: whether it holds one of them (RULER). The others are LongBench's. */
export const JUDGES = {
  all: (text, { answers }) =>
    answers.filter((answer) => holds(text, answer)).length / answers.length,
  part: (text, { answers }) => (answers.some((answer) => holds(text, answer)) ? 1 : 0),
  f1: (text, { answers }) => best(answers, (answer) => f1(plainWords(text), plainWords(answer))),
  rouge: (text, { answers }) => best(answers, (answer) => rougeL(text, answer)),
  classification: (text, { answers, classes }) =>
    best(answers, (answer) => classified(text, answer, classes)),
  retrieval: (text, { answers }) =>
    best(answers, (answer) => numberShare(text, /\d+/.exec(answer)?.[0])),
  count: (text, { answers }) => best(answers, (answer) => numberShare(text, answer)),
  similarity: (text, { answers }) =>
    best(answers, (answer) => similarity([...codeLine(text)], [...answer])),
} as const satisfies Record<string, Judge>;

export type JudgeName = keyof typeof JUDGES;

export interface Wanted {
  answers: readonly string[];
  /** All labels that there are. */
  classes: readonly string[];
}

type Judge = (text: string, wanted: Wanted) => number;

const best = (answers: readonly string[], score: (answer: string) => number) =>
  Math.max(0, ...answers.map(score));

const holds = (text: string, answer: string) => text.toLowerCase().includes(answer.toLowerCase());

/** As SQuAD compares answers: in lower case, without punctuation and articles. */
function plainWords(text: string): string[] {
  const plain = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '');
  return plain.split(/\s+/).filter((word) => word !== '' && !['a', 'an', 'the'].includes(word));
}

function f1(given: readonly string[], wanted: readonly string[]): number {
  const left = [...wanted];
  const common = given.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  }).length;
  return common === 0 ? 0 : (2 * common) / (given.length + wanted.length);
}

/** F1 of the longest common subsequence of words (ours: of the whole text, not sentence by sentence). */
function rougeL(text: string, answer: string): number {
  const [given, wanted] = [text, answer].map((one) => one.split(/\s+/).filter(Boolean));
  return similarity(given!, wanted!);
}

/** Twice the longest common subsequence over both lengths. */
function similarity(a: readonly string[], b: readonly string[]): number {
  let before = new Array<number>(b.length + 1).fill(0);
  for (const item of a) {
    const row = [0];
    for (let i = 0; i < b.length; i++)
      row.push(item === b[i] ? before[i]! + 1 : Math.max(before[i + 1]!, row[i]!));
    before = row;
  }
  const both = a.length + b.length;
  return both === 0 ? 0 : (2 * before[b.length]!) / both;
}

/** A text that names several labels has the right one in part. A label inside the right one's name is not counted. */
function classified(text: string, answer: string, classes: readonly string[]): number {
  const named = classes.filter((label) => text.includes(label));
  const others = named.filter((label) => label === answer || !answer.includes(label));
  return others.includes(answer) ? 1 / others.length : 0;
}

/** The share of the text's numbers that are the right one. */
function numberShare(text: string, wanted: string | undefined): number {
  const numbers = text.match(/\d+/g) ?? [];
  return numbers.length === 0 ? 0 : numbers.filter((one) => one === wanted).length / numbers.length;
}

/** The first line of code that is no comment. */
function codeLine(text: string): string {
  const lines = text.replace(/^\n+/, '').split('\n');
  return lines.find((line) => !/[`#]|\/\//.test(line)) ?? '';
}
