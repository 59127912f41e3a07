/** The files of the project, as the tests of its shape see them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(__dirname, '..', '..');

/** Paths below `folder`; a filter that finds nothing would prove nothing. */
export function filesOf(folder: string, pattern: RegExp): string[] {
  const names = readdirSync(join(root, folder), { recursive: true }).map(String).sort();
  return chosen(names, (name) => pattern.test(name));
}

export function chosen(names: readonly string[], filter: (name: string) => boolean): string[] {
  const found = names.filter(filter);
  if (found.length === 0) throw new Error(`no file fits ${filter.toString()}`);
  return found;
}

export const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

/** All matches of a pattern in a text, of which there must be some. */
export function matches(text: string, pattern: RegExp): string[] {
  const found = [...text.matchAll(pattern)].map(([, name]) => name!);
  if (found.length === 0) throw new Error(`nothing fits ${String(pattern)}`);
  return found;
}

/** Below native/. */
export const nativeFiles = filesOf('native', /\.(h|cpp|cu)$/);

/** A folder may include itself and what it lists. */
export const BELOW: Record<string, string[]> = {
  base: [],
  backend: ['base'],
  cpu: ['backend', 'base'],
  cuda: ['backend', 'base'],
  weights: ['backend', 'base'],
  grammar: ['base'],
  kv: ['backend', 'base'],
  attention: ['backend', 'base'],
  model: ['weights', 'backend', 'base'],
  sampling: ['backend', 'base'],
  schedule: ['kv', 'backend', 'base'],
  engine: [
    'schedule',
    'sampling',
    'grammar',
    'model',
    'attention',
    'kv',
    'weights',
    'backend',
    'base',
  ],
  tests: [
    'engine',
    'schedule',
    'sampling',
    'model',
    'attention',
    'kv',
    'weights',
    'backend',
    'base',
  ],
  fuzz: ['grammar', 'model', 'weights', 'backend', 'base'],
  addon: [
    'engine',
    'schedule',
    'sampling',
    'grammar',
    'model',
    'attention',
    'kv',
    'weights',
    'cpu',
    'cuda',
    'backend',
    'base',
  ],
};
