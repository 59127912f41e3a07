/** What a step sends to the device: docs/decisions/0021. */
import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { emulatedLibrary as library, testing } from '../testing.js';

const textOf = (n: number) => Array.from({ length: n }, (_, i) => 3 + ((i * 7) % 300));

/** The fewest bytes of one decoding step after `n` tokens of context: of one in the middle of a slab. */
async function uploadOf(n: number): Promise<number> {
  const { path } = await writeTinyModel({
    shape: { layers: 1, width: 32, ffn: 32, heads: 2, kvHeads: 1, context: 2048 },
  });
  await using engine = await Engine.loadWith(
    path,
    { device: 'cuda', sharedReads: 'always' },
    { cudaLibrary: library! },
  );
  const totals: number[] = [];
  const generation = engine.completeTokens(textOf(n), { maxTokens: 12, ignoreEos: true });
  const ids: number[] = [];
  for await (const { id } of generation.tokens()) {
    ids.push(id);
    totals.push(testing.emulatorCounts(library!).uploadedBytes);
  }
  expect(ids).toHaveLength(12);
  const differences = totals.slice(1).map((total, i) => total - totals[i]!);
  return Math.min(...differences.filter((bytes) => bytes > 0));
}

(library === undefined ? test.skip : test)(
  'a decoding step sends no lists of slabs: what it sends does not grow with the context inside a span',
  async () => {
    expect(await uploadOf(200)).toBe(await uploadOf(40));
  },
);
