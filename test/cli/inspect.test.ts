import { readFileSync, writeFileSync } from 'node:fs';

import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot } from './cachalot.js';

describe('cachalot inspect', () => {
  test('tells shape, sizes, metadata and tensors; --json everything', async () => {
    const { path, shape } = await writeTinyModel({ type: 'Q8_0' });
    const { code, stdout } = await cachalot(['inspect', path, '--tensors']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/llama: 2 layers, width 64, 4 heads \(2 of keys and values\) of 16/);
    expect(stdout).toMatch(/keys and values: 256 bytes a token in bf16, 512 in f32/);
    expect(stdout).toMatch(/^Q8_0 +\d+ /m);
    expect(stdout).toContain('general.architecture = "llama"');
    expect(stdout).toMatch(/^blk\.0\.attn_q\.weight +Q8_0 +64 x 64/m);
    const json = JSON.parse((await cachalot(['inspect', path, '--json'])).stdout) as {
      shape: unknown;
      metadata: Record<string, unknown>;
      fileBytes: number;
    };
    expect(json.shape).toMatchObject({
      layers: shape.layers,
      kvBytesPerToken: { bf16: 256, f32: 512 },
    });
    expect(json.metadata['tokenizer.ggml.scores']).toContain(-1);
    expect(json.fileBytes).toBe(readFileSync(path).length);
  });

  test('reads Hugging Face folders', async () => {
    const { path } = writeHubModel();
    const { stdout } = await cachalot(['inspect', path]);
    expect(stdout).toMatch(/safetensors, .* parameters in \d+ tensors\nllama: 2 layers/);
  });

  test('what a terminal would obey is shown, not obeyed', async () => {
    const evil = temporaryPath('evil.gguf');
    writeFileSync(evil, ggufHeader({ 'general.\x1b[2Jname': { string: 'a\x9b31mb' } }, []));
    const { stdout } = await cachalot(['inspect', evil]);
    expect(stdout).toContain('general.\\u001b[2Jname');
    expect(stdout).not.toMatch(/[\x1b\x9b]/); // eslint-disable-line no-control-regex
  });

  test('says why a model cannot be run, and shows it all the same', async () => {
    const { path } = await writeTinyModel();
    const bytes = readFileSync(path);
    const broken = temporaryPath('broken.gguf');
    const key = 'general.architecture';
    bytes.write('gemma', bytes.indexOf(key) + key.length + 12); // the type, the length, the text
    writeFileSync(broken, bytes);
    const { code, stdout } = await cachalot(['inspect', broken]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/this version cannot run it: .*gemma/);
    expect(stdout).toContain('llama.block_count = 2');
  });
});

describe('the header of a remote file', () => {
  const hub = useStubHub();
  const MODEL = 'hf:o/r/m.gguf';

  async function serve(padding = 0, extra: object = {}) {
    const { path } = await writeTinyModel();
    const bytes = Buffer.concat([readFileSync(path), Buffer.alloc(padding)]);
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes, ...extra });
    return { path, bytes };
  }
  const fetched = () => hub().requests.filter((request) => request.startsWith('GET'));

  test('is fetched without the rest', async () => {
    const { path, bytes } = await serve(3 << 20);
    const remote = await inspectModel(MODEL);
    const local = await inspectModel(path);
    expect(fetched()).toEqual(['GET /o/r/resolve/main/m.gguf bytes=0-1048575']);
    expect(remote).toMatchObject({
      fileBytes: bytes.length,
      tensors: local.tensors,
      metadata: local.metadata,
      types: local.types,
      shape: local.shape,
    });
    expect((await inspectModel(`${hub().url}/o/r/resolve/main/m.gguf`)).tensors).toEqual(
      local.tensors,
    );
  });

  test('is fetched in larger pieces until it is whole', async () => {
    const data = new Uint8Array(32);
    const long = Buffer.from(
      ggufHeader(
        {
          'general.name': { string: 'x'.repeat(900_000) },
          'general.description': { string: 'y'.repeat(900_000) },
        },
        [{ name: 'only', shape: [8], type: 0, data }],
      ),
    );
    const padded = Buffer.concat([long, Buffer.alloc((32 - (long.length % 32)) % 32), data]);
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: padded });
    const { tensors } = await inspectModel(MODEL);
    expect(tensors).toEqual([{ name: 'only', type: 'F32', shape: [8], bytes: 32 }]);
    expect(fetched()).toHaveLength(2);
  });

  test.each([
    ['no GGUF', { bytes: Buffer.alloc(5000, 'x') }, 'file_bad_magic'],
    ['a server that sends no parts', { bytes: Buffer.alloc(5000), whole: true }, 'download_failed'],
    ['nothing', { bytes: Buffer.alloc(0), status: 404 }, 'download_failed'],
  ])('%s is refused', async (_, file, code) => {
    hub().files.set('/o/r/resolve/main/m.gguf', file);
    await expect(inspectModel(MODEL)).rejects.toMatchObject({ code });
  });

  test('a server that gives less, or more, or says impossible sizes, is refused soon', async () => {
    const { bytes } = await serve();
    const put = (body: Buffer, range: string) =>
      hub().files.set('/o/r/resolve/main/m.gguf', {
        bytes: body,
        headers: { 'content-range': `bytes 0-0/${range}` },
      });
    // A header that says it goes on for 2 MiB; behind what there is, a hole.
    const long = Buffer.from(ggufHeader({ 'general.name': { string: 'x'.repeat(2 << 20) } }, []));
    put(long.subarray(0, 60), '1000000000');
    await expect(inspectModel(MODEL)).rejects.toMatchObject({ code: 'file_truncated' });
    expect(fetched()).toHaveLength(1);
    put(bytes, String(Number.MAX_SAFE_INTEGER));
    await expect(inspectModel(MODEL)).rejects.toMatchObject({ code: 'download_failed' });
  });

  test('with a number for each of very many layers is shown', async () => {
    const count = 300_000; // more than a call can have arguments
    const layers = { i32s: new Array<number>(count).fill(3) };
    const metadata = {
      'general.architecture': { string: 'llama' },
      'llama.block_count': layers,
      'llama.embedding_length': { u32: 8 },
      'llama.attention.head_count': { u32: 2 },
    };
    const bytes = Buffer.concat([ggufHeader(metadata, []), Buffer.alloc(32)]);
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes });
    expect((await inspectModel(MODEL)).shape).toMatchObject({ layers: 3, width: 8 });
  });

  test('one that is cut off is refused', async () => {
    const { bytes } = await serve();
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: bytes.subarray(0, 2000) });
    await expect(inspectModel(MODEL)).rejects.toMatchObject({
      code: expect.stringMatching(/^file_/) as string,
    });
  });
});
