// What guesses save in node-llama-cpp and here, in one run: copies and edits, plain, with lookup, and with a draft model.
//
//   npm run -s build:benchmarks
//   node benchmarks/peer/peer-draft.mjs --lib DIR/node_modules --model FILE --draft FILE --tokens 96
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    lib: { type: 'string' },
    model: { type: 'string' },
    draft: { type: 'string' },
    tokens: { type: 'string', default: '96' },
  },
});
const require = createRequire(import.meta.url);
const { Engine } = require('../../dist/index.js');
const { copies, edits } = require('../../build/benchmarks/benchmarks/draft/workloads.js');
const limit = Number(flags.tokens);
const asked = [copies(), edits()].flatMap(({ name, asked: texts }) =>
  texts.map((text) => ({ name, text })),
);

/** Tokens a second after the first one. */
const rateOf = (n, ms) => (1000 * (n - 1)) / ms;

async function ours() {
  const engine = await Engine.load(resolve(flags.model), {
    kv: { bytes: 2 ** 30 },
    ...(flags.draft && { draft: { model: resolve(flags.draft) } }),
  });
  const ways = {
    plain: false,
    lookup: { recycle: false, model: false },
    ...(flags.draft && { 'draft model': { lookup: false, recycle: false } }),
    auto: 'auto',
  };
  const rates = {};
  for (const [way, draft] of Object.entries(ways))
    rates[way] = await eachOf(async ({ text }, i) => {
      const options = { maxTokens: limit, draft, namespace: `${way}${i}` };
      const { tokens, timings } = await engine.complete(text, options).result;
      return rateOf(tokens.length, timings.decodeMs);
    });
  const prompts = asked.map(({ text }) => engine.tokenize(text, { bos: true }));
  await engine.dispose();
  return { rates, prompts };
}

async function theirs(prompts) {
  const entry = join(resolve(flags.lib), 'node-llama-cpp', 'dist', 'index.js');
  const peer = await import(pathToFileURL(entry).href);
  const llama = await peer.getLlama({ gpu: false, build: 'never', maxThreads: 2 });
  const model = await llama.loadModel({ modelPath: resolve(flags.model) });
  const ways = { plain: () => undefined, lookup: () => new peer.InputLookupTokenPredictor() };
  if (flags.draft) {
    const small = await llama.loadModel({ modelPath: resolve(flags.draft) });
    const context = await small.createContext({ contextSize: 2048, threads: 2 });
    ways['draft model'] = () => new peer.DraftSequenceTokenPredictor(context.getSequence());
  }
  const rates = {};
  for (const [way, predictor] of Object.entries(ways)) {
    const context = await model.createContext({ contextSize: 2048, sequences: 1, threads: 2 });
    const tokenPredictor = predictor();
    const sequence = context.getSequence({ ...(tokenPredictor && { tokenPredictor }) });
    rates[way] = await eachOf(async (_, i) => {
      await sequence.clearHistory();
      const prompt = Array.from(prompts[i]);
      if (tokenPredictor?.updateInputTokens) tokenPredictor.updateInputTokens(prompt);
      let n = 0;
      let begun = 0;
      const answer = sequence.evaluate(prompt, { temperature: 0 });
      while (n < limit && !(await answer.next()).done) if (++n === 1) begun = performance.now();
      await answer.return?.();
      return rateOf(n, performance.now() - begun);
    });
    await context.dispose();
  }
  return rates;
}

/** By workload: the mean rate. */
async function eachOf(run) {
  const rates = {};
  for (const [i, one] of asked.entries()) (rates[one.name] ??= []).push(await run(one, i));
  return Object.fromEntries(
    Object.entries(rates).map(([name, all]) => [name, all.reduce((a, b) => a + b) / all.length]),
  );
}

const { rates, prompts } = await ours();
for (const [who, ways] of Object.entries({
  cachalot: rates,
  'node-llama-cpp': await theirs(prompts),
}))
  for (const [way, by] of Object.entries(ways))
    for (const [name, rate] of Object.entries(by))
      console.log(
        `${who} ${way} ${name}: ${rate.toFixed(1)} tokens/s, ${(rate / ways.plain[name]).toFixed(2)} x plain`,
      );
process.exit(0);
