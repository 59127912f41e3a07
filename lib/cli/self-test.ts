/**
 * Runs a tiny model on one instruction path, in a process of its own: a binary that crashes takes this process and no other.
 * Prints the logits of a few tokens as JSON.
 *   node self-test.js MODEL INSTRUCTIONS
 */
import { Engine } from '../engine.js';
import type { LoadOptions } from '../load-options.js';

async function main(path: string, instructions: string): Promise<void> {
  const options = { device: 'cpu', instructions, threads: 2, kv: { format: 'f32' } } as LoadOptions;
  const engine = await Engine.load(path, options);
  const [logits] = await engine.logits([1, 5, 9, 20]);
  await engine.dispose();
  process.stdout.write(JSON.stringify(Array.from(logits!)));
}

void main(process.argv[2]!, process.argv[3]!);
