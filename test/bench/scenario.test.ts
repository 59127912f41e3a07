/** The harness of the benchmarks. */
import { measureAll, mustEqual } from '../../benchmarks/harness/scenario.js';
import type { Scenario } from '../../benchmarks/harness/scenario.js';

class Recorded implements Scenario<number> {
  constructor(
    readonly name: string,
    private readonly calls: string[],
    private readonly isWrong = false,
  ) {}
  async open() {
    this.calls.push(`${this.name} open`);
  }
  async check() {
    this.calls.push(`${this.name} check`);
    if (this.isWrong) mustEqual(this.name, [1, 2], [1, 3]);
  }
  async warmUp() {
    this.calls.push(`${this.name} warm up`);
  }
  async measure() {
    this.calls.push(`${this.name} measure`);
    return this.calls.length;
  }
  async close() {
    this.calls.push(`${this.name} close`);
  }
}

beforeAll(() => void jest.spyOn(console, 'error').mockImplementation());
afterAll(() => jest.restoreAllMocks());

test('each scenario is checked and warmed up before it is measured, and closed before the next', async () => {
  const calls: string[] = [];
  const rows = await measureAll([new Recorded('a', calls), new Recorded('b', calls)]);
  const phases = ['open', 'check', 'warm up', 'measure', 'close'];
  expect(calls).toEqual(['a', 'b'].flatMap((name) => phases.map((phase) => `${name} ${phase}`)));
  expect(rows).toEqual([4, 9]);
});

test('what gives wrong results is not measured, but closed', async () => {
  const calls: string[] = [];
  await expect(measureAll([new Recorded('a', calls, true)])).rejects.toThrow(
    'a: the results differ',
  );
  expect(calls).toEqual(['a open', 'a check', 'a close']);
});
