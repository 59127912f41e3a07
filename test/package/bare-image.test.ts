/**
 * The built package as it runs in an image that holds `node` and nothing else: no npm, no cmake, no PATH to find any program on,
 * and a user without a home.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { serveRegistry } from '../fixtures/stub-npm.js';
import { startStubServer } from '../fixtures/stub-server.js';
import type { StubServer } from '../fixtures/stub-server.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');
const MODEL = 'npm:a-model@1.0.0/model.gguf';

interface Outcome {
  failed: boolean;
  stdout: string;
  stderr: string;
}

/** With this environment and no other variable. */
function bareNode(args: string[], environment: Record<string, string>): Promise<Outcome> {
  const env = { PATH: '', HOME: '', ...environment };
  return new Promise((resolve) =>
    execFile(process.execPath, args, { env, cwd: '/' }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, stdout, stderr }),
    ).stdin?.end(),
  );
}

const script = `
  const { Engine } = require(${JSON.stringify(join(root, 'dist/index.js'))});
  Engine.load(${JSON.stringify(MODEL)}).then(async (engine) => {
    const session = engine.createSession();
    let text = '';
    for await (const piece of session.chat('the inn', { maxTokens: 4, ignoreEos: true })) text += piece;
    const { usage } = await engine.complete('the', { maxTokens: 4, ignoreEos: true }).result;
    await engine.dispose();
    console.log(JSON.stringify({ chat: typeof text, tokens: usage.completionTokens }));
  });`;

describe('node alone', () => {
  const environment = { ...process.env };
  let registry: StubServer;
  let model: string;
  let bare: { CACHALOT_CACHE: string; npm_config_registry: string };
  beforeAll(async () => {
    const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
    ({ path: model } = await writeTinyModel({ template }));
    registry = await startStubServer();
    await serveRegistry(registry, { 'a-model': { 'model.gguf': readFileSync(model) } });
    process.env = environment;
    bare = {
      CACHALOT_CACHE: temporaryPath('cache'),
      npm_config_registry: `${registry.url}/registry`,
    };
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  test('fetches a model from the registry, loads it and generates; later it needs no network', async () => {
    const first = await bareNode(['-e', script], bare);
    expect(first).toMatchObject({ failed: false, stdout: '{"chat":"string","tokens":4}\n' });
    const asked = registry.requests.length;
    const again = await bareNode(['-e', script], { CACHALOT_CACHE: bare.CACHALOT_CACHE });
    expect(again).toEqual({ ...first, stderr: again.stderr });
    expect(registry.requests.length).toBe(asked);
    expect(existsSync(join(bare.CACHALOT_CACHE, 'models/npm'))).toBe(true);
  });

  test('runs the command line', async () => {
    const cli = join(root, 'dist/cli/main.js');
    const args = [cli, 'run', '-m', MODEL, '--max-tokens', '4', 'the inn'];
    expect(await bareNode(args, bare)).toMatchObject({ failed: false });
  });

  test('loads a file without a cache folder', async () => {
    const file = script.replace(JSON.stringify(MODEL), JSON.stringify(model));
    expect(await bareNode(['-e', file], {})).toMatchObject({
      failed: false,
      stdout: '{"chat":"string","tokens":4}\n',
      stderr: '',
    });
  });

  test('says what to set where something is missing', async () => {
    const { npm_config_registry, CACHALOT_CACHE } = bare;
    const noFolder = await bareNode(['-e', script], { npm_config_registry });
    expect(noFolder.stderr).toMatch(/no home folder.*`cacheDir` or CACHALOT_CACHE/);
    const other = script.replace('a-model', 'another');
    const noRegistry = await bareNode(['-e', other], { CACHALOT_CACHE });
    expect(noRegistry.stderr).toMatch(/no npm on the PATH.*set npm_config_registry/);
  });
});
