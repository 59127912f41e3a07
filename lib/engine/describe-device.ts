import type { EngineDevice } from '../native.js';

/**
 * A device in words: "cpu, avx512, 2 threads".
 *
 * @example
 * import { describeDevice } from 'cachalot';
 * console.log(describeDevice(engine.description.device));
 */
export function describeDevice({ kind, name, instructions, threads, note }: EngineDevice): string {
  const [parts, unit] =
    kind === 'cuda'
      ? [[kind, name, instructions], 'multiprocessor']
      : [[kind, instructions], 'thread']; // users know their CPU, and its name is long
  const count = `${threads} ${unit}${threads === 1 ? '' : 's'}`;
  return `${[...parts, count].join(', ')}${note === undefined ? '' : `; ${note}`}`;
}
