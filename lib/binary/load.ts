/** Finds and loads the addon, or says in one line why it cannot. */
import { CachalotError } from '../errors.js';
import { whyNone, whyNotLoaded, whyUnfit } from './causes.js';
import type { PackageFolders } from './package-root.js';

interface NodeGypBuild {
  (folder: string): unknown;
  /** The addon for this system; throws if there is none. */
  path(folder: string): string;
}

/** Throws no_binary, or out_of_memory. */
export function loadBinary(folders: PackageFolders): unknown {
  const load = require('node-gyp-build') as NodeGypBuild;
  let path: string;
  try {
    path = load.path(folders.root);
  } catch (error) {
    throw new CachalotError('no_binary', whyNone(folders), { cause: error });
  }
  const unfit = whyUnfit(path, folders);
  if (unfit !== undefined) throw new CachalotError('no_binary', unfit);
  try {
    return load(folders.root);
  } catch (error) {
    if (isOutOfMemory(error))
      throw new CachalotError('out_of_memory', String(error), { cause: error });
    throw new CachalotError('no_binary', whyNotLoaded(path, error, folders), { cause: error });
  }
}

/** The addon was found, but there was not enough memory to load it. */
function isOutOfMemory(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === 'out_of_memory' || /bad_alloc|not enough memory/.test(String(message));
}
