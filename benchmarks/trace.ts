/**
 * npm run bench:trace: a recorded trace (Mooncake's conversations, FAST '25) as one offline batch. First in a simulation of the
 * scheduler at its real lengths, with a cost model in place of a model; then really, with all lengths divided by 100.
 */
import { join } from 'node:path';

import { integer } from '#lib/cli/flag-values.js';
import { readRequests, traceOf } from '#lib/estimate/trace-file.js';
import { Command } from 'commander';

import { printAndKeep, runMain } from './harness/main.js';
import { measureAll } from './harness/scenario.js';
import { MODES } from './trace/modes.js';
import { RealScenario } from './trace/real.js';
import { describe } from './trace/report.js';
import { simulatedScenario } from './trace/simulated.js';

interface Flags {
  requests: number;
  real: number;
  kv: number[];
  kvBytes: number;
}

async function main(path: string, flags: Flags): Promise<void> {
  const requests = await readRequests(path, flags.requests);
  const trace = traceOf(requests);
  const simulated = flags.kv.flatMap((kvTokens) =>
    MODES.map((mode) => simulatedScenario(trace, mode, kvTokens)),
  );
  const first = requests.slice(0, flags.real);
  const modes = flags.real > 0 ? MODES : [];
  const real = modes.map((mode) => new RealScenario(first, mode, flags.kvBytes));
  const report = describe({
    rows: await measureAll(simulated),
    real: await measureAll(real),
    requests: requests.length,
    realRequests: flags.real,
  });
  printAndKeep('trace', report);
}

runMain(
  new Command('bench:trace')
    .description("Mooncake's conversation trace as one batch, simulated and really")
    .argument(
      '[trace]',
      'mooncake-conversation.jsonl',
      join('..', 'shared', 'data', 'mooncake-conversation.jsonl'),
    )
    .option('--requests <n>', 'of the trace, for the simulation', integer(1), 1e9)
    .option('--real <n>', 'of the trace, really; 0: none', integer(0), 2000)
    .option(
      '--kv <tokens>',
      'memory for keys and values in the simulation: numbers with commas between',
      (text) => text.split(',').map(integer(1)),
      [300_000, 1_000_000, 10_000_000],
    )
    .option('--kv-bytes <n>', 'memory for keys and values, really', integer(1), 100e6)
    .action(main),
);
