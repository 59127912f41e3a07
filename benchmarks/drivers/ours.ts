/** Cachalot as a driver. */
import { randomTokens } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';

import { serve } from './protocol.js';

serve(({ model, threads, context, keeps = true }) => {
  let engine: Engine;
  let seed = 0;
  return {
    load: async () => {
      const start = performance.now();
      engine = await Engine.load(model, {
        threads,
        contextLength: context,
        layoutCache: keeps,
        draft: false, // what is compared is steps
      });
      return performance.now() - start;
    },
    generate: async (tokens, sequence = 0) => {
      if (sequence === 0) engine.clearCache();
      const ids = randomTokens(tokens, engine.description.vocabulary, seed++);
      return engine.completeTokens(ids, { ignoreEos: true }).tokens();
    },
    close: () => engine.dispose(),
    shared: async ({ prefix, sequences, own, generated }) => {
      engine.clearCache();
      const { vocabulary } = engine.description;
      const ids = randomTokens(prefix, vocabulary, seed++);
      const prompts = Array.from({ length: sequences }, (_, i) => ({
        tokens: [...ids, ...randomTokens(own, vocabulary, 1000 + i)],
      }));
      const batch = engine.createBatch(prompts, { maxTokens: generated, ignoreEos: true });
      for (const { error } of await batch.results()) if (error) throw error;
    },
  };
});
