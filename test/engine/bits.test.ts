/** No change of structure changes a bit: ids, log-probabilities and logits of a fixed set of scenarios, beside their goldens. */
import { goldens, places, testBits } from './bits/suite.js';
import { isFor, isQuick, SCENARIOS } from './bits/scenarios.js';

testBits(isQuick);

test('every scenario has a name of its own, and every path that is known has goldens of all', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  for (const place of places.filter(({ name }) => name in goldens.paths)) {
    const names = SCENARIOS.filter((scenario) => isFor(scenario, place)).map(({ name }) => name);
    expect(Object.keys(goldens.paths[place.name]!).sort()).toEqual(names.sort());
  }
});
