/** Cachalot as a driver. */
import { Workload } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';

import { serve } from './protocol.js';

serve(({ model, threads, context }) => {
  let workload: Workload;
  return {
    load: async () => {
      const start = performance.now();
      const engine = await Engine.load(model, { threads, contextLength: context });
      const ms = performance.now() - start;
      workload = new Workload(engine);
      return ms;
    },
    prefill: (tokens) => workload.prefill(tokens),
    decode: (length, tokens) => workload.decode(length, tokens),
  };
});
