/** Where the package's own files lie: the same from lib/ and from dist/. */
import { join, sep } from 'node:path';

import { CachalotError } from '../errors.js';
import { BUNDLED } from './bundled.js';

// An ES module that a bundler has made of us has no folder.
if (typeof __dirname === 'undefined') throw new CachalotError('no_binary', BUNDLED);

export interface PackageFolders {
  root: string;
  /** Of binaries that came with the package, and of one that was compiled here. */
  prebuilds: string;
  built: string;
}

/** What must be a real file lies on the unpacked side of an Electron archive. */
export function outsideArchive(path: string): string {
  return path.replace(`app.asar${sep}`, `app.asar.unpacked${sep}`);
}

/**
 * Tools that gather a program's files (Next.js, @vercel/nft) take along what is at a `join` of `__dirname` and names: both folders of
 * binaries, therefore, and not the whole package, so its root is written in another way.
 */
const prebuilds = outsideArchive(join(__dirname, '..', '..', 'prebuilds'));
const built = outsideArchive(join(__dirname, '..', '..', 'build', 'Release'));
const root = prebuilds.slice(0, -`${sep}prebuilds`.length);

export const packageFolders: PackageFolders = { root, prebuilds, built };
