/** Devices by the names that commands take: this machine, which is measured, or an accelerator of the table. */
import { invalidArgument } from '../errors.js';
import { DEVICES, measuredDevice } from '../estimate/devices.js';
import type { Device } from '../estimate/devices.js';
import { native } from '../native.js';
import { processorName } from '../system/processor.js';

const THIS = 'this';

export const DEVICE_NAMES = [THIS, ...Object.keys(DEVICES)];

/** Throws invalid_argument for a name that there is not, and for threads of another machine. */
export function checkDevice(name: string, threads: number | undefined): void {
  if (!DEVICE_NAMES.includes(name))
    throw invalidArgument('--device', `one of ${DEVICE_NAMES.join(', ')}`, name);
  if (threads !== undefined && name !== THIS)
    throw invalidArgument('--threads', 'no number of threads for another device', threads);
}

/** This machine is measured, which takes a few seconds. */
export async function deviceNamed(name: string, threads = 0): Promise<Device> {
  const known = DEVICES[name];
  if (known) return known;
  const peaks = await native().measurePeaks('auto', threads, '');
  return measuredDevice(`this machine (${processorName()})`, peaks, native().memoryLimit());
}
