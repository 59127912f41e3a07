/** The shape of lib/: which room may import from which, and that no files import one another in a circle. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const lib = join(__dirname, '../../lib');

const files = readdirSync(lib, { recursive: true })
  .map((name) => String(name).replaceAll('\\', '/'))
  .filter((name) => /\.m?ts$/.test(name))
  .sort();

/** What a file imports, within lib/. Types are gone when it runs, but a circle of them confuses readers as well. */
function importsOf(name: string): string[] {
  const text = readFileSync(join(lib, name), 'utf8');
  const imports = /(?:^import |^export | from )[^']*'(\.[^']+)\.(m?)js'/gm;
  return [...text.matchAll(imports)].map(
    ([, target, m]) => `${relative(lib, join(lib, dirname(name), target!))}.${m}ts`,
  );
}

/** The files at the root that rooms may import: what both JavaScript and C++ know. */
const SHARED = ['errors.ts', 'native.ts'];

/**
 * Each room with the rooms that it may import from, itself besides. Every room may import errors.ts, and no other file of the root but
 * what it names here. A room comes after all that it imports from, so that arrows point up this page and never down.
 */
const ROOMS: Record<string, string[]> = {
  records: [],
  signals: [],
  system: [],
  binary: [],
  checks: ['signals'],
  workers: ['signals', 'binary'],
  files: ['signals'],
  net: ['files', 'system'],
  text: ['checks', 'files', 'workers', 'native.ts'],
  jinja: [],
  chat: ['checks', 'jinja', 'text', 'workers'],
  'models/names': [],
  'models/store': ['files', 'models/names', 'system', 'native.ts'],
  'models/formats': ['files', 'models/names', 'models/store', 'net', 'text', 'native.ts'],
  'models/sources': [
    ...['files', 'models/formats', 'models/names', 'models/store', 'net', 'system', 'text'],
  ],
  models: [
    ...['checks', 'files', 'models/formats', 'models/names', 'models/sources', 'models/store'],
    ...['net', 'native.ts'],
  ],
  layout: ['native.ts'],
  estimate: ['files', 'models/formats', 'text', 'native.ts'],
  options: ['chat', 'checks', 'models/sources', 'native.ts'],
  request: ['options', 'native.ts'],
  engine: [
    ...['chat', 'checks', 'estimate', 'layout', 'models', 'models/formats', 'models/store'],
    ...['options', 'request', 'signals', 'system', 'text', 'workers', 'native.ts'],
  ],
  generation: ['checks', 'engine', 'layout', 'options', 'request', 'signals', 'text', 'native.ts'],
  session: ['chat', 'checks', 'engine', 'generation', 'layout', 'options', 'text'],
  relevance: ['checks', 'engine', 'options'],
  batch: ['chat', 'checks', 'engine', 'generation', 'layout', 'options', 'signals', 'native.ts'],
};

/** What stands on the public API. */
const ABOVE = ['bench', 'cli', 'quality', 'quality/tasks', 'quality/text'];

const roomOf = (name: string) => (name.includes('/') ? dirname(name) : name);

test('every folder is a room of the table, and every room of the table is a folder', () => {
  const folders = new Set(files.filter((name) => name.includes('/')).map((name) => dirname(name)));
  expect([...folders].sort()).toEqual([...Object.keys(ROOMS), ...ABOVE].sort());
});

test('rooms import from those before them alone, and only from those that the table names', () => {
  const names = Object.keys(ROOMS);
  for (const [room, below] of Object.entries(ROOMS)) {
    const before = [...names.slice(0, names.indexOf(room)), ...SHARED];
    expect(below.filter((other) => !before.includes(other))).toEqual([]);
  }
  const wrong = Object.entries(ROOMS).flatMap(([room, below]) =>
    files
      .filter((name) => roomOf(name) === room)
      .flatMap((name) => importsOf(name).map((target) => [name, target] as const))
      .filter(([, target]) => ![room, 'errors.ts', ...below].includes(roomOf(target)))
      .map((arrow) => arrow.join(' -> ')),
  );
  expect(wrong).toEqual([]);
});

test('a room names no other room that it does not import from', () => {
  const idle = Object.entries(ROOMS).flatMap(([room, below]) => {
    const own = files.filter((name) => roomOf(name) === room);
    const used = new Set(own.flatMap(importsOf).map(roomOf));
    return below.filter((other) => !used.has(other)).map((other) => `${room} -> ${other}`);
  });
  expect(idle).toEqual([]);
});

test('the root holds the faces to users and to C++, and what both know', () => {
  expect(files.filter((name) => !name.includes('/'))).toEqual([
    ...['ambient-types.ts', 'engine.ts', 'errors.ts', 'index.mts', 'index.ts', 'native.ts'],
  ]);
  const of = (name: string) => [...new Set(importsOf(name).map(roomOf))].sort();
  expect(of('errors.ts')).toEqual([]);
  expect(of('native.ts')).toEqual(['binary', 'records']);
});

test('what users import knows nothing of the command line and the benchmark', () => {
  const wrong = files
    .filter((name) => !ABOVE.includes(roomOf(name)))
    .filter((name) => importsOf(name).some((target) => ABOVE.includes(roomOf(target))));
  expect(wrong).toEqual([]);
  expect(files.filter((name) => roomOf(name) === 'cli').length).toBeGreaterThan(20);
});

test('no files import one another in a circle', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (name: string, path: string[]): void => {
    if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' -> '));
    if (path.includes(name) || done.has(name)) return;
    expect(files).toContain(name);
    for (const target of importsOf(name)) visit(target, [...path, name]);
    done.add(name);
  };
  for (const name of files) visit(name, []);
  expect(circles).toEqual([]);
  expect(done.size).toBe(files.length);
});
