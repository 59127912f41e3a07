/** The addon in the ways a program lives and ends. Runs the built package in processes of their own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');

async function node(script: string, ...flags: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', script], {
    cwd: root,
  });
  return stdout.trim();
}

describe('a process', () => {
  let model: string;
  beforeAll(
    async () => void ({ path: model } = await writeTinyModel({ shape: { context: 2048 } })),
  );

  test('require and import give the same classes', async () => {
    expect(
      await node(
        "import('./dist/index.mjs').then((m) => console.log(m.Engine === require('./dist/index.js').Engine))",
      ),
    ).toBe('true');
  });

  test('ends by itself with an idle engine that was never disposed', async () => {
    const script = `const { Engine } = require('./dist/index.js');
      (async () => { const e = await Engine.load('${model}'); console.log((await e.complete('a', { maxTokens: 3 }).result).tokens.length); })()`;
    expect(await node(script)).toBe('3');
  });

  test('does not end while it generates', async () => {
    const script = `const { Engine } = require('./dist/index.js');
      Engine.load('${model}').then((e) => e.complete('a', { maxTokens: 500 }).result.then((r) => console.log(r.tokens.length)))`;
    expect(await node(script)).toBe('500');
  });

  test('may exit in the middle of a generation', async () => {
    const script = `const { Engine } = require('./dist/index.js');
      (async () => { const e = await Engine.load('${model}'); for await (const t of e.complete('a', { maxTokens: 1900 }).tokens()) { console.log('x'); process.exit(0); } })()`;
    expect(await node(script)).toBe('x');
  });

  test('runs engines in worker threads, ended in the middle of their work', async () => {
    const script = `const { Worker, isMainThread, parentPort } = require('node:worker_threads');
      const code = \`const { Engine } = require('./dist/index.js'); const { parentPort } = require('node:worker_threads');
        Engine.load('${model}').then(async (e) => { for await (const t of e.complete('a', { maxTokens: 1900 }).tokens()) parentPort.postMessage(t.id); });\`;
      (async () => { let ended = 0; for (let round = 0; round < 3; round++) await Promise.all([1, 2].map(async () => {
        const worker = new Worker(code, { eval: true }); await new Promise((r) => worker.once('message', r)); await worker.terminate(); ended++; }));
        console.log(ended); })()`;
    expect(await node(script)).toBe('6');
  });

  test.each(['load', 'dispose', 'many generations'])(
    'survives workers that are ended in the middle of: %s',
    async (phase) => {
      const work = {
        load: 'parentPort.postMessage(1); for (;;) await (await Engine.load(model)).dispose();',
        dispose:
          "const e = await Engine.load(model); void e.complete('a', { maxTokens: 1900 }); parentPort.postMessage(1); await e.dispose();",
        'many generations':
          'const e = await Engine.load(model); for (let i = 0; i < 8; i++) void e.completeTokens([5 + i], { maxTokens: 1900 }).result; setTimeout(() => parentPort.postMessage(1), 5);',
      }[phase]!;
      const script = `const { Worker } = require('node:worker_threads');
      const code = ${JSON.stringify(`const { Engine } = require('./dist/index.js'); const { parentPort } = require('node:worker_threads'); const model = ${JSON.stringify(model)}; (async () => { ${work} })();`)};
      (async () => { let ended = 0; for (let round = 0; round < 8; round++) {
        const worker = new Worker(code, { eval: true }); await new Promise((r) => worker.once('message', r));
        await new Promise((r) => setTimeout(r, round)); await worker.terminate(); ended++; }
        console.log(ended); })()`;
      expect(await node(script)).toBe('8');
    },
  );

  test('an engine that nobody holds any more is ended', async () => {
    const script = `const { Engine } = require('./dist/index.js');
      const threads = () => Number(/Threads:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8'))[1]);
      (async () => { const before = threads(); for (let i = 0; i < 5; i++) await Engine.load('${model}', { threads: 2 });
        while (threads() > before + 4) { gc(); await new Promise((r) => setTimeout(r, 25)); }
        console.log(threads() <= before + 4); })()`;
    expect(await node(script, '--expose-gc')).toBe('true');
  });

  test('loading, generating and disposing 45 times does not grow', async () => {
    const script = `const { Engine } = require('./dist/index.js');
      (async () => { let first = 0; for (let i = 0; i < 45; i++) {
        const e = await Engine.load('${model}'); await e.complete('a', { maxTokens: 3 }).result; await e.dispose();
        if (i === 15) { gc(); first = process.memoryUsage.rss(); } }
        gc(); console.log(Math.round((process.memoryUsage.rss() - first) / 2 ** 20)); })()`;
    expect(Number(await node(script, '--expose-gc'))).toBeLessThan(30);
  });
});
