/** Results as files: a table to read, JSON to compute with, a chart to look at. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { MachinePeaks } from '#lib/native.js';

const folder = join(process.cwd(), 'benchmarks', 'results');

export interface Report {
  markdown: string;
  json: unknown;
  svg?: string;
}

/** Writes NAME.md, NAME.json and NAME.svg; returns where the first of them is. */
export function saveResults(name: string, { markdown, json, svg }: Report): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.md`, markdown);
  writeFileSync(`${path}.json`, `${JSON.stringify(json, undefined, 2)}\n`);
  if (svg !== undefined) writeFileSync(`${path}.svg`, svg);
  return `${path}.md`;
}

export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map(line).join('\n');
}

export const rate = (value: number) => value.toFixed(value < 100 ? 1 : 0);
export const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

/** A file or source as part of a file name. */
export function slug(model: string): string {
  return model
    .replace(/^.*[\\/]/, '')
    .replace(/\.gguf$/, '')
    .replace(/[^\w.-]+/g, '-');
}

/** The better of two measurements of one machine: neighbours come and go. */
export function betterPeaks(a: MachinePeaks, b: MachinePeaks): MachinePeaks {
  const most = (key: 'readBytesPerSecond' | 'f32' | 'bf16' | 'int8') => Math.max(a[key], b[key]);
  return {
    ...a,
    readBytesPerSecond: most('readBytesPerSecond'),
    f32: most('f32'),
    bf16: most('bf16'),
    int8: most('int8'),
  };
}
