/** What a program holds after it has used engines much, or dropped them. In processes of their own, with the built package. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const template = '{% for m in messages %}{{ m.content }}{% endfor %}';

/** What `body` prints; it knows `Engine`, `model` and `workers()`, how many threads of ours live. */
async function program(model: string, body: string): Promise<unknown> {
  const script = `const threads = require('node:worker_threads');
    const { setTimeout: sleep } = require('node:timers/promises');
    let living = 0;
    threads.Worker = class extends threads.Worker {
      constructor(...given) { super(...given); living++; this.on('exit', () => living--); }
    };
    const workers = () => living;
    const { Engine } = require('./dist/index.js');
    const model = ${JSON.stringify(model)};
    (async () => { ${body} })();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', script], {
    cwd: join(__dirname, '..', '..'),
    timeout: 60_000,
  });
  return JSON.parse(stdout);
}

let model: string;
beforeAll(async () => {
  const context = 16_384;
  const shape = { width: 32, heads: 1, kvHeads: 1, ffn: 32, layers: 1, context };
  ({ path: model } = await writeTinyModel({ template, shape }));
});

test('engines that nobody holds leave no worker behind', async () => {
  const counts = await program(
    model,
    `async function use() {
      const engine = await Engine.load(model, { threads: 1 });
      await engine.createSession().chat('the', { maxTokens: 2, dry: { multiplier: 1 } }).result;
      return engine;
    }
    // In a second worker.
    await (await use()).cache.add('the '.repeat(16_500)).catch(() => 'too long');
    await use();
    const most = workers();
    while (workers() > 0) { gc(); await sleep(20); } // for ever, if one of them stays
    console.log(JSON.stringify([most > 0, workers()]));`,
  );
  expect(counts).toEqual([true, 0]);
});

test('a load that fails or is aborted leaves no worker behind', async () => {
  const counts = await program(
    model,
    `const { writeFileSync } = require('node:fs');
    const small = model + '.json';
    const bpe = { type: 'BPE', vocab: { a: 0 }, merges: [] };
    writeFileSync(small, JSON.stringify({ model: bpe, added_tokens: [], decoder: null, normalizer: null, pre_tokenizer: null, post_processor: null }));
    const codes = [];
    for (const [path, options] of [
      [model, { tokenizer: small }], [model, { tokenizer: model }], [__filename, {}], [model, { signal: AbortSignal.timeout(1) }],
    ]) await Engine.load(path, options).then((engine) => engine.dispose(), ({ code }) => codes.push(code));
    console.log(JSON.stringify([codes.slice(0, 2), workers()]));`,
  );
  expect(counts).toEqual([['tokenizer_invalid', 'tokenizer_invalid'], 0]);
});

test('an engine is kept while a text of its is on the way', async () => {
  const code = await program(
    model,
    `const adding = (await Engine.load(model)).cache.add('the '.repeat(16_500));
    let code;
    void adding.catch((error) => (code = error.code));
    while (code === undefined) { gc(); await sleep(20); }
    console.log(JSON.stringify(code));`,
  );
  expect(code).toBe('context_overflow'); // known once it has become tokens
});

test('a session of hundreds of turns holds each token once', async () => {
  const tokens = await program(
    model,
    `const engine = await Engine.load(model);
    const session = engine.createSession();
    const held = () => { gc(); return process.memoryUsage().arrayBuffers; };
    const turn = () => session.complete('the and the inn '.repeat(6), { maxTokens: 1 }).result;
    await turn();
    const before = held();
    for (let i = 0; i < 300; i++) await turn();
    // Four bytes each, once; all contexts one by one would be 300 / 2 times as much.
    const most = 10 * 4 * session.tokens.length;
    while (held() - before > most) await sleep(20); // for ever, if more is held; memory is swept beside the program
    console.log(JSON.stringify(session.tokens.length));
    await engine.dispose();`,
  );
  expect(tokens).toBeGreaterThan(6000);
});
