/** Where downloaded models lie: the XDG cache folder. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

import type { Source } from './source.js';

export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? '';
  return join(base.startsWith('/') ? base : join(homedir(), '.cache'), 'cachalot');
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
