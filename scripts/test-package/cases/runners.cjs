// Test runners: a user's test file, in every kind of realm that they make.
const { join } = require('node:path');

const {
  check,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  run,
  skip,
  versionOf,
  withNode,
} = require('../workplace.cjs');

const TEST = `
test('answers, and its errors and arrays are of this realm', async () => {
  const engine = await Engine.load(process.env.CACHALOT_MODEL, { layoutCache: false });
  const session = engine.createSession();
  const { text } = await session.chat('a b c', { maxTokens: 8 }).result;
  expect(session.messages.map(({ content }) => content)).toEqual(['a b c', text]);
  const [row] = await engine.logits('a b c');
  expect(row).toBeInstanceOf(Float32Array);
  const batch = engine.createBatch(['a', 'b'], { maxTokens: 2 });
  expect(await batch.results()).toHaveLength(2);
  const controller = new AbortController();
  const running = engine.complete('a', { maxTokens: 100, signal: controller.signal });
  controller.abort();
  const error = await running.result.catch((thrown) => thrown);
  expect(error).toBeInstanceOf(CachalotError);
  expect(error).toBeInstanceOf(Error);
  expect(error.code).toBe('aborted');
  await expect(Engine.load('/no/such.gguf')).rejects.toMatchObject({ code: 'model_not_found' });
  await engine.dispose();
});`;

const JEST = `const { CachalotError, Engine } = require('cachalot');\n${TEST}`;
const VITEST = `import { expect, test } from 'vitest';\nimport { CachalotError, Engine } from 'cachalot';\n${TEST}`;

module.exports = [
  {
    name: 'jest',
    about: "a user's test file under Jest, in its environments node and jsdom",
    run({ tarball, model }) {
      const folder = folderWith('jest', { 'use.test.js': JEST });
      if (!installed(folder, tarball, ['jest', 'jest-environment-jsdom'])) return;
      for (const environment of ['node', 'jsdom']) {
        const args = [join(folder, 'node_modules/jest/bin/jest.js'), '--env', environment];
        const env = { ...process.env, CACHALOT_MODEL: model };
        const result = run(process.execPath, args, { cwd: folder, env });
        check(`${versionOf(folder, 'jest')}, ${environment}`, problemOf(result));
      }
    },
  },
  {
    name: 'vitest',
    about: "a user's test file under Vitest: threads, forks, vmThreads, vmForks; node and jsdom",
    run({ tarball, model }) {
      const node = nodeOf(24);
      if (!node) return skip('vitest', 'it needs Node 22 or later');
      const folder = folderWith('vitest', { 'use.test.mjs': VITEST });
      if (!installed(folder, tarball, ['vitest', 'jsdom'])) return;
      const version = versionOf(folder, 'vitest');
      for (const pool of ['threads', 'forks', 'vmThreads', 'vmForks'])
        for (const environment of ['node', 'jsdom']) {
          const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
          const args = [vitest, 'run', '--pool', pool, '--environment', environment];
          const env = { ...withNode(node), CACHALOT_MODEL: model };
          const result = run(node, args, { cwd: folder, env });
          check(`${version}, ${pool}, ${environment}`, problemOf(result));
        }
    },
  },
];
