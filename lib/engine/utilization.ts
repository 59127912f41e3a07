/** How much of a machine's limits an engine has used: model FLOPs utilization and memory bandwidth utilization. */
import { CachalotError } from '../errors.js';
import { DEVICES, measuredDevice } from '../estimate/devices.js';
import type { Device } from '../estimate/devices.js';
import { opsOf } from '../estimate/ops.js';
import { readModelInfo } from '../models/formats/model-info.js';
import { native } from '../native.js';
import type { EngineDescription, EngineStats } from '../native.js';

export interface Utilization {
  /** The time that the steps' arithmetic would take at the machine's limits, over the time that they took. */
  mfu: number;
  /** The same for the weights, keys and values that they read. */
  mbu: number;
  /** Time of the engine's steps so far. */
  stepMs: number;
  operations: number;
  bytes: number;
}

/** Measured once for each set of instructions and number of threads: the measurement takes the machine for a second or two. */
const measured = new Map<string, Promise<Device>>();

/** `path`: of the model. Throws not_supported on a GPU whose limits are not known. */
export async function utilizationOf(
  path: string,
  description: EngineDescription,
  stats: EngineStats,
): Promise<Utilization> {
  const [model, device] = await Promise.all([readModelInfo(path), deviceOf(description)]);
  const { steps, outputSteps, rows, outputs, attendedKeys, contextTokens, stepMs } = stats;
  const { kvBytesPerToken } = description;
  const shape = { rows, outputs, attendedKeys, contextTokens, kvBytesPerToken };
  let [arithmetic, operations, bytes] = [0, 0, -stats.kvBytesNotRead];
  for (const op of opsOf(model, shape)) {
    if (op.kind === 'elementwise') continue;
    arithmetic += op.operations / device.rates[op.arithmetic];
    operations += op.operations;
    bytes += op.bytes * (op.kind === 'attention' ? 1 : op.name === 'output' ? outputSteps : steps);
  }
  const seconds = stepMs / 1000;
  const read = bytes / device.readBytesPerSecond;
  return {
    ...{ stepMs, operations, bytes },
    mfu: seconds > 0 ? arithmetic / seconds : 0,
    mbu: seconds > 0 ? Math.max(0, read) / seconds : 0,
  };
}

function deviceOf({ device }: EngineDescription): Promise<Device> {
  const { kind, name, instructions, threads } = device;
  if (kind === 'cuda') {
    const known = Object.values(DEVICES).find(({ pattern }) => pattern?.test(name));
    if (known) return Promise.resolve(known);
    throw new CachalotError('not_supported', `the limits of "${name}" are not known`);
  }
  const key = `${instructions}-${threads}`;
  const measuring =
    measured.get(key) ??
    native()
      .measurePeaks(instructions, threads, '')
      .then((peaks) => measuredDevice(name, peaks, 0));
  measured.set(key, measuring);
  measuring.catch(() => measured.delete(key));
  return measuring;
}
