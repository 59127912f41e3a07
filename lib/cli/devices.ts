/** Devices by the names that commands take: this machine, which is measured, or an accelerator of the table. */
import { invalidArgument } from '../errors.js';
import { DEVICES, measuredDevice } from '../estimate/devices.js';
import type { Device } from '../estimate/devices.js';
import { native } from '../native.js';
import { processorName } from '../system/processor.js';

const THIS = 'this';

export const DEVICE_NAMES = [THIS, ...Object.keys(DEVICES)];

export async function deviceNamed(name: string, threads = 0): Promise<Device> {
  if (name !== THIS) {
    const known = Object.hasOwn(DEVICES, name) ? DEVICES[name] : undefined;
    if (known) return known;
    throw invalidArgument('device', `one of ${DEVICE_NAMES.join(', ')}`, name);
  }
  const peaks = await native().measurePeaks('auto', threads, '');
  return measuredDevice(`this machine (${processorName()})`, peaks, native().memoryLimit());
}
