/** `engine.description.device`: where an engine runs, as data and in words. */
import { cpus } from 'node:os';

import { Engine, describeDevice } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

test('an engine on the CPU tells the processor, the instructions and the threads that it uses', async () => {
  const { path } = await writeTinyModel();
  for (const instructions of native().instructions() as ['avx2']) {
    await using engine = await Engine.load(path, { device: 'cpu', instructions, threads: 2 });
    expect(engine.description.device).toEqual({
      kind: 'cpu',
      name: cpus()[0]!.model.trim(),
      instructions,
      threads: 2,
    });
  }
});

test('a device in words', () => {
  const cpu = { kind: 'cpu', name: 'A CPU of long name', instructions: 'avx512' } as const;
  expect(describeDevice({ ...cpu, threads: 2 })).toBe('cpu, avx512, 2 threads');
  expect(describeDevice({ ...cpu, threads: 1, note: 'not on the GPU: it is full' })).toBe(
    'cpu, avx512, 1 thread; not on the GPU: it is full',
  );
  const gpu = { kind: 'cuda', name: 'NVIDIA X', instructions: 'sm_90', threads: 132 } as const;
  expect(describeDevice(gpu)).toBe('cuda, NVIDIA X, sm_90, 132 multiprocessors');
});
