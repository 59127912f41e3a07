/** Small models that lie in the repository, and what they must give: `npm run make:goldens` made both, in float64. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { emulatedLibrary, paths } from '../testing.js';

interface Case {
  ids: number[];
  greedy: number[];
  /** After the last id. */
  logits: number[];
}

const folder = join(__dirname, '..', 'golden');
/** Share of the largest logit: f32 rounds sums, bf16 keys, values and (on a GPU) products as well. */
const LIMITS = { f32: 2e-5, bf16: 0.03 };

const engines = [
  ...paths.flatMap((path) => (['f32', 'bf16'] as const).map((format) => [path, format] as const)),
  ...(emulatedLibrary === undefined ? [] : [['emulated cuda', 'bf16'] as const]),
];

function load(model: string, path: string, format: 'f32' | 'bf16'): Promise<Engine> {
  return path === 'emulated cuda'
    ? Engine.loadWith(model, { device: 'cuda' }, { cudaLibrary: emulatedLibrary! })
    : Engine.load(model, { instructions: path as 'auto', kv: { format } });
}

describe.each(['tiny-llama', 'tiny-mistral', 'tiny-qwen3'])('%s', (name) => {
  const { cases } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as {
    cases: Case[];
  };

  test.each(engines)(
    'on %s with %s keys and values: the same greedy ids, logits within the limit',
    async (path, format) => {
      await using engine = await load(join(folder, `${name}.gguf`), path, format);
      for (const { ids, greedy, logits } of cases) {
        const [row] = await engine.logits(ids);
        const largest = Math.max(...logits.map(Math.abs));
        const error = Math.max(...logits.map((value, i) => Math.abs(value - row![i]!)));
        expect(row).toHaveLength(logits.length);
        expect(error / largest).toBeLessThan(LIMITS[format]);
        const options = { maxTokens: greedy.length, ignoreEos: true };
        expect((await engine.completeTokens(ids, options).result).tokens).toEqual(greedy);
      }
    },
  );
});
