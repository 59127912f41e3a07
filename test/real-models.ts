/** Real weights and golden outputs, where they exist. Tests that use them skip, and say so, where they do not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { aliasPath } from '../lib/models/store/cache-folder.js';

const shared = join(__dirname, '..', '..', 'shared');

export const golden = join(shared, 'golden');

const present = (path: string) => (existsSync(path) ? path : undefined);

/** By the names of their golden files; undefined where a file is missing. `cachalot pull` fetches the first and the last. */
export const sharedModels = {
  stories15M: present(aliasPath('stories-15m')),
  minimind: present(join(shared, 'models', 'minimind2-small-f16.gguf')),
  tinyllama: present(aliasPath('tinyllama-1.1b-chat')),
};
