// Greedy continuations of node-llama-cpp (an independent engine) with the probabilities of its two likeliest tokens at every
// position: what test/model/peer.test.ts compares with. Writes JSON to stdout.
//
//   node benchmarks/peer/peer-greedy.mjs --lib DIR/node_modules --model FILE --tokens 32 > test/golden/tinyllama-peer.json
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    lib: { type: 'string' },
    model: { type: 'string' },
    tokens: { type: 'string', default: '32' },
  },
});
const PROMPTS = [
  'What is the capital of France?',
  'Write a short poem about the sea.',
  'Explain how a bicycle stays upright.',
  'List three prime numbers greater than ten.',
  'Translate to German: The cat sleeps on the chair.',
  'Why is the sky blue?',
  'Give me a recipe for pancakes.',
  'Who wrote Romeo and Juliet?',
  'What is the difference between TCP and UDP?',
  'Tell me a joke about programmers.',
];

const { Engine } = createRequire(import.meta.url)('../../dist/index.js');
const engine = await Engine.load(resolve(flags.model));
const prompts = PROMPTS.map((text) =>
  engine.tokenize(`<|user|>\n${text}</s>\n<|assistant|>\n`, { special: true, bos: true }),
);
await engine.dispose();

const entry = join(resolve(flags.lib), 'node-llama-cpp', 'dist', 'index.js');
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 2 });
const model = await llama.loadModel({ modelPath: resolve(flags.model) });
const context = await model.createContext({ contextSize: 512, sequences: 1, threads: 2 });
const sequence = context.getSequence();
const next = { generateNext: { token: true, probabilities: true, options: { temperature: 0 } } };

const cases = [];
for (const prompt of prompts) {
  await sequence.clearHistory();
  const tokens = [];
  const top = [];
  let input = prompt;
  while (tokens.length < Number(flags.tokens)) {
    const output = await sequence.controlledEvaluate([...input.slice(0, -1), [input.at(-1), next]]);
    const { token, probabilities } = output.at(-1).next;
    const [first, second] = [...probabilities.values()].sort((a, b) => b - a);
    tokens.push(token);
    top.push([Number(Math.log(first).toFixed(5)), Number(Math.log(second).toFixed(5))]);
    input = [token];
  }
  cases.push({ prompt, tokens, top });
}
const { version } = createRequire(import.meta.url)(
  join(resolve(flags.lib), 'node-llama-cpp', 'package.json'),
);
console.log(JSON.stringify({ engine: `node-llama-cpp ${version}`, cases }));
process.exit(0);
