/** The paths that an engine runs on, each with its own bits: the CPU's instruction paths, and the emulated GPU. */
import type { Engine, LoadOptions } from '#lib/index.js';

export interface Place {
  name: string;
  isGpu: boolean;
  load(model: string, options: LoadOptions): Promise<Engine>;
}

/** `engines` is the class, which the recorder has from the built package and the suite from its source. */
export function placesOf(
  engines: typeof Engine,
  instructions: readonly string[],
  emulatedLibrary: string | undefined,
): Place[] {
  const cpu = instructions.map((name) => ({
    name,
    isGpu: false,
    load: (model: string, options: LoadOptions) =>
      engines.load(model, {
        device: 'cpu',
        instructions: name as 'auto',
        ...options,
      }),
  }));
  if (emulatedLibrary === undefined) return cpu;
  const load = (model: string, options: LoadOptions) =>
    engines.loadWith(model, { device: 'cuda', ...options }, { cudaLibrary: emulatedLibrary });
  return [...cpu, { name: 'emulated cuda', isGpu: true, load }];
}
