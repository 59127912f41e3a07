/**
 * What every path gives for every scenario, kept in test/golden/bits.json. Two things besides the engine could change it: the
 * models' random numbers, which are made by Math.log, Math.cos and ** of Node's V8 (`models` has their hashes), and the system's
 * libm, of which the engine takes cos, sin and pow of doubles for angles, exp and log of doubles for probabilities, and on the
 * emulated GPU exp2f and expf. A compiler has no say: nothing is contracted or reordered.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { Place } from './places.js';
import { modelOf, waysOf } from './scenarios.js';
import type { Scenario } from './scenarios.js';

export interface BitGoldens {
  /** Where the hashes were recorded; a path that is not there yet is to be recorded there. */
  commit: string;
  /** Of the models' files, by scenario. */
  models: Record<string, string>;
  /** By path and scenario. */
  paths: Record<string, Record<string, string>>;
}

/** What each way to ask gives. */
export async function hashesOf(scenario: Scenario, place: Place): Promise<string[]> {
  const { path } = await modelOf(scenario);
  const { format } = scenario;
  const hashes: string[] = [];
  for (const way of waysOf(scenario, place)) {
    const kv = { format, ...way.kv };
    await using engine = await place.load(path, { checkInvariants: true, ...way, kv });
    hashes.push(await scenario.question(engine));
  }
  return hashes;
}

export async function modelHash(scenario: Scenario): Promise<string> {
  const { path } = await modelOf(scenario);
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

export function howToRecord(commit: string, path: string): string {
  return `no golden bits of ${path}: check out ${commit}, put today's test/golden/bits.json there, run \`npm run record:bits\`, and bring the file back`;
}
