import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const lib = join(__dirname, '../../lib');

/** What a file imports, within lib/. Types are gone when it runs, but a circle of them confuses readers as well. */
function importsOf(name: string): string[] {
  const text = readFileSync(join(lib, name), 'utf8');
  return [...text.matchAll(/ from '(\.[^']+)\.js'/g)].map(
    ([, target]) => `${relative(lib, join(lib, dirname(name), target!))}.ts`,
  );
}

const files = readdirSync(lib, { recursive: true })
  .map((name) => String(name).replaceAll('\\', '/'))
  .filter((name) => /^(net|models|files)\/.*\.ts$/.test(name));

test('what fetches and what lies on the disk know nothing of models', () => {
  const wrong = files
    .filter((name) => /^(net|files)\//.test(name))
    .flatMap((name) => importsOf(name).map((target) => `${name} -> ${target}`))
    .filter((arrow) => !/ -> (net\/|files\/|errors\.ts$|environment\.ts$|abort\.ts$)/.test(arrow));
  expect(wrong).toEqual([]);
  expect(files.length).toBeGreaterThan(20);
});

test('no files import one another in a circle', () => {
  const done = new Set<string>();
  const visit = (name: string, path: string[]): void => {
    if (path.includes(name)) throw new Error([...path, name].join(' -> '));
    if (done.has(name) || !files.includes(name)) return;
    for (const target of importsOf(name)) visit(target, [...path, name]);
    done.add(name);
  };
  for (const name of files) visit(name, []);
});
