/** Real models against Hugging Face transformers in float32 (see the README of the golden files). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { golden, sharedModels } from '../real-models.js';
import { paths } from '../testing.js';

interface Case {
  ids: number[];
  greedy: number[];
  text: string;
}

/** A two-dimensional float32 array as numpy saves it. */
function readNpy(file: string): { columns: number; data: Float32Array } {
  const bytes = readFileSync(file);
  const headerLength = bytes.readUInt16LE(8);
  const columns = Number(
    /\((\d+), (\d+)\)/.exec(bytes.toString('latin1', 10, 10 + headerLength))![2],
  );
  return {
    columns,
    data: new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + 10 + headerLength, bytes.byteOffset + bytes.length),
    ),
  };
}

function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

// Weights: stories15M's are float32; MiniMind's were rounded to f16, which moves logits by up to 2^-11 of their sums. KV in bf16
// rounds keys, queries and probabilities to 8 bits.
const LIMITS = { stories15M: { f32: 1e-5, bf16: 0.03 }, minimind: { f32: 0.005, bf16: 0.03 } };

describe.each(['stories15M', 'minimind'] as const)('%s', (name) => {
  const model = sharedModels[name];
  const available = model !== undefined && existsSync(join(golden, `${name}.json`));
  const cases = available
    ? (JSON.parse(readFileSync(join(golden, `${name}.json`), 'utf8')) as { cases: Case[] }).cases
    : [];
  const run = available ? test : test.skip;

  run.each(paths.flatMap((path) => (['f32', 'bf16'] as const).map((kv) => [path, kv] as const)))(
    'on %s with %s keys and values: the same argmax everywhere, the same greedy ids, logits within the limit',
    async (instructions, format) => {
      await using engine = await Engine.load(model!, {
        instructions: instructions as 'auto',
        kv: { format },
      });
      for (const [index, { ids, greedy }] of cases.entries()) {
        const { columns, data } = readNpy(join(golden, `${name}-${index}.npy`));
        const logits = await engine.logits(ids, { rows: ids.map((_, i) => i) });
        const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        let error = 0;
        logits.forEach((row, position) => {
          const expected = data.subarray(position * columns, (position + 1) * columns);
          expect(argmax(row)).toBe(argmax(expected));
          row.forEach((value, i) => (error = Math.max(error, Math.abs(value - expected[i]!))));
        });
        expect(error / largest).toBeLessThan(LIMITS[name][format]);
        expect(
          (await engine.completeTokens(ids, { maxTokens: greedy.length }).result).tokens,
        ).toEqual(greedy);
      }
    },
  );
});
