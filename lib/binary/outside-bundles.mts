/**
 * Looked at before anything else of an import: in a bundle of ES modules the package would fail at its first `require`, with an
 * error of the bundler that says nothing of what to do.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { BUNDLED } from './bundled.js';

if (!isInPackage()) throw Object.assign(new Error(BUNDLED), { code: 'no_binary' });

/** Bundlers leave the address of this file out, or make it that of theirs. */
function isInPackage(): boolean {
  try {
    const path = join(fileURLToPath(import.meta.url), '..', '..', '..', 'package.json');
    const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return (manifest as { name?: unknown } | null)?.name === 'cachalot';
  } catch {
    return false;
  }
}
