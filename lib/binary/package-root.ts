/** Where the package's own files lie; works from lib/ and from dist/. */
import { join, sep } from 'node:path';

import { CachalotError } from '../errors.js';
import { BUNDLED } from './bundled.js';

// An ES module that a bundler made of this file has no folder.
if (typeof __dirname === 'undefined') throw new CachalotError('no_binary', BUNDLED);

export interface PackageFolders {
  root: string;
  /** The folders of prebuilt binaries, and of a binary that was compiled here. */
  prebuilds: string;
  built: string;
}

/** A file that the system must open itself lies on the unpacked side of an Electron archive. */
export function outsideArchive(path: string): string {
  return path.replace(`app.asar${sep}`, `app.asar.unpacked${sep}`);
}

/**
 * Tools that gather a program's files (Next.js, @vercel/nft) include whatever a `join` of `__dirname` and names points to. This must be
 * both folders of binaries but not the whole package, so the package's root is written in another way.
 */
const prebuilds = outsideArchive(join(__dirname, '..', '..', 'prebuilds'));
const built = outsideArchive(join(__dirname, '..', '..', 'build', 'Release'));
const root = prebuilds.slice(0, -`${sep}prebuilds`.length);

export const packageFolders: PackageFolders = { root, prebuilds, built };
