import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

test.each([
  ['f32', 4, {}],
  ['bf16', 2, {}],
  ['f32', 4, { kvHeads: 1, layers: 3 }],
  ['bf16', 2, { heads: 2, kvHeads: 1, headDim: 48 }],
] as const)(
  'keys and values of a token take what its shape says, within 5 %%: %s, %d bytes, %j',
  async (format, bytes, shape) => {
    const model = await writeTinyModel({ shape: { context: 4096, ...shape } });
    await using engine = await Engine.load(model.path, { kv: { format } });
    const tokens = Array.from({ length: 4000 }, (_, i) => 3 + ((i * 7) % 300));
    await engine.cache.add(tokens);
    const { layers, kvHeads } = model.shape;
    const perToken = 2 * layers * kvHeads * model.headDim * bytes;
    const { kvBytesInUse } = engine.stats();
    expect(kvBytesInUse / tokens.length / perToken).toBeGreaterThanOrEqual(1);
    expect(kvBytesInUse / tokens.length / perToken).toBeLessThan(1.05);
  },
);
