/** The cache folder: downloaded models, repacked weights, and measured costs. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

import { CachalotError } from '../../errors.js';
import { variable } from '../../system/environment.js';
import type { HubSource, Source } from '../names/source.js';
import { splitName } from '../names/split-name.js';

/** A file with this name marks a folder as complete. */
export const COMPLETE = '.complete';

/** How users choose the folder, for errors. */
export const CACHE_SETTINGS = '`cacheDir` or CACHALOT_CACHE';

/** `given` (the option `cacheDir`), CACHALOT_CACHE, or a folder in the user's cache folder. Throws io if there is none of these. */
export function cacheFolder(given?: string): string {
  const chosen = given ?? variable('CACHALOT_CACHE');
  return chosen === undefined ? join(xdgCacheFolder() ?? noHome(), 'cachalot') : resolve(chosen);
}

/** Undefined if the user has no home folder. The XDG specification says to ignore a path in the variable that is not absolute. */
export function xdgCacheFolder(): string | undefined {
  const base = variable('XDG_CACHE_HOME');
  if (base !== undefined && isAbsolute(base)) return base;
  const home = homeFolder();
  return home === undefined ? undefined : join(home, '.cache');
}

/** Undefined if the system knows no home folder, for example for a container's user that is only a number. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

function noHome(): never {
  throw new CachalotError(
    'io',
    `this user has no home folder to keep models in: name a folder by ${CACHE_SETTINGS}`,
  );
}

export function modelsFolder(cacheDir?: string): string {
  return join(cacheFolder(cacheDir), 'models');
}

export function aliasPath(alias: string, cacheDir?: string): string {
  return join(modelsFolder(cacheDir), `${alias}.gguf`);
}

export function sourcePath(source: Source, cacheDir?: string): string {
  if (source.kind === 'hf')
    return join(repositoryFolder(source, cacheDir), ...(source.file?.split('/') ?? []));
  if (source.kind === 'https') return addressPath(new URL(source.url), modelsFolder(cacheDir));
  const name = source.parts
    .map((part) => `${part.name.replace('/', '__')}@${part.version}`)
    .join('+');
  const paths = source.parts.map(({ path }) => path).join('\0');
  const folder = join(modelsFolder(cacheDir), 'npm', name, shortHash(paths));
  return join(folder, ...source.parts[0]!.path.split('/'));
}

/** The parts of a split file share a folder. */
function addressPath({ host, pathname, search }: URL, models: string): string {
  const name = pathname.split('/').at(-1)!;
  const model = splitName(pathname)?.prefix ?? pathname;
  const plain = (text: string) => decodeURIComponent(text).replace(/[^\w.-]/g, '_');
  const folder = shortHash(`${host}${model}${search}`);
  return join(models, 'https', host.replace(/[^\w.-]/g, '_'), folder, plain(name));
}

/** Of all files of one revision. */
export function repositoryFolder({ owner, repo, revision }: HubSource, cacheDir?: string): string {
  const name = revision === 'main' ? repo : `${repo}@${revision}`;
  return join(modelsFolder(cacheDir), 'hf', owner, name);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
