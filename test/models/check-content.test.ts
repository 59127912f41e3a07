import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';

import { pull } from '../../lib/index.js';
import { checkContent } from '../../lib/models/formats/check-content.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const PAGE = '<!DOCTYPE html>\n<html><body>Please log in to the guest network</body></html>';

async function check(name: string, bytes: Buffer | string): Promise<void> {
  const path = temporaryPath('came');
  writeFileSync(path, bytes);
  await checkContent(path, name);
}

function safetensors(header: string, body: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(body)]);
}

const TENSOR = '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}';

test('what is of the kind that its name says is taken', async () => {
  const { path } = await writeTinyModel();
  await check('m.gguf', readFileSync(path));
  const hub = writeHubModel({ shape: { layers: 1 } });
  for (const name of readdirSync(hub.path)) await check(name, readFileSync(`${hub.path}/${name}`));
  await check('m.safetensors', safetensors(TENSOR, 16));
  await check('chat_template.jinja', '{{ "<html>" }}');
  await check('model.part', Buffer.alloc(100));
});

test.each<[string, string, Buffer | string, RegExp]>([
  ['m.gguf', 'a page', PAGE, /a web page; a proxy .*begins with "<!DOCTYPE html> <html><body>Pl/],
  ['M.GGUF', 'something else', 'hello', /not a GGUF file: it begins with "hello"/],
  ['m.gguf', 'nothing', '', /not a GGUF file: it is empty/],
  ['config.json', 'a page', PAGE, /a web page/],
  ['config.json', 'half of it', '{"a": 1', /not JSON: it begins with "\{\\"a\\": 1"/],
  ['m.safetensors', 'a page', PAGE, /a web page/],
  ['m.safetensors', 'a short file', 'abc', /not a file of safetensors/],
  ['m.safetensors', 'no header', safetensors('not JSON', 16), /not a file of safetensors/],
  [
    'm.safetensors',
    'half of it',
    safetensors(TENSOR, 8),
    /has 71 bytes, and its header tells of 79/,
  ],
  [
    'm.safetensors',
    'too much',
    safetensors(TENSOR, 17),
    /has 80 bytes, and its header tells of 79/,
  ],
  ['m.safetensors', 'null', safetensors('null', 1), /has 13 bytes/],
  ['chat_template.jinja', 'a page', PAGE, /a web page/],
  ['model.part', 'a page', PAGE, /a web page/],
])('%s: %s is refused, and the error quotes it', async (name, _, bytes, message) => {
  await expect(check(name, bytes)).rejects.toMatchObject({
    code: 'download_corrupt',
    message: expect.stringMatching(message) as string,
  });
});

describe('a page instead of a model', () => {
  const hub = useStubHub();

  test('leaves nothing that the next pull would take for the model', async () => {
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: Buffer.from(PAGE) });
    for (let time = 0; time < 2; time++)
      await expect(pull('hf:o/r/m.gguf')).rejects.toMatchObject({
        code: 'download_corrupt',
        message: expect.stringContaining('guest network'.slice(0, 5)) as string,
      });
    const folder = `${process.env['XDG_CACHE_HOME']}/cachalot/models/hf/o/r`;
    expect(readdirSync(folder)).toEqual([]);
    const { path } = await writeTinyModel();
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: readFileSync(path) });
    expect((await pull('hf:o/r/m.gguf')).cached).toBe(false);
  });

  test('a folder is not taken for the file of that name', async () => {
    const { path } = await writeTinyModel();
    hub().files.set('/o/r/resolve/main/a/m.gguf', { bytes: readFileSync(path) });
    await pull('hf:o/r/a/m.gguf');
    expect(existsSync(`${process.env['XDG_CACHE_HOME']}/cachalot/models/hf/o/r/a`)).toBe(true);
    await expect(pull('hf:o/r/a')).rejects.toMatchObject({ code: 'download_failed' });
  });
});
