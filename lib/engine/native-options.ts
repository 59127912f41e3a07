/** From the options of `Engine.load` to those that C++ receives: everything filled in, and what depends on this machine. */
import { join } from 'node:path';

import { integerIn } from '../checks/check-options.js';
import { cacheFolder } from '../models/store/cache-folder.js';
import { LayoutCache, layoutsFolder } from '../models/store/layout-cache.js';
import { native } from '../native.js';
import type { NativeEngineOptions } from '../native.js';
import { KV, LOAD } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { fillIn, nativeFields } from '../options/option-table.js';
import { machineName } from '../system/processor.js';

/** Whether an engine with these options will be on a GPU. */
export function isOnGpu(options: NativeEngineOptions): boolean {
  const { device, cudaLibrary, instructions, kvFormat } = options;
  if (device !== 'auto') return device !== 'cpu';
  if (instructions !== 'auto' || kvFormat === 'f32') return false; // said of the CPU only
  return native().cuda(cudaLibrary).devices.length > 0;
}

/** Empty where there is no home: costs are measured at each load then. */
function costsFolder(cacheDir: string | undefined): string {
  try {
    return join(cacheFolder(cacheDir), 'costs');
  } catch {
    return '';
  }
}

/** Undefined where it is not wanted, or where there is no home. */
export function layoutCacheOf(options: Readonly<LoadOptions>): LayoutCache | undefined {
  const { layoutCache, cacheDir } = fillIn(LOAD, options);
  if (layoutCache === false) return undefined;
  try {
    return new LayoutCache(layoutsFolder(cacheDir), layoutCache === true ? {} : layoutCache);
  } catch {
    return undefined;
  }
}

/** `options` have been checked. Throws invalid_argument for more keys and values than memory can hold. */
export function nativeOptionsOf(options: Readonly<LoadOptions>): NativeEngineOptions {
  const resolved: NativeEngineOptions = {
    ...nativeFields(LOAD, options),
    ...nativeFields(KV, options.kv ?? {}),
    cudaLibrary: '',
    costsFolder: costsFolder(options.cacheDir),
    layoutPath: '',
    machine: machineName(),
  };
  if (resolved.kvBytes !== 0 && !isOnGpu(resolved))
    integerIn(1, native().memoryLimit())('kv.bytes', resolved.kvBytes);
  return resolved;
}
