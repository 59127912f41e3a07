/** Where downloaded models lie: the XDG cache folder. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import type { Source } from './source.js';

/** Throws io where there is no home. */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? '';
  return join(base.startsWith('/') ? base : join(home(), '.cache'), 'cachalot');
}

function home(): string {
  try {
    return homedir();
  } catch (error) {
    throw new CachalotError(
      'io',
      'this user has no home folder to keep models in: set XDG_CACHE_HOME to a folder',
      { cause: error },
    );
  }
}

export function modelsFolder(): string {
  return join(cacheFolder(), 'models');
}

export function aliasPath(alias: string): string {
  return join(modelsFolder(), `${alias}.gguf`);
}

export function sourcePath(source: Source): string {
  if (source.kind === 'hf') {
    const repo = source.revision === 'main' ? source.repo : `${source.repo}@${source.revision}`;
    return join(modelsFolder(), 'hf', source.owner, repo, ...(source.file?.split('/') ?? []));
  }
  const name = source.parts
    .map((part) => `${part.name.replace('/', '__')}@${part.version}`)
    .join('+');
  const paths = createHash('sha256').update(source.parts.map(({ path }) => path).join('\0'));
  return join(
    modelsFolder(),
    'npm',
    name,
    paths.digest('hex').slice(0, 8),
    ...source.parts[0]!.path.split('/'),
  );
}
