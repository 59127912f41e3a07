/** Who includes whom. See docs/architecture.md. */
import { chosen, matches, nativeFiles, textOf } from './house.js';

/** A folder may include itself and what it lists. */
const BELOW: Record<string, string[]> = {
  base: [],
  backend: ['base'],
  cpu: ['backend', 'base'],
  cuda: ['backend', 'base'],
  weights: ['backend', 'base'],
  kv: ['backend', 'base'],
  attention: ['backend', 'base'],
  model: ['weights', 'backend', 'base'],
  sampling: ['backend', 'base'],
  schedule: ['kv', 'backend', 'base'],
  engine: ['schedule', 'sampling', 'model', 'attention', 'kv', 'weights', 'backend', 'base'],
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
  fuzz: ['model', 'weights', 'backend', 'base'],
  addon: [
    'engine',
    'schedule',
    'sampling',
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

/** Files that may include more than their folder, each with its reason. */
const MORE: Record<string, string[]> = {
  'engine/build.cpp': ['cpu', 'cuda'], // chooses the backend
};

const quoted = /#include "(\w+)\//g;

test('includes point only downward', () => {
  const wrong: string[] = [];
  for (const name of nativeFiles) {
    const folder = name.split('/')[0]!;
    const below = BELOW[folder];
    if (below === undefined) wrong.push(`${folder}/ has no row in the table`);
    const allowed = [folder, ...(below ?? []), ...(MORE[name] ?? [])];
    for (const [, target] of textOf(`native/${name}`).matchAll(quoted))
      if (!allowed.includes(target!)) wrong.push(`${name} -> ${target}`);
  }
  expect(wrong).toEqual([]);
  chosen(nativeFiles, (name) => quoted.test(textOf(`native/${name}`))); // the pattern finds some
  expect(Object.keys(MORE).filter((name) => !nativeFiles.includes(name))).toEqual([]);
});

test('the table has no circle', () => {
  for (const [folder, below] of Object.entries(BELOW))
    for (const lower of below) expect(BELOW[lower]).not.toContain(folder);
});

test('files for one instruction set include C headers, intrinsics and their like only', () => {
  for (const name of chosen(nativeFiles, (file) => /^cpu\/avx\d+\//.test(file))) {
    for (const header of matches(textOf(`native/${name}`), /#include [<"]([^>"]+)/g)) {
      expect(header).toMatch(
        /^(immintrin\.h|stdint\.h|math\.h|string\.h|base\/half\.h|backend\/(arithmetic|number_formats|softmax_state|code_tables)\.h|cpu\/(avx512|avx2|kernels|kernel_functions|device)[\w/]*\.(h|inc))$|^cpu\/kernels\.h$|^cpu\/avx2\/linear_panels\.cpp$/,
      );
    }
  }
});

test('PTX stands in one file, and kernels know nothing of the runtime', () => {
  for (const name of chosen(nativeFiles, (file) => file.startsWith('cuda/'))) {
    const text = textOf(`native/${name}`);
    if (name !== 'cuda/device/simt.h' && !name.startsWith('cuda/emu/'))
      expect([name, /\basm\b/.test(text)]).toEqual([name, false]);
    if (name.endsWith('.cu') && name !== 'cuda/device.cu')
      expect([name, /\bcuda[A-Z]/.test(text)]).toEqual([name, false]);
  }
});
