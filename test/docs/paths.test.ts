/** A page that names a file names one that is there: from the root, from a folder of sources, or by the end of its path. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const FOLDERS = ['lib', 'native', 'test', 'benchmarks', 'scripts', 'docs', 'examples'];

/** Named in pages, and not in the project. */
const ELSEWHERE = ['docs/api/', 'etc/npmrc', 'node_modules/cachalot', 'prebuilds/'];

const paths = FOLDERS.flatMap((folder) => [
  `/${folder}/`,
  ...readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).map(
    (entry) =>
      `${join(entry.parentPath, entry.name).slice(root.length).replaceAll('\\', '/')}${entry.isDirectory() ? '/' : ''}`,
  ),
]);

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((name) => name.endsWith('.md') && !name.startsWith('docs/api')),
];

/** In backquotes: with a slash between names or at the end, or a source file's name. */
const PATH = /`((?:[\w.-]+\/)+[\w.-]*|[\w-]+\.(?:cpp|cu|h|ts|cjs|inc))`/g;

test.each(pages)('%s names files that exist', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const named = Array.from(
    text.matchAll(PATH),
    ([, path]) => path!.replace(/^dist\/(.*)\.js$/, 'lib/$1.ts'), // what is built of a file
  );
  const missing = named.filter(
    (path) => !ELSEWHERE.includes(path) && !paths.some((real) => real.endsWith(`/${path}`)),
  );
  expect(missing).toEqual([]);
});
