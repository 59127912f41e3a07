/** The kernel suite that `npm run gpu:check` carries to a machine with a GPU, here on the emulated one. */
import { kernelSuite } from '../../benchmarks/gpu/kernel-suite.js';
import { emulated, emulatedLibrary, testing } from '../testing.js';

const onEmulator = emulatedLibrary === undefined ? test.skip : test;

onEmulator('the kernel suite passes', () => {
  const results = [...kernelSuite(testing, emulated[0]!, true)];
  expect(results.length).toBeGreaterThan(200);
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
});
