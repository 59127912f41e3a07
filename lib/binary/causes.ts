/** Explains why no binary is usable, in one line that says what to do. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';

import { BUNDLED } from './bundled.js';
import type { PackageFolders } from './package-root.js';
import { ownSystem, systemOfFile } from './system-of.js';

/** No binary was found for this system. */
export function whyNone(folders: PackageFolders): string {
  const { root, prebuilds } = folders;
  const isArchived = root.includes(`app.asar.unpacked${sep}`) && !existsSync(root);
  if (isArchived)
    return 'cachalot lies in an Electron archive, out of which no binary can be loaded: unpack it, as docs/electron.md says (`asarUnpack`)';
  const manifest = lookAt(() => readFileSync(join(root, 'package.json'), 'utf8'));
  if (manifest.denied) return denied(join(root, 'package.json'));
  if (!isOurs(manifest.found)) return BUNDLED;
  const names = lookAt(() => readdirSync(prebuilds));
  if (names.denied) return denied(prebuilds);
  const has = (names.found ?? []).flatMap((system) => {
    const files = lookAt(() => readdirSync(join(prebuilds, system))).found ?? [];
    return files.filter((file) => file.endsWith('.node')).map((file) => systemOfName(system, file));
  });
  const instead = has.length > 0 ? `, only for ${has.join(', ')}` : '';
  return `there is no cachalot binary for ${ownSystem()} here${instead}: ${build(root)}`;
}

/** A binary was found that cannot be loaded; undefined if only the system can tell why. */
export function whyUnfit(path: string, { root }: PackageFolders): string | undefined {
  const { found, denied: isDenied } = lookAt(() => systemOfFile(path) ?? '');
  if (isDenied) return denied(path);
  if (found === '') return `'${path}' is damaged: ${again(path, root)}`;
  const own = `${process.platform}-${process.arch}`;
  if (found === undefined || found === own) return undefined;
  return `'${path}' is for ${found}, and this is Node for ${own}: ${again(path, root)}`;
}

/** A binary was found, and Node or the system refused it. */
export function whyNotLoaded(path: string, error: unknown, { root }: PackageFolders): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = String(message).split('\n')[0]!;
  if (code === 'ERR_DLOPEN_DISABLED')
    return 'this process may load no addons, and cachalot is one: it was started with --no-addons, or with --permission and without --allow-addons';
  if (code === 'ERR_ACCESS_DENIED') return denied(path);
  const known = REFUSALS.find(([pattern]) => pattern.test(text));
  const [pattern, why] = known ?? [/$/, () => `cannot be loaded (${text})`];
  return `'${path}' ${why(pattern.exec(text)!)}: ${again(path, root)}`;
}

/** Messages of the system's loader, in the words of glibc and musl. */
const REFUSALS: [RegExp, (match: RegExpExecArray) => string][] = [
  [
    /version [`'](GLIBC(?:XX)?_[\d.]+|CXXABI_[\d.]+)' not found/,
    ([, version]) => `needs ${version}, which is newer than what this system has`,
  ],
  [
    /(?:^|: )(lib[\w+.-]+): cannot open shared object file: No such file/,
    ([, library]) => `needs ${library}, which this system lacks`,
  ],
  [
    /Error (?:loading shared library|relocating)/,
    () => 'is for glibc, and this system has another C library',
  ],
  [
    /Permission denied|not permitted|failed to map segment/,
    () => 'may not be loaded by this user, or lies on a file system that is mounted with noexec',
  ],
  [
    /ELF|too short|self-register|undefined symbol|not a valid Win32|not a mach-o/i,
    () => 'is damaged, or of another version of cachalot',
  ],
];

const denied = (path: string) =>
  `cachalot may not read '${path}': let this user read it (or, with --permission, give --allow-fs-read)`;

/** The system of a binary in words: processor and system from its folder, and the C library from the file's name. */
function systemOfName(folder: string, file: string): string {
  const library = /\.(glibc|musl)\.node$/.exec(file)?.[1];
  return library === undefined ? folder : `${folder} with ${library}`;
}

function build(root: string): string {
  const isClone = existsSync(join(root, 'CMakeLists.txt')) && existsSync(join(root, 'lib'));
  return isClone
    ? 'run `npm run build`'
    : 'run `npx cachalot build`, which needs cmake and a C++20 compiler';
}

function again(path: string, root: string): string {
  const isPrebuilt = path.startsWith(join(root, 'prebuilds'));
  return isPrebuilt ? `install cachalot again on this system, or ${build(root)}` : build(root);
}

function isOurs(manifest: string | undefined): boolean {
  try {
    return (JSON.parse(manifest ?? '{}') as { name?: unknown } | null)?.name === 'cachalot';
  } catch {
    return false;
  }
}

/** The existing files, and whether this process may look. */
function lookAt<T>(look: () => T): { found?: T; denied: boolean } {
  try {
    return { found: look(), denied: false };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { denied: ['EACCES', 'EPERM', 'ERR_ACCESS_DENIED'].includes(code) };
  }
}
