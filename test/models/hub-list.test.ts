import { readFileSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

describe('a repository of GGUF files', () => {
  const hub = useStubHub();
  let model: Buffer;
  beforeAll(async () => void (model = readFileSync((await writeTinyModel()).path)));

  const FILES = [
    'README.md',
    'm-Q4_K_M.gguf',
    'm-q4_k_s.gguf',
    'm.IQ2_XXS.gguf',
    'm-UD-Q4_K_XL.gguf',
    'Q8_0/m-Q8_0-00001-of-00002.gguf',
    'Q8_0/m-Q8_0-00002-of-00002.gguf',
    'mmproj-m-f16.gguf',
    'odd.gguf',
  ];
  const entry = (path: string) => ({ type: 'file', path, size: 4_100_000_000 });
  function list(files: string[], page = '', headers: Record<string, string> = {}, query = '') {
    const bytes = Buffer.from(
      JSON.stringify([{ type: 'directory', path: 'x' }, ...files.map(entry)]),
    );
    hub().files.set(`/api/models/o/r/tree/main?recursive=true${query}${page}`, { bytes, headers });
    for (const file of files) hub().files.set(`/o/r/resolve/main/${file}`, { bytes: model });
  }

  test('is listed, each file as it is to be given', async () => {
    list(FILES);
    await expect(pull('hf:o/r')).rejects.toMatchObject({
      code: 'model_not_found',
      message:
        "hf:o/r has GGUF files and no 'config.json'; say which: hf:o/r:Q4_K_M (4.1 GB), hf:o/r:q4_k_s (4.1 GB), " +
        'hf:o/r:IQ2_XXS (4.1 GB), hf:o/r:UD-Q4_K_XL (4.1 GB), hf:o/r:Q8_0 (2 parts), hf:o/r/odd.gguf (4.1 GB)',
    });
  });

  test('with a configuration, too: nothing is kept that hides the file that is pulled then', async () => {
    list(FILES);
    hub().files.set('/o/r/resolve/main/config.json', { bytes: Buffer.from('{}') });
    await expect(pull('hf:o/r')).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining("no 'tokenizer.json'") as string,
    });
    const { path } = await pull('hf:o/r:Q4_K_M');
    expect(readdirSync(dirname(path))).toEqual(['m-Q4_K_M.gguf']);
  });

  test('the end of a name picks one, whatever the case; once here, no network is needed', async () => {
    list(FILES);
    const { path, cached } = await pull('hf:o/r:q4_K_m');
    expect(path).toMatch(/hf\/o\/r\/m-Q4_K_M\.gguf$/);
    expect(cached).toBe(false);
    hub().requests.length = 0;
    expect(await pull('hf:o/r:Q4_K_M')).toMatchObject({ path, cached: true });
    expect(hub().requests).toEqual([]);
    await using engine = await Engine.load('hf:o/r:Q4_K_M');
    expect(engine.description.model).toBe(path);
    expect((await inspectModel('hf:o/r:q4_k_s')).container).toBe('GGUF'); // its header only
    expect(readdirSync(dirname(path))).toEqual(['m-Q4_K_M.gguf']);
  });

  test('one that is no name, or part of one, or several, is answered with the list', async () => {
    list([...FILES, 'other-Q4_K_M.gguf']);
    await expect(pull('hf:o/r:Q5_K_M')).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringMatching(
        /^no GGUF file in hf:o\/r is called 'Q5_K_M'; there are: hf:o\/r\/m-Q4_K_M.gguf \(/,
      ) as string,
    });
    await expect(pull('hf:o/r:K_M')).rejects.toThrow("no GGUF file in hf:o/r is called 'K_M'");
    await expect(pull('hf:o/r:Q4_K_M')).rejects.toMatchObject({
      code: 'model_not_found',
      message:
        "'Q4_K_M' may be several files in hf:o/r; say which: hf:o/r/m-Q4_K_M.gguf (4.1 GB), hf:o/r/other-Q4_K_M.gguf (4.1 GB)",
    });
    await expect(pull('hf:o/none:Q4_K_M')).rejects.toMatchObject({
      code: 'model_not_found',
      message: 'there are no GGUF files in hf:o/none',
    });
  });

  test('a list of many pages is read to its end, and not from elsewhere', async () => {
    const next = `<${hub().url}/api/models/o/r/tree/main?recursive=true&cursor=2>; rel="next"`;
    list(['a-Q4_0.gguf'], '', { link: next });
    list(['b-Q5_0.gguf'], '&cursor=2', { link: '<http://127.0.0.1:1/elsewhere>; rel="next"' });
    expect((await pull('hf:o/r:Q5_0')).path).toMatch(/b-Q5_0\.gguf$/);
  });

  test('what is no list is said to be none', async () => {
    hub().files.set('/api/models/o/r/tree/main?recursive=true', { bytes: Buffer.from('<html>') });
    await expect(pull('hf:o/r:Q4_0')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('does not answer with a list of files') as string,
    });
  });
});
