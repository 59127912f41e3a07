/** Who includes whom. See docs/architecture.md. */
import { BELOW, chosen, matches, nativeFiles, textOf } from './house.js';

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
  chosen(nativeFiles, (name) => textOf(`native/${name}`).search(quoted) >= 0); // the pattern finds some
  expect(Object.keys(MORE).filter((name) => !nativeFiles.includes(name))).toEqual([]);
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

test('docs/architecture.md draws the house as it is', () => {
  const rows = textOf('docs/architecture.md').matchAll(
    /^\| `native\/(\w+)\/`\s*\|[^|]*\|\s*(\d+)\s*\|([^|]*)\|$/gm,
  );
  const drawn = Array.from(rows, ([, folder, n, below]) => [
    folder,
    Number(n),
    below!.trim() === 'nothing' ? [] : below!.trim().split(', '),
  ]);
  const built = Object.entries(BELOW).map(([folder, below]) => [
    folder,
    nativeFiles.filter((name) => name.startsWith(`${folder}/`)).length,
    below,
  ]);
  const byName = (list: unknown[][]) =>
    [...list].sort((a, b) => String(a[0]).localeCompare(String(b[0])));
  expect(byName(drawn)).toEqual(byName(built));
  // Folders stand above all that they may include, so there is no circle.
  const order = drawn.map(([folder]) => folder as string);
  for (const [folder, , below] of drawn)
    for (const lower of below as string[])
      expect([folder, lower, order.indexOf(folder as string) < order.indexOf(lower)]).toEqual([
        folder,
        lower,
        true,
      ]);
});
