/** Where synthetic models lie: made when first asked for. */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { cacheFolder } from '#lib/models/store/cache-folder.js';

import { writeSynthetic } from './synthetic.js';
import type { SyntheticModel } from './synthetic.js';

export function syntheticPath({ shape, type, seed = 1, context }: SyntheticModel): string {
  const name = [shape, type, seed, ...(context === undefined ? [] : [context])].join('-');
  return join(cacheFolder(), 'synthetic', `${name}.gguf`);
}

/** The path of a synthetic model, written unless it is there. */
export async function syntheticModel(model: SyntheticModel): Promise<string> {
  const path = syntheticPath(model);
  if (!existsSync(path)) await makeModel(path, model);
  return path;
}

/** There is no half of it under its name. */
export async function makeModel(path: string, model: SyntheticModel): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await writeSynthetic(`${path}.part`, model);
  renameSync(`${path}.part`, path);
}
