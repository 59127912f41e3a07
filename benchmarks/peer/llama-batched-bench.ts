/** llama.cpp's own batched benchmark, where a user has built it: what the library's engine could do without the library. */
import { spawnSync } from 'node:child_process';

import { SHORT } from '../drivers/protocol.js';

const GENERATED = 32;

/** Generated tokens per second by the number of sequences, short prompts included. */
export function batchedRates(
  program: string,
  model: string,
  sequences: readonly number[],
  threads: number,
): Map<number, number> {
  const most = Math.max(...sequences);
  const args = [
    ['-m', model],
    ['-npp', String(SHORT)],
    ['-ntg', String(GENERATED)],
    ['-npl', sequences.join(',')],
    ['-c', String(2 * most * (SHORT + GENERATED))],
    ['-t', String(threads)],
    ['-tb', String(threads)],
  ].flat();
  const { stdout, status } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed`);
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  // | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |
  return new Map(
    rows
      .filter((cells) => cells.length === 12 && /^\d+$/.test(cells[3]!))
      .map((cells) => {
        const [sequences, seconds] = [Number(cells[3]), Number(cells[9])];
        return [sequences, (sequences * GENERATED) / seconds];
      }),
  );
}
