import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { pull } from '../../lib/index.js';
import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';
import { installedModels, removeModels } from '../../lib/models/store/installed.js';
import { splitName } from '../../lib/models/names/split-name.js';
import { serveNpm } from '../fixtures/stub-npm.js';
import { useStubHub } from '../fixtures/stub-server.js';

/** A part without tensors; numbers are from 0. */
function part(number: number, count: number): Buffer {
  const metadata = { 'split.no': { u32: number }, 'split.count': { u32: count } };
  return Buffer.from(ggufHeader(metadata, []));
}
const file = (number: number, name = 'm') => `${name}-0000${number}-of-00003.gguf`;
const NAMES = [file(1), file(2), file(3)];

describe('a split GGUF file', () => {
  const hub = useStubHub();
  function serve(folder: string, numbers = [1, 2, 3]) {
    for (const number of numbers)
      hub().files.set(`${folder}${file(number)}`, { bytes: part(number - 1, 3) });
  }

  test.each([
    ['the hub', '/o/r/resolve/main/', () => `hf:o/r/${file(1)}`],
    ['https', '/files/', () => `${hub().url}/files/${file(1)}`],
  ])('from %s: the first part brings all, side by side under their names', async (_, at, name) => {
    serve(at);
    const parts = new Set<string>();
    const { path, bytes, cached } = await pull(name(), {
      onProgress: (step) => parts.add(`${step.part}/${step.parts}`),
    });
    expect(basename(path)).toBe(file(1));
    expect(readdirSync(dirname(path))).toEqual(NAMES);
    expect([bytes, cached]).toEqual([3 * part(0, 3).length, false]);
    expect([...parts]).toEqual(['0/3', '1/3', '2/3']);
    expect((await pull(name())).cached).toBe(true);
    rmSync(join(path, '..', file(2)));
    hub().requests.length = 0;
    expect((await pull(name())).cached).toBe(false); // only what is not there
    expect(hub().requests.every((request) => request.includes('-00002-of'))).toBe(true);
  });

  test('from npm: the parts are not joined', async () => {
    await serveNpm(hub(), {
      one: { [`a/${file(1)}`]: part(0, 3) },
      two: { [file(2)]: part(1, 3) },
      three: { [file(3)]: part(2, 3) },
    });
    const name = `npm:one@1.0.0/a/${file(1)}+two@1.0.0/${file(2)}+three@1.0.0/${file(3)}`;
    const { path } = await pull(name);
    expect(basename(path)).toBe(file(1));
    expect(readdirSync(dirname(path))).toEqual(NAMES);
    expect(readFileSync(join(path, '..', file(3))).equals(part(2, 3))).toBe(true);
    expect((await pull(name)).cached).toBe(true);
  });

  test.each([
    [[file(1), file(3), file(2)], file(2), file(3)],
    [[file(1), file(2)], file(3), 'no more'],
    [[file(1), file(2, 'n'), file(3)], file(2), file(2, 'n')],
    [[file(2), file(3)], file(1), file(2)],
    [[file(1), 'm.gguf'], file(2), 'm.gguf'],
  ])('from npm: %j is refused, and the part that is missing is named', async (files, ...words) => {
    const name = `npm:${files.map((each) => `p@1.0.0/${each}`).join('+')}`;
    const failed = pull(name);
    await expect(failed).rejects.toMatchObject({ code: 'source_invalid' });
    for (const word of words)
      await expect(failed).rejects.toMatchObject({
        message: expect.stringContaining(word) as string,
      });
  });

  test('another part than the first names the first', async () => {
    for (const name of [`hf:o/r/${file(2)}`, `https://host/${file(2)}`])
      await expect(pull(name)).rejects.toMatchObject({
        code: 'source_invalid',
        message: `'${name}' is part 2 of 3: give the first, '${name.replace('-00002', '-00001')}'; the others come with it`,
      });
    expect(hub().requests).toEqual([]);
  });

  test('a part that is missing there is named, and what has come is kept', async () => {
    serve('/o/r/resolve/main/', [1, 3]);
    await expect(pull(`hf:o/r/${file(1)}`)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining(`hf:o/r/${file(2)}`) as string,
    });
    expect(await installedModels()).toMatchObject([{ name: `hf:o/r/${file(1)}`, isPartial: true }]);
    serve('/o/r/resolve/main/');
    await pull(`hf:o/r/${file(1)}`);
    const first = hub().requests.filter(
      (line) => line.startsWith('GET') && line.includes('-00001'),
    );
    expect(first).toHaveLength(1);
  });

  test.each([
    ['another part', part(0, 3), /is part 1 of 3; it was deleted/],
    ['a part of another count', part(1, 4), /is part 2 of 4; it was deleted/],
    ['a whole file', Buffer.from(ggufHeader({}, [])), /is no part of a split file/],
  ])('%s under the name of a part is refused by its name', async (_, bytes, message) => {
    serve('/o/r/resolve/main/');
    hub().files.set(`/o/r/resolve/main/${file(2)}`, { bytes });
    await expect(pull(`hf:o/r/${file(1)}`)).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(message) as string,
    });
    const folder = join(process.env['XDG_CACHE_HOME']!, 'cachalot/models/hf/o/r');
    expect(existsSync(join(folder, file(2)))).toBe(false);
  });

  test('by force: the old parts stay together until all new ones are there', async () => {
    serve('/o/r/resolve/main/');
    const { path } = await pull(`hf:o/r/${file(1)}`);
    for (const name of NAMES) writeFileSync(join(path, '..', name), 'damaged');
    hub().files.delete(`/o/r/resolve/main/${file(3)}`);
    await expect(pull(`hf:o/r/${file(1)}`, { force: true })).rejects.toThrow(file(3));
    for (const name of NAMES) expect(readFileSync(join(path, '..', name), 'utf8')).toBe('damaged');
    serve('/o/r/resolve/main/');
    await pull(`hf:o/r/${file(1)}`, { force: true });
    for (const [index, name] of NAMES.entries())
      expect(readFileSync(join(path, '..', name)).equals(part(index, 3))).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(NAMES);
  });

  test('is one model in the list, and goes as one', async () => {
    serve('/o/r/resolve/main/');
    const { path, bytes } = await pull(`hf:o/r/${file(1)}`);
    const name = `hf:o/r/${file(1)}`;
    expect(await installedModels()).toEqual([{ name, path, bytes, isPartial: false }]);
    rmSync(path); // without its first part it is still the same model
    expect(await installedModels()).toMatchObject([{ name, path, isPartial: true }]);
    await removeModels([name]);
    expect(await installedModels()).toEqual([]);
    expect(existsSync(dirname(path))).toBe(false);
  });
});

test('names of parts are read strictly', () => {
  expect(splitName('a/m-00002-of-00003.gguf')).toEqual({ prefix: 'a/m', part: 2, parts: 3 });
  for (const name of ['m.gguf', 'm-00000-of-00003.gguf', 'm-00004-of-00003.gguf', 'm-1-of-3.gguf'])
    expect(splitName(name)).toBeUndefined();
});
