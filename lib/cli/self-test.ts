/**
 * Runs a tiny model on one instruction path, in a process of its own: a binary that crashes takes this process and no other.
 * Prints the logits of a few tokens as JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '../engine.js';
import type { LoadOptions } from '../load-options.js';
import { writeTestModel } from '../models/test-model.js';

async function main(instructions: NonNullable<LoadOptions['instructions']>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-self-test-'));
  try {
    const path = join(folder, 'test.gguf');
    await writeTestModel(path);
    const engine = await Engine.load(path, { instructions, threads: 2, kv: { format: 'f32' } });
    const [logits] = await engine.logits([1, 5, 9, 20]);
    await engine.dispose();
    process.stdout.write(JSON.stringify(Array.from(logits!)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main(process.argv[2] as NonNullable<LoadOptions['instructions']>);
