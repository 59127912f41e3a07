/** How long files and functions are, and how deep folders. The limits are those of the house's style; more needs a reason. */
import { chosen, filesOf, nativeFiles, textOf } from './house.js';
import { functionsOfCpp, functionsOfTypeScript } from './functions.js';

const native = nativeFiles.map((name) => `native/${name}`);
const typescript = ['lib', 'test', 'benchmarks'].flatMap((folder) =>
  filesOf(folder, /\.m?ts$/).map((name) => `${folder}/${name}`),
);

/** Lines of a file that may be more. */
const LONG_FILES: Record<string, { limit: number; reason: string }> = {
  'native/cuda/abi.h': { limit: 310, reason: 'all that two libraries agree on' },
};

/** Lines of a function that may be more. */
const LONG_FUNCTIONS: Record<string, { limit: number; reason: string }> = {
  'native/cpu/device/panel_tiles.h add_block': {
    limit: 61,
    reason: 'the body of a matrix product, unrolled by hand over its heights',
  },
  'native/cuda/emu/scheduler.cpp run_block': {
    limit: 64,
    reason: 'one loop over the fibers of a block, whose cases share its state',
  },
  'test/fixtures/snippets.ts randomTemplate': { limit: 89, reason: 'a list of snippets' },
  'test/fixtures/snippets.ts piece': { limit: 79, reason: 'a list of snippets' },
};

const isKernel = (path: string) =>
  /^native\/(cpu\/(avx\d+|portable|device)|cuda)\//.test(path) && path !== 'native/cuda/abi.h';

function limitOf(path: string): number {
  if (path.endsWith('.test.ts') || isKernel(path) || path.startsWith('native/cpu/')) return 400;
  return path.endsWith('.h') ? 150 : 300;
}

const linesOf = (path: string) => textOf(path).split('\n').length - 1;

test('files are short enough to say one thing', () => {
  const all = [...native, ...typescript.filter((path) => !path.startsWith('benchmarks/'))];
  const most = (path: string) => LONG_FILES[path]?.limit ?? limitOf(path);
  const long = all.filter((path) => linesOf(path) > most(path));
  expect(long.map((path) => `${path}: ${linesOf(path)}`)).toEqual([]);
  // What is no longer long is no exception.
  expect(Object.keys(LONG_FILES).filter((path) => linesOf(path) <= limitOf(path))).toEqual([]);
});

test('functions have at most 60 lines', () => {
  const found = [...native, ...typescript].flatMap((path) => {
    const functionsOf = path.startsWith('native/') ? functionsOfCpp : functionsOfTypeScript;
    return functionsOf(textOf(path)).map(({ name, lines }) => ({ name: `${path} ${name}`, lines }));
  });
  const long = found.filter(({ name, lines }) => lines > (LONG_FUNCTIONS[name]?.limit ?? 60));
  expect(long).toEqual([]);
  expect(found.length).toBeGreaterThan(1000);
  // What is no longer long is no exception.
  const needed = new Set(found.filter(({ lines }) => lines > 60).map(({ name }) => name));
  expect(Object.keys(LONG_FUNCTIONS).filter((name) => !needed.has(name))).toEqual([]);
});

test('functions are found, with their lines', () => {
  const cpp = `namespace a {
struct Point { int x = 0; };
class Box final : public Shape<int> {
 public:
  explicit Box(int size)
      : size_(size) {
    grow({1, 2}, "}");  // }
  }
};
int area(const Box& box,
         int scale) {
  const auto twice = [&](int n) {
    return 2 * n;
  };
  return twice(scale);
}
}
`;
  expect(functionsOfCpp(cpp)).toEqual([
    { name: 'Box', lines: 4 },
    { name: 'area', lines: 7 },
  ]);
  const text = `describe('a', () => {
  test('b', () => {
    f();
  });
});
const f = () => {
  g();
};
class A { m() { return 1; } }
`;
  expect(functionsOfTypeScript(text)).toEqual([
    { name: "test('b', () => {", lines: 3 },
    { name: 'f', lines: 3 },
    { name: 'm', lines: 1 },
  ]);
});

test('folders are at most two deep below native/', () => {
  expect(nativeFiles.filter((name) => name.split('/').length > 3)).toEqual([]);
  chosen(nativeFiles, (name) => name.split('/').length === 3);
});
