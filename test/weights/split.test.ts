/** Models in several GGUF files: read whole, and a part that is missing or foreign is named. */
import { copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { native } from '../../lib/native.js';
import { build, soundParts, text, u32, u64 } from '../fixtures/gguf-bytes.js';
import { ggufBytes, partName, writeSplitModel } from '../fixtures/split-model.js';
import type { SplitOptions } from '../fixtures/split-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import {
  temporaryPath,
  tinyMetadata,
  tinyVocabulary,
  writeTinyModel,
} from '../fixtures/tiny-model.js';

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];

async function logitsOf(path: string, options: Parameters<typeof Engine.load>[1] = {}) {
  await using engine = await Engine.load(path, options);
  const [logits] = await engine.logits(PROMPT);
  return { logits: Array.from(logits!), weights: engine.description.weights };
}

const failure = (path: string) =>
  Engine.load(path).then(
    () => undefined,
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  );

describe('a split model', () => {
  test.each([
    ['as many tensors in each part', {}],
    ['no tensor in the first', { place: (_, i, n) => 1 + Math.floor((2 * i) / n) }],
    ['quantized weights', { type: 'Q8_0' }],
  ] as [string, SplitOptions][])(
    'with %s gives the logits of the whole one',
    async (_, options) => {
      const { paths } = writeSplitModel(options);
      const { path } = await writeTinyModel(options);
      expect((await logitsOf(paths[0]!)).logits).toEqual((await logitsOf(path)).logits);
    },
  );

  test('is shown whole: the tensors of all parts, the sum of their bytes', async () => {
    const { paths, tensors } = writeSplitModel();
    const shown = await inspectModel(paths[0]!);
    expect(shown.tensors.map(({ name }) => name)).toEqual(tensors.map(({ name }) => name));
    expect(shown.fileBytes).toBe(paths.reduce((sum, path) => sum + statSync(path).size, 0));
    expect(shown.shape).toMatchObject({ architecture: 'llama', layers: 2 });
    expect(shown.problem).toBeUndefined();
  });

  test('says which part it is in the types that gguf-split writes', async () => {
    const u16 = (value: number) => Buffer.from([value & 255, value >> 8]);
    const entry = (key: string, type: number, value: Buffer) =>
      Buffer.concat([text(key), u32(type), value]);
    const part = (number: number) => {
      const parts = soundParts();
      parts.entries = [
        entry('split.no', 2, u16(number)),
        entry('split.count', 2, u16(2)),
        entry('split.tensors.count', 5, u32(4)),
      ];
      parts.nEntries = u64(parts.entries.length);
      if (number === 1) [parts.tensors[0]!.name, parts.tensors[1]!.name] = [text('c'), text('d')];
      return build(parts);
    };
    const prefix = temporaryPath('typed');
    for (const number of [0, 1]) writeFileSync(partName(prefix, number, 2), part(number));
    const { tensors } = await native().readGguf(partName(prefix, 0, 2));
    expect(tensors.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
    const alone = await native().readGguf(partName(prefix, 1, 2), { alone: true });
    expect(alone.tensors.map(({ name }) => name)).toEqual(['c', 'd']);
  });

  test('that was merged again is a whole one', async () => {
    const { tensors } = writeSplitModel();
    const path = temporaryPath('merged.gguf');
    const own = tinyMetadata(
      { width: 64, ffn: 128, heads: 4, kvHeads: 2, layers: 2, context: 512 },
      tinyVocabulary(),
    );
    writeFileSync(path, ggufBytes({ ...own, 'split.count': { u32: 0 } }, tensors));
    expect(await failure(path)).toBeUndefined();
  });
});

describe('a part of a split model', () => {
  const of = (paths: string[], part: number) => paths[part - 1]!;

  /** Loads after a change, which returns the path that must be named. */
  async function failureAfter(change: (paths: string[]) => string, options: SplitOptions = {}) {
    const { paths } = writeSplitModel(options);
    const named = change(paths);
    const failed = await failure(paths[0]!);
    expect(failed?.message).toContain(`'${named}'`);
    return failed?.code;
  }

  test('other than the first is refused, and the first is named', async () => {
    const { paths } = writeSplitModel();
    expect(await failure(of(paths, 2))).toEqual({
      code: 'invalid_argument',
      message: expect.stringContaining(`part 2 of 3 of a model: load '${of(paths, 1)}'`) as string,
    });
  });

  test('of another name cannot lead to the others', async () => {
    const { paths } = writeSplitModel();
    const renamed = join(dirname(paths[0]!), 'mine.gguf');
    renameSync(paths[0]!, renamed);
    expect(await failure(renamed)).toEqual({
      code: 'invalid_argument',
      message: expect.stringMatching(/mine\.gguf.*must end with '-00001-of-00003\.gguf'/) as string,
    });
  });

  test('that is missing is named', async () => {
    const change = (paths: string[]) => (rmSync(of(paths, 3)), of(paths, 3));
    expect(await failureAfter(change)).toBe('model_not_found');
  });

  test('that is cut off is named', async () => {
    const change = (paths: string[]) => {
      writeFileSync(of(paths, 2), readFileSync(of(paths, 2)).subarray(0, -64));
      return of(paths, 2);
    };
    expect(await failureAfter(change)).toBe('file_truncated');
  });

  test.each([
    ['another part of the same model', (paths: string[]) => of(paths, 2)],
    ['a part of a model in two parts', () => writeSplitModel({ parts: 2 }).paths[1]!],
    [
      'a part of a model with more tensors',
      () => of(writeSplitModel({ shape: { layers: 3 } }).paths, 3),
    ],
    ['a model of its own', (paths: string[]) => wholeModel(paths)],
  ])('that is %s is named as foreign', async (_, other) => {
    const change = (paths: string[]) => (copyFileSync(other(paths), of(paths, 3)), of(paths, 3));
    expect(await failureAfter(change)).toBe('file_bad_metadata');
  });

  function wholeModel(paths: string[]): string {
    const path = `${paths[0]!}.whole`;
    writeFileSync(path, ggufBytes({ 'general.architecture': { string: 'llama' } }, []));
    return path;
  }

  test('that has a tensor of another part is named', async () => {
    const change = (paths: string[]) => {
      const { paths: others } = writeSplitModel({ place: (_, i) => 2 - (i % 3) });
      copyFileSync(of(others, 3), of(paths, 3));
      return of(paths, 3);
    };
    expect(await failureAfter(change)).toBe('file_duplicate_tensor');
  });

  test.each([
    ['fewer tensors than', 30],
    ['more tensors than', 10],
  ])('%s all say: the model is named', async (_, count) => {
    const says = () => ({ 'split.tensors.count': { u32: count } });
    expect(await failureAfter(([first]) => first!, { says })).toBe('file_bad_metadata');
  });

  test.each(['split.no', 'split.tensors.count'])('that does not say %s is named', async (key) => {
    const says = (part: number) => (part === 1 ? { [key]: undefined } : {});
    expect(await failureAfter((paths) => of(paths, 2), { says })).toBe('file_bad_metadata');
  });
});

describe('packed weights of a split model', () => {
  const home = process.env['XDG_CACHE_HOME'];
  beforeEach(() => {
    process.env['XDG_CACHE_HOME'] = temporaryPath('cache');
    // Files must have been at rest for a while: what has just been written is of an earlier minute here.
    const now = Date.now.bind(Date);
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 60_000);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    if (home === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = home;
  });

  test('are kept for all parts together, and packed again when any part is another', async () => {
    const keep = { layoutCache: { minBytes: 0 } };
    const { paths } = writeSplitModel({ type: 'Q8_0' });
    const first = await logitsOf(paths[0]!, keep);
    const second = await logitsOf(paths[0]!, keep);
    expect([first.weights, second.weights]).toEqual(['packed', 'mapped']);
    expect(second.logits).toEqual(first.logits);
    const { paths: others } = writeSplitModel({ type: 'Q8_0', seed: 7 });
    copyFileSync(others[2]!, paths[2]!);
    const changed = await logitsOf(paths[0]!, keep);
    expect(changed.weights).toBe('packed');
    expect(changed.logits).toEqual((await logitsOf(paths[0]!, { layoutCache: false })).logits);
    expect(changed.logits).not.toEqual(first.logits);
  });
});

describe('a split model elsewhere', () => {
  const hub = useStubHub();

  test('is shown whole from the headers of its parts', async () => {
    const { paths, tensors } = writeSplitModel();
    paths.forEach((path, part) => {
      const name = `/o/r/resolve/main/${partName('model', part, 3)}`;
      hub().files.set(name, { bytes: readFileSync(path) });
    });
    const shown = await inspectModel(`hf:o/r/${partName('model', 0, 3)}`);
    const local = await inspectModel(paths[0]!);
    expect(shown).toMatchObject({ tensors: local.tensors, fileBytes: local.fileBytes });
    expect(shown.tensors).toHaveLength(tensors.length);
  });
});
