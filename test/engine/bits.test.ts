/** No change of structure changes a bit: ids, log-probabilities and logits of a fixed set of scenarios, beside their goldens. */
import { goldens, places, testBits } from './bits/suite.js';
import { isFor, isQuick, modelOf, SCENARIOS } from './bits/scenarios.js';

testBits(isQuick);

test('every scenario has a name of its own, and every path that is known has goldens of all', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  for (const place of places.filter(({ name }) => name in goldens.paths)) {
    const names = SCENARIOS.filter((scenario) => isFor(scenario, place)).map(({ name }) => name);
    expect(Object.keys(goldens.paths[place.name]!).sort()).toEqual(names.sort());
  }
});

test('the way with little memory of "preemption" preempts: it computes rows again', async () => {
  const scenario = SCENARIOS.find(({ name }) => name === 'preemption')!;
  const { path } = await modelOf(scenario);
  const way = scenario.ways.at(-1)!;
  await using engine = await places[0]!.load(path, {
    ...way,
    kv: { ...way.kv, format: scenario.format },
  });
  await scenario.question(engine);
  const { rows, promptTokens, cachedTokens, generatedTokens } = engine.stats();
  expect(rows).toBeGreaterThan(promptTokens - cachedTokens + generatedTokens);
});
