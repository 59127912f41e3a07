/**
 * Runs a tiny model on one instruction path, or on a GPU, in a process of its own, so that a binary that crashes ends only this process.
 * Prints the logits of a few tokens as JSON.
 *   node self-test.js MODEL INSTRUCTIONS|cuda [CUDA LIBRARY]
 */
import { Engine } from '../engine.js';
import type { LoadOptions } from '../options/load-options.js';

async function main(path: string, where: string, cudaLibrary = ''): Promise<void> {
  const options =
    where === 'cuda'
      ? { device: 'cuda' }
      : { device: 'cpu', instructions: where, threads: 2, kv: { format: 'f32' } };
  const engine = await Engine.loadWith(path, options as LoadOptions, { cudaLibrary });
  const [logits] = await engine.logits([1, 5, 9, 20]);
  await engine.dispose();
  process.stdout.write(JSON.stringify(Array.from(logits!)));
}

void main(process.argv[2]!, process.argv[3]!, process.argv[4]);
