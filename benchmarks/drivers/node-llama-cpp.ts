/** node-llama-cpp as a driver, through its public API. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { randomTokens } from '#lib/bench/workload.js';

import { serve } from './protocol.js';

/** The part of its API that is used here. */
interface Sequence {
  clearHistory(): Promise<void>;
  evaluate(
    tokens: number[],
    options: { temperature: number; yieldEogToken: boolean },
  ): AsyncGenerator<number>;
}
interface Context {
  getSequence(): Sequence;
}
interface Model {
  createContext(options: object): Promise<Context>;
  fileInfo: { metadata: { tokenizer: { ggml: { tokens: readonly string[] } } } };
}
interface Library {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }>;
}

serve(({ model: modelPath, threads, context: contextSize, modules }) => {
  let sequence: Sequence;
  let vocabulary: number;
  let seed = 0;
  return {
    load: async () => {
      const entry = join(modules!, 'node-llama-cpp', 'dist', 'index.js');
      const library = (await import(pathToFileURL(entry).href)) as Library;
      const llama = await library.getLlama({ gpu: false, build: 'never', maxThreads: threads });
      const start = performance.now();
      const model = await llama.loadModel({ modelPath });
      const context = await model.createContext({ contextSize, sequences: 1, threads });
      sequence = context.getSequence();
      const ms = performance.now() - start;
      vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
      return ms;
    },
    generate: async (tokens) => {
      await sequence.clearHistory();
      const ids = randomTokens(tokens, vocabulary, seed++);
      return sequence.evaluate(ids, { temperature: 0, yieldEogToken: true });
    },
  };
});
