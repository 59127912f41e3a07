// npm run bench [-- --model M --json]: load, prefill, decode and batched decode of one model on this machine.
const { existsSync, readFileSync, statSync } = require('node:fs');
const os = require('node:os');
const { parseArgs } = require('node:util');

const { Engine, pull } = require('../dist/index.js');

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', short: 'm', default: 'tinyllama-1.1b-chat' },
    threads: { type: 'string', short: 't' },
    instructions: { type: 'string', default: 'auto' },
    runs: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (flags.help) {
  console.log(`Usage: npm run bench -- [options]

  -m, --model M    file, alias or source (default: tinyllama-1.1b-chat)
  -t, --threads N  CPU threads (default: one per core)
      --instructions P  avx512, avxvnni, avx2 or portable (default: the best there is)
      --runs N     runs of each measurement; the median counts (default: 5)
      --json       print one JSON object

Examples:
  npm run bench
  npm run bench -- --model stories-15m --json`);
  process.exit(0);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const spread = (values) => `${Math.min(...values).toFixed(1)}-${Math.max(...values).toFixed(1)}`;

/** A warm-up, then the median of some runs. */
async function measure(name, runs, run) {
  const values = [];
  await run(); // warm-up
  for (let i = 0; i < runs; i++) values.push(await run());
  return {
    name,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    text: spread(values),
  };
}

const randomTokens = (n, vocabulary, seed) =>
  Array.from({ length: n }, (_, i) => 3 + ((i * 7919 + seed * 104729) % (vocabulary - 3)));

async function main() {
  const path = existsSync(flags.model) ? flags.model : (await pull(flags.model)).path;
  const { instructions } = flags;
  const options = { instructions, ...(flags.threads ? { threads: Number(flags.threads) } : {}) };
  const started = performance.now();
  const engine = await Engine.load(path, options);
  const loadMs = performance.now() - started;
  const { vocabulary, contextLength, device, kvFormat } = engine.description;
  const runs = Number(flags.runs);
  let seed = 0;
  const rows = [];

  const prefill = async (n) => {
    engine.clearCache();
    const { timings } = await engine.completeTokens(randomTokens(n, vocabulary, seed++), {
      maxTokens: 1,
    }).result;
    return (1000 * n) / timings.prefillMs;
  };
  const decode = async (context, n) => {
    const { timings, tokens } = await engine.completeTokens(
      randomTokens(context, vocabulary, seed++),
      { maxTokens: n, ignoreEos: true },
    ).result;
    return (1000 * (tokens.length - 1)) / timings.decodeMs;
  };
  const batch = async (count, n) => {
    engine.clearCache();
    const all = Array.from(
      { length: count },
      () =>
        engine.completeTokens(randomTokens(2, vocabulary, seed++), {
          maxTokens: n,
          ignoreEos: true,
        }).result,
    );
    const results = await Promise.all(all);
    const steps = Math.max(...results.map(({ timings }) => timings.decodeMs));
    return (1000 * results.reduce((sum, { tokens }) => sum + tokens.length - 1, 0)) / steps;
  };

  for (const n of [128, 512])
    if (n < contextLength)
      rows.push(await measure(`prefill ${n}, tokens/s`, runs, () => prefill(n)));
  if (contextLength > 200)
    rows.push(await measure('decode at 128, tokens/s', runs, () => decode(128, 48)));
  rows.push(await measure('decode, 16 sequences, tokens/s', runs, () => batch(16, 32)));
  await engine.dispose();

  const result = {
    model: flags.model,
    fileBytes: statSync(path).size,
    device,
    kvFormat,
    cpu: os.cpus()[0].model,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    loadMs,
    peakRssBytes: peakRss(),
    rows: rows.map(({ name, median: value, min, max }) => ({ name, median: value, min, max })),
  };
  if (flags.json) return console.log(JSON.stringify(result));
  console.log(
    `${flags.model} (${(result.fileBytes / 1e6).toFixed(0)} MB), ${device}, KV ${kvFormat}; ${result.cpu}, Node ${result.node}`,
  );
  console.log(
    `load ${loadMs.toFixed(0)} ms, peak RSS ${(result.peakRssBytes / 1e6).toFixed(0)} MB; medians of ${runs} (range)`,
  );
  for (const { name, median: value, text } of rows)
    console.log(`${name.padEnd(34)}${value.toFixed(1).padStart(9)}   (${text})`);
}

function peakRss() {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return line ? Number(line[1]) * 1024 : process.memoryUsage.rss();
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
