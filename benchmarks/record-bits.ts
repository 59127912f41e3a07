/**
 * npm run record:bits: what every path of this machine gives for the scenarios of test/engine/bits/, to the last bit. Paths that the
 * file has are only compared: what differs is an error. Delete the file to record a change that is meant.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '#lib/index.js';
import { native } from '#lib/native.js';

import { hashesOf, modelHash } from '../test/engine/bits/goldens.js';
import type { BitGoldens } from '../test/engine/bits/goldens.js';
import { placesOf } from '../test/engine/bits/places.js';
import type { Place } from '../test/engine/bits/places.js';
import { isFor, SCENARIOS } from '../test/engine/bits/scenarios.js';

const file = join(process.cwd(), 'test', 'golden', 'bits.json');
const library = join(process.cwd(), 'build', 'test', 'libcachalot_cuda_emulated.so');

async function newGoldens(): Promise<BitGoldens> {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  const models: Record<string, string> = {};
  for (const scenario of SCENARIOS) models[scenario.name] = await modelHash(scenario);
  return { commit, models, paths: {} };
}

async function record(place: Place): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const scenario of SCENARIOS.filter((one) => isFor(one, place))) {
    const [first, ...others] = await hashesOf(scenario, place);
    if (others.some((hash) => hash !== first))
      throw new Error(`${place.name}, ${scenario.name}: not the same in every way to run it`);
    found[scenario.name] = first!;
  }
  return found;
}

async function main(): Promise<void> {
  const goldens = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as BitGoldens)
    : await newGoldens();
  const emulated = existsSync(library) ? library : undefined;
  for (const place of placesOf(Engine, native().instructions(), emulated)) {
    const found = await record(place);
    const known = (goldens.paths[place.name] ??= found);
    for (const [name, hash] of Object.entries(found))
      if (known[name] !== hash)
        throw new Error(`${place.name}, ${name}: other bits than in ${file}`);
    console.log(`${place.name}: ${Object.keys(found).length} scenarios`);
  }
  writeFileSync(file, `${JSON.stringify(goldens, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
});
