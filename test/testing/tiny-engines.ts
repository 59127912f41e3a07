/** Native engines of tiny models on every path, for suites that compare their bits with each other and their logits with a float64 reference. */
import type { LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../fixtures/tiny-model.js';
import { emulatedLibrary, paths } from '../testing.js';
import { NativeClient } from './native-client.js';
import type { Answer, Internal } from './native-client.js';

export interface Place {
  name: string;
  isGpu: boolean;
  /** The most that its format of KV may cost: see errorOf. */
  tolerance: number;
  options: LoadOptions;
}

const onCpu = { isGpu: false, tolerance: 2e-5 };
const onGpu = { isGpu: true, tolerance: 2e-2 };

export const places: Place[] = [
  ...paths.map((name) => ({
    name,
    ...onCpu,
    options: { instructions: name as 'auto', kv: { format: 'f32' as const } },
  })),
  ...(emulatedLibrary === undefined
    ? []
    : [
        {
          name: 'emulated cuda',
          ...onGpu,
          options: { device: 'cuda' as const, kv: { format: 'bf16' as const } },
        },
      ]),
];

/** Called in a `describe`: engines that one of its tests has loaded are gone after the test. */
export function tinyEngines({ isGpu, options }: Place) {
  const models = new Map<string, Promise<TinyModel>>();
  const clients: NativeClient[] = [];
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.dispose())));

  /** Made once. One that is changed by a function is not found here. */
  const modelOf = (tiny: Omit<TinyOptions, 'change'>): Promise<TinyModel> => {
    const key = JSON.stringify(tiny);
    if (!models.has(key)) models.set(key, writeTinyModel(tiny));
    return models.get(key)!;
  };
  const load = async (
    { kv, ...more }: LoadOptions = {},
    tiny: TinyOptions = {},
    internal: Internal = {},
  ): Promise<NativeClient> => {
    const { path } = await modelOf(tiny);
    const given: LoadOptions = {
      checkInvariants: !isGpu,
      sharedReads: 'always', // nothing is measured
      ...options,
      ...more,
      kv: { ...options.kv, ...kv },
    };
    const client = await NativeClient.load(path, given, internal);
    clients.push(client);
    return client;
  };
  return { modelOf, load };
}

/** All that two equal answers have in common, to the bit. */
export function bitsOf({ tokens, logprobs, finish }: Answer) {
  if (finish.reason === 'error') throw new Error(`${finish.errorCode}: ${finish.errorMessage}`);
  return [finish.reason, ...tokens, ...Float32Array.from(logprobs)];
}

/** The largest difference of logits, as a share of the largest one. */
export function errorOf(given: readonly Iterable<number>[], wanted: readonly Iterable<number>[]) {
  const [a, b] = [given, wanted].map((rows) => rows.flatMap((row) => [...row]));
  const largest = Math.max(...b!.map(Math.abs));
  return Math.max(...b!.map((value, i) => Math.abs(value - a![i]!))) / largest;
}
