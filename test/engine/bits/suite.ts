/** Scenarios beside their goldens; `npm test` runs the quick ones of each path, `npm run test:all` all. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '#lib/index.js';

import { emulatedLibrary, paths } from '../../testing.js';
import { hashesOf, howToRecord, modelHash } from './goldens.js';
import type { BitGoldens } from './goldens.js';
import { placesOf } from './places.js';
import type { Place } from './places.js';
import { isFor, SCENARIOS } from './scenarios.js';
import type { Scenario } from './scenarios.js';

const file = join(__dirname, '..', '..', 'golden', 'bits.json');
export const goldens: BitGoldens = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as BitGoldens)
  : { commit: 'this commit', models: {}, paths: {} };

export const places = placesOf(Engine, paths, emulatedLibrary);

export function testBits(isChosen: (scenario: Scenario, place: Place) => boolean): void {
  describe.each(places)('the bits of $name', (place) => {
    const expected = goldens.paths[place.name];
    if (expected === undefined) {
      test.skip(howToRecord(goldens.commit, place.name), () => undefined);
      return;
    }
    const scenarios = SCENARIOS.filter((one) => isFor(one, place) && isChosen(one, place));

    test.each(scenarios)('$name: as ever, in every way to run it', async (scenario) => {
      // Of another model the bits are others: then it is Node's random numbers that differ, not the engine.
      expect(await modelHash(scenario)).toBe(goldens.models[scenario.name]);
      const hashes = await hashesOf(scenario, place);
      expect(hashes).toEqual(hashes.map(() => expected[scenario.name]));
    });
  });
}
