/** node-llama-cpp as a driver, through its public API. */
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { randomTokens } from '#lib/bench/workload.js';

import { serve } from './protocol.js';

/** The part of its API that is used here. */
interface Sequence {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>;
  saveStateToFile(path: string): Promise<unknown>;
  loadStateFromFile(path: string, options: { acceptRisk: true }): Promise<void>;
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

const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir(); // a file that is no disk's, where there is one

serve(({ model: modelPath, threads, context: contextSize, sequences = 1, modules }) => {
  let all: Sequence[];
  let vocabulary: number;
  let seed = 0;
  return {
    load: async () => {
      const entry = join(modules!, 'node-llama-cpp', 'dist', 'index.js');
      const library = (await import(pathToFileURL(entry).href)) as Library;
      const llama = await library.getLlama({ gpu: false, build: 'never', maxThreads: threads });
      const start = performance.now();
      const model = await llama.loadModel({ modelPath });
      const context = await model.createContext({ contextSize, sequences, threads });
      all = Array.from({ length: sequences }, () => context.getSequence());
      const ms = performance.now() - start;
      vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
      return ms;
    },
    generate: async (tokens, i = 0) => {
      const sequence = all[i]!;
      await sequence.clearHistory();
      const ids = randomTokens(tokens, vocabulary, seed++);
      return sequence.evaluate(ids, { temperature: 0, yieldEogToken: true });
    },
    close: () => Promise.resolve(), // its process ends
    // Its sequences share nothing; the state of one, saved to a file, can be loaded into the others.
    shared: async ({ prefix, sequences: n, own, generated }) => {
      const used = all.slice(0, n);
      for (const sequence of used) await sequence.clearHistory();
      const [first, ...others] = used;
      await first!.evaluateWithoutGeneratingNewTokens(randomTokens(prefix, vocabulary, seed++));
      const path = join(MEMORY, `cachalot-bench-${process.pid}.state`);
      if (others.length > 0) await first!.saveStateToFile(path);
      for (const sequence of others) await sequence.loadStateFromFile(path, { acceptRisk: true });
      rmSync(path, { force: true });
      await Promise.all(
        used.map(async (sequence, i) => {
          const options = { temperature: 0, yieldEogToken: true };
          let left = generated;
          for await (const token of sequence.evaluate(
            randomTokens(own, vocabulary, 1000 + i),
            options,
          ))
            if (token < 0 || --left === 0) break;
        }),
      );
    },
  };
});
