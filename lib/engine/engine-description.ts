/** What an engine says of itself, as data and in words. */
import { cpus } from 'node:os';

export interface EngineDevice {
  kind: 'cpu' | 'cuda';
  /** Of the processor or the GPU, as its maker calls it. */
  name: string;
  /** The instructions that are used: "avx512", "avxvnni", "avx2" or "portable"; of a GPU its architecture, "sm_90". */
  instructions: string;
  /** Threads that compute; of a GPU its multiprocessors. */
  threads: number;
  /** Why it is not another device, where "auto" would rather have had one. */
  note?: string;
}

/** What is running, where and how. */
export interface EngineDescription {
  device: EngineDevice;
  /** Where weights are: floats are read in place in the model's file, or in memory if they are few; quantized ones are packed
   *  into memory, or mapped as an earlier load packed them; or all are in a GPU's memory. */
  weights: 'in place' | 'in memory' | 'packed' | 'mapped' | 'on the device';
  kvFormat: string;
  kvBytesPerToken: number;
  /** The longest context, in tokens. */
  contextLength: number;
  /** How many logits a row has. */
  vocabulary: number;
  architecture: string;
  layers: number;
  /** Path of the file or folder. */
  model: string;
}

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
      : [[kind, instructions], 'thread']; // everybody knows their CPU, and its name is long
  const count = `${threads} ${unit}${threads === 1 ? '' : 's'}`;
  return `${[...parts, count].join(', ')}${note === undefined ? '' : `; ${note}`}`;
}

let known: string | undefined; // the system counts all its cores to tell

/** Of this machine's processor. */
export function cpuName(): string {
  known ??= cpus()[0]?.model.trim() || 'unknown';
  return known;
}
