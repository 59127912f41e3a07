/** The shape of the house: who includes whom, which files have siblings, how long they are. See docs/architecture.md. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const root = join(__dirname, '..');
const native = join(root, 'native');

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => pattern.test(name))
    .sort();
}

const nativeFiles = files(native, /\.(h|cpp|cu)$/);
const lines = (path: string) => readFileSync(path, 'utf8').split('\n').length - 1;

test('files are short enough to say one thing', () => {
  const limit = (name: string) => {
    if (name.endsWith('.test.ts')) return 400;
    if (/^(cpu|cuda)\//.test(name)) return 400; // kernels
    return name.endsWith('.h') ? 200 : 300;
  };
  const long = [
    ...nativeFiles.map((name) => [name, lines(join(native, name))] as const),
    ...files(join(root, 'lib'), /\.ts$/).map(
      (name) => [name, lines(join(root, 'lib', name))] as const,
    ),
    ...files(join(root, 'test'), /\.ts$/).map(
      (name) => [name, lines(join(root, 'test', name))] as const,
    ),
  ].filter(([name, count]) => count > limit(name));
  expect(long).toEqual([]);
});

test('folders are at most two deep below native/', () => {
  expect(nativeFiles.filter((name) => name.split('/').length > 3)).toEqual([]);
});

test('includes point only downward', () => {
  // A folder may include itself and what it lists.
  const below: Record<string, string[]> = {
    base: [],
    backend: ['base'],
    cpu: ['backend', 'base'],
    cuda: ['backend', 'base'],
    weights: ['backend', 'base'],
    kv: ['backend', 'base'],
    attention: ['backend', 'base'],
    model: ['weights', 'backend', 'base'],
    engine: ['model', 'attention', 'kv', 'weights', 'backend', 'base'],
    tests: ['engine', 'model', 'attention', 'kv', 'weights', 'backend', 'base'],
    fuzz: ['model', 'weights', 'backend', 'base'],
    addon: ['engine', 'model', 'attention', 'kv', 'weights', 'cpu', 'cuda', 'backend', 'base'],
  };
  const wrong: string[] = [];
  for (const name of nativeFiles) {
    const folder = name.split('/')[0]!;
    const allowed = [
      folder,
      ...below[folder]!,
      ...(name === 'engine/build.cpp' ? ['cpu', 'cuda'] : []),
    ];
    for (const [, target] of readFileSync(join(native, name), 'utf8').matchAll(
      /#include "(\w+)\//g,
    )) {
      if (!allowed.includes(target!)) wrong.push(`${name} -> ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('files for one instruction set include C headers, intrinsics and their like only', () => {
  for (const name of nativeFiles.filter((file) => /^cpu\/avx\d+\//.test(file))) {
    for (const [, header] of readFileSync(join(native, name), 'utf8').matchAll(
      /#include [<"]([^>"]+)/g,
    )) {
      expect(header).toMatch(
        /^(immintrin\.h|stdint\.h|math\.h|string\.h|base\/half\.h|backend\/(arithmetic|number_formats|softmax_state|code_tables)\.h|cpu\/(avx512|avx2|kernels|kernel_functions|device)[\w/]*\.(h|inc))$|^cpu\/kernels\.h$|^cpu\/avx2\/linear_panels\.cpp$/,
      );
    }
  }
});

test('PTX stands in one file, and kernels know nothing of the runtime', () => {
  for (const name of nativeFiles.filter((file) => file.startsWith('cuda/'))) {
    const text = readFileSync(join(native, name), 'utf8');
    if (name !== 'cuda/device/simt.h' && !name.startsWith('cuda/emu/'))
      expect([name, /\basm\b/.test(text)]).toEqual([name, false]);
    if (name.endsWith('.cu') && name !== 'cuda/device.cu')
      expect([name, /\bcuda[A-Z]/.test(text)]).toEqual([name, false]);
  }
});

test('every instruction path has the same files', () => {
  const of = (path: string) =>
    nativeFiles
      .filter((name) => dirname(name) === `cpu/${path}` && name.endsWith('.cpp'))
      .map((name) => basename(name).replace(`_${path}`, ''));
  expect(of('avx512')).toEqual(of('portable'));
  expect(of('avx2').filter((name) => !name.includes('vnni'))).toEqual(of('portable'));
});

test('every op of the backend has a file, and the error codes are the same on both sides', () => {
  const backend = readFileSync(join(native, 'backend/backend.h'), 'utf8');
  const ops = [...backend.matchAll(/virtual void (\w+)\(const \w+Params/g)].map(([, op]) => op!);
  expect(ops.length).toBeGreaterThan(8);
  for (const op of ops) {
    expect(nativeFiles).toContain(`cpu/${op}.cpp`);
    expect(nativeFiles).toContain(`cuda/${op}.cu`);
  }
  const codes = [
    ...readFileSync(join(native, 'base/error.cpp'), 'utf8').matchAll(/return "(\w+)"/g),
  ].map(([, code]) => code!);
  const errors = readFileSync(join(root, 'lib/errors.ts'), 'utf8');
  for (const code of codes) expect(errors).toContain(`'${code}'`);
});
