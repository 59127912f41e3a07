/** Where downloaded models lie: the XDG cache folder. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { variable } from '../environment.js';
import { CachalotError } from '../errors.js';
import type { HubSource, Source } from './source.js';
import { splitName } from './split-name.js';

/** Stands in a folder of which every file is there. */
export const COMPLETE = '.complete';

/** Throws io where there is no home. */
export function cacheFolder(): string {
  return join(xdgCacheFolder(), 'cachalot');
}

/** A path in it that is not absolute is to be ignored, says the XDG specification. */
export function xdgCacheFolder(): string {
  const base = variable('XDG_CACHE_HOME');
  if (base !== undefined && isAbsolute(base)) return base;
  const home = homeFolder();
  if (isAbsolute(home)) return join(home, '.cache');
  throw noHome();
}

function homeFolder(): string {
  try {
    return homedir();
  } catch (error) {
    throw noHome(error);
  }
}

function noHome(cause?: unknown): CachalotError {
  return new CachalotError(
    'io',
    'this user has no home folder to keep models in: set XDG_CACHE_HOME to a folder',
    { cause },
  );
}

export function modelsFolder(): string {
  return join(cacheFolder(), 'models');
}

export function aliasPath(alias: string): string {
  return join(modelsFolder(), `${alias}.gguf`);
}

export function sourcePath(source: Source): string {
  if (source.kind === 'hf')
    return join(repositoryFolder(source), ...(source.file?.split('/') ?? []));
  if (source.kind === 'https') return addressPath(new URL(source.url));
  const name = source.parts
    .map((part) => `${part.name.replace('/', '__')}@${part.version}`)
    .join('+');
  const paths = source.parts.map(({ path }) => path).join('\0');
  return join(modelsFolder(), 'npm', name, shortHash(paths), ...source.parts[0]!.path.split('/'));
}

/** The parts of a split file share a folder. */
function addressPath({ host, pathname, search }: URL): string {
  const name = pathname.split('/').at(-1)!;
  const model = splitName(pathname)?.prefix ?? pathname;
  const plain = (text: string) => decodeURIComponent(text).replace(/[^\w.-]/g, '_');
  const folder = shortHash(`${host}${model}${search}`);
  return join(modelsFolder(), 'https', host.replace(/[^\w.-]/g, '_'), folder, plain(name));
}

/** Of all files of one revision. */
export function repositoryFolder({ owner, repo, revision }: HubSource): string {
  return join(modelsFolder(), 'hf', owner, revision === 'main' ? repo : `${repo}@${revision}`);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
