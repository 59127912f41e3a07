/** Errors of loading blame the file that is at fault, whoever finds it first. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { loadVocabulary } from '../../lib/text/load-vocabulary.js';
import { build, soundParts } from '../fixtures/gguf-bytes.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const failure = (loading: Promise<unknown>) =>
  loading.then(
    () => undefined,
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  );

describe('a big-endian GGUF file', () => {
  const swapped = (bytes: Buffer) => Buffer.from(bytes).reverse();
  const converted = expect.stringMatching(/big-endian.*convert/) as string;

  test.each([
    ['2', Buffer.from('GGUF'), Buffer.from([2, 0, 0, 0])],
    ['3', Buffer.from('GGUF'), Buffer.from([3, 0, 0, 0])],
    ['3 and a magic number that is swapped, too', Buffer.from('FUGG'), Buffer.from([3, 0, 0, 0])],
  ])('of version %s is named as such', async (_, magic, version) => {
    const path = temporaryPath('big.gguf');
    writeFileSync(path, build({ ...soundParts(), magic, version: swapped(version) }));
    const expected = { code: 'file_bad_version', message: converted };
    expect(await failure(Engine.load(path))).toEqual(expected);
  });

  test('is not taken for one of version 0, or of a version to come', async () => {
    for (const version of [0, 4]) {
      const path = temporaryPath('other.gguf');
      writeFileSync(path, build({ ...soundParts(), version: Buffer.from([version, 0, 0, 0]) }));
      expect(await failure(Engine.load(path))).toEqual({
        code: 'file_bad_version',
        message: expect.not.stringContaining('big-endian') as string,
      });
    }
  });
});

describe('a folder', () => {
  const folder = (change: (config: string, path: string) => void) => {
    const { path } = writeHubModel({ shape: { layers: 1 } });
    change(join(path, 'config.json'), path);
    return path;
  };
  const withConfig = (text: string) => folder((config) => writeFileSync(config, text));
  const blamed = (code: string) => ({
    code,
    message: expect.stringContaining('config.json') as string,
  });

  test.each([
    ['no JSON', '{"model_type":', 'file_bad_metadata'],
    ['empty', '', 'file_truncated'],
    ['no object', '[]', 'file_bad_metadata'],
    ['without fields', '{}', 'model_missing_key'],
  ])('whose config.json is %s: it is blamed', async (_, text, code) => {
    expect(await failure(Engine.load(withConfig(text)))).toEqual(blamed(code));
  });

  test('whose config.json is no JSON: it is blamed also by who reads the vocabulary alone', async () => {
    expect(await failure(loadVocabulary(withConfig('{"a":')))).toEqual(blamed('file_bad_metadata'));
  });

  test('whose generation_config.json is no JSON: it is blamed, and not the tokenizer', async () => {
    const path = folder((_, root) => writeFileSync(join(root, 'generation_config.json'), '{'));
    expect(await failure(Engine.load(path))).toEqual({
      code: 'file_bad_metadata',
      message: expect.stringContaining('generation_config.json') as string,
    });
  });

  test.each([
    ['absent', (path: string) => rmSync(path)],
    ['no JSON', (path: string) => writeFileSync(path, 'x')],
  ])(
    'with weights that are damaged and a tokenizer.json that is %s: the weights are told first',
    async (_, damage) => {
      const path = folder((__, root) => {
        damage(join(root, 'tokenizer.json'));
        const weights = join(root, 'model.safetensors');
        writeFileSync(weights, readFileSync(weights).subarray(0, -4));
      });
      expect(await failure(Engine.load(path))).toEqual({
        code: 'file_truncated',
        message: expect.stringContaining('model.safetensors') as string,
      });
    },
  );

  test('with a damaged tokenizer and sound weights: the tokenizer is blamed', async () => {
    const path = folder((_, root) => writeFileSync(join(root, 'tokenizer.json'), 'x'));
    expect(await failure(Engine.load(path))).toEqual({
      code: 'tokenizer_invalid',
      message: expect.stringContaining('tokenizer.json') as string,
    });
  });
});
