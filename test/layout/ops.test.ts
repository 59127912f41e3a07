/** An op stands in seven places, by one name; instruction paths have the same files. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { chosen, matches, nativeFiles, root, textOf } from './house.js';

const ops = matches(textOf('native/backend/backend.h'), /virtual void (\w+)\(const \w+Params/g);

const params = ['params.h', 'kv_params.h'].map((name) => textOf(`native/backend/${name}`)).join('');

const pascal = (op: string) =>
  op.replace(/(^|_)(\w)/g, (_, __, first: string) => first.toUpperCase());
const kebab = (op: string) => op.replaceAll('_', '-');

test.each(ops)('%s has its kernels, its reference, its suite and its benchmark', (op) => {
  const files = [
    `native/cpu/${op}.cpp`,
    `native/cuda/${op}.cu`,
    `test/reference/${kebab(op)}.ts`,
    `test/kernels/${kebab(op)}.test.ts`,
    `benchmarks/kernels/${kebab(op)}.bench.ts`,
  ];
  expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  expect(params).toContain(`struct ${pascal(op)}Params {`);
});

test('the list of ops is found', () => {
  expect(ops.length).toBeGreaterThan(8);
});

test('every instruction path has the same files', () => {
  const of = (path: string) =>
    chosen(nativeFiles, (name) => dirname(name) === `cpu/${path}` && name.endsWith('.cpp')).map(
      (name) => basename(name).replace(`_${path}`, ''),
    );
  expect(of('avx512')).toEqual(of('portable'));
  expect(of('avx2').filter((name) => !name.includes('vnni'))).toEqual(of('portable'));
});
