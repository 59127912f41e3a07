/** Turns the options of `Engine.load` into those that C++ receives: defaults filled in, and values that depend on this machine. */
import { join } from 'node:path';

import { integerIn } from '../checks/check-options.js';
import { cacheFolder } from '../models/store/cache-folder.js';
import { LayoutCache, layoutsFolder } from '../models/store/layout-cache.js';
import { native } from '../native.js';
import type { NativeEngineOptions } from '../native.js';
import { KV, LOAD } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { fillIn, nativeFields } from '../options/option-table.js';
import { nativeRope } from '../options/rope-options.js';
import { machineName } from '../system/processor.js';

/** Whether an engine with these options will be on a GPU. */
export function isOnGpu(options: NativeEngineOptions): boolean {
  const { device, cudaLibrary, instructions, kvFormat } = options;
  if (device !== 'auto') return device !== 'cpu';
  if (instructions !== 'auto' || kvFormat === 'f32') return false; // these two exist on the CPU only
  return native().cuda(cudaLibrary).devices.length > 0;
}

/** Empty if the user has no home folder: costs are then measured at each load. */
function costsFolder(cacheDir: string | undefined): string {
  try {
    return join(cacheFolder(cacheDir), 'costs');
  } catch {
    return '';
  }
}

/** Undefined if it is switched off, or if the user has no home folder. */
export function layoutCacheOf(options: Readonly<LoadOptions>): LayoutCache | undefined {
  const { layoutCache, cacheDir } = fillIn(LOAD, options);
  if (layoutCache === false) return undefined;
  try {
    return new LayoutCache(layoutsFolder(cacheDir), layoutCache === true ? {} : layoutCache);
  } catch {
    return undefined;
  }
}

/** `options` have been checked. Throws invalid_argument if memory cannot hold so many keys and values. */
export function nativeOptionsOf(options: Readonly<LoadOptions>): NativeEngineOptions {
  const resolved: NativeEngineOptions = {
    ...nativeFields(LOAD, options),
    ...nativeFields(KV, options.kv ?? {}),
    ...(options.rope && { rope: nativeRope(options.rope) }),
    cudaLibrary: '',
    costsFolder: costsFolder(options.cacheDir),
    layoutPath: '',
    machine: machineName(),
  };
  if (resolved.kvBytes !== 0 && !isOnGpu(resolved))
    integerIn(1, native().memoryLimit())('kv.bytes', resolved.kvBytes);
  return resolved;
}
