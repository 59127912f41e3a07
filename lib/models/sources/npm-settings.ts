/**
 * Registries in npm's own settings, for machines without npm: `npm_config_...` of the environment, and the .npmrc
 * of the project, of the user and of the installation; the first that has a key counts. Keys are read as npm reads them. Of these
 * we need `registry`, `@scope:registry`, and the credentials of a host, `//host/path/:_authToken`.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CachalotError } from '../../errors.js';
import { readTextFile } from '../../files/regular-file.js';
import { variable, variablesBelow } from '../../system/environment.js';
import { homeFolder } from '../store/cache-folder.js';

const MOST_BYTES = 1 << 20;
const PREFIX = 'npm_config_';

export class NpmSettings {
  readonly #values: ReadonlyMap<string, string>;
  /** The files that were searched, for errors. */
  readonly files: readonly string[];

  constructor(values: ReadonlyMap<string, string>, files: readonly string[] = []) {
    this.#values = values;
    this.files = files;
  }

  /** The registry of a package: an address that ends with '/'. Undefined if no setting names one; throws download_failed if it is not an address. */
  registryOf(name: string): string | undefined {
    const scope = name.startsWith('@') ? `${name.split('/')[0]}:registry` : undefined;
    const key = scope !== undefined && this.#values.has(scope) ? scope : 'registry';
    const text = this.#values.get(key);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isPlain = url && url.username === '' && url.password === '' && !isUnset(text);
    if (isPlain && /^https?:[^?#]*$/.test(url.href)) return url.href.replace(/\/*$/, '/');
    throw new CachalotError(
      'download_failed',
      `npm's setting \`${key}\` is no http(s) address, or has a password, a query or a variable that is not set in it; credentials are written as //host/:_authToken=...`,
    );
  }

  /**
   * The authorization header for a request to `url`: the credentials of its own host and path or, if the origin is that of the registry
   * of the package, the registry's. The credentials of a registry behind https are never sent over http.
   */
  authorization(url: string, registry: string | undefined): Record<string, string> {
    const [to, from] = [new URL(url), registry === undefined ? undefined : new URL(registry)];
    const isOpen = to.protocol === 'http:' && to.origin !== from?.origin;
    if (isOpen) return {};
    const own = this.credentials(to);
    if (own !== undefined) return { authorization: own };
    const theirs = from?.origin === to.origin ? this.credentials(from) : undefined;
    return theirs === undefined ? {} : { authorization: theirs };
  }

  /** The credentials of the longest path that has some: "//host/a/b", "//host/a/", "//host/a", "//host/". */
  private credentials({ host, pathname }: URL): string | undefined {
    for (let key = `//${host}${pathname}`; key.length > 2; key = key.replace(/([^/]+|\/)$/, '')) {
      const found = this.credentialsOf(key);
      if (found === undefined) continue;
      if (/^[\x20-\x7e]+$/.test(found)) return found;
      throw new CachalotError(
        'download_failed',
        `npm's credentials for ${host} have characters that no header can hold`,
      );
    }
    return undefined;
  }

  private credentialsOf(key: string): string | undefined {
    const get = (name: string) => {
      const value = this.#values.get(`${key}:${name}`);
      return value === undefined || isUnset(value) ? undefined : value;
    };
    const [token, basic] = [get('_authToken'), get('_auth')];
    if (token !== undefined) return `Bearer ${token}`;
    if (basic !== undefined) return `Basic ${basic}`;
    const [user, password] = [get('username'), get('_password')];
    if (user === undefined || password === undefined) return undefined;
    const both = `${user}:${Buffer.from(password, 'base64').toString('utf8')}`;
    return `Basic ${Buffer.from(both).toString('base64')}`;
  }
}

/** Whether it uses a variable that is not set. */
function isUnset(value: string): boolean {
  return value.includes('${');
}

/** A file that cannot be read counts as empty, as with npm. */
export async function readNpmSettings(): Promise<NpmSettings> {
  const values = new Map<string, string>();
  const files = settingFiles();
  for (const file of files) {
    const text = await readTextFile(file, MOST_BYTES).catch(() => '');
    for (const [key, value] of parseNpmrc(text)) values.set(key, value);
  }
  for (const [name, value] of variablesBelow(PREFIX)) {
    const key = name.slice(PREFIX.length);
    values.set(key.startsWith('//') ? key : key.toLowerCase().replace(/(?!^)_/g, '-'), value);
  }
  return new NpmSettings(values, files.reverse());
}

/** A later value replaces an earlier one. */
function settingFiles(): string[] {
  const home = homeFolder();
  const prefix = variable('PREFIX') ?? dirname(dirname(process.execPath));
  const own = (name: string) => variable(PREFIX + name) ?? variable((PREFIX + name).toUpperCase());
  const files = [
    own('globalconfig') ?? join(prefix, 'etc', 'npmrc'),
    own('userconfig') ?? (home === undefined ? undefined : join(home, '.npmrc')),
    join(projectFolder(), '.npmrc'),
  ];
  return [...new Set(files.filter((file) => file !== undefined))];
}

/** The nearest folder, at or above this one, that is a project; this one if there is none. */
function projectFolder(): string {
  const here = process.cwd();
  for (let folder = here; ; folder = dirname(folder)) {
    if (['package.json', 'node_modules'].some((name) => existsSync(join(folder, name))))
      return folder;
    if (folder === dirname(folder)) return here;
  }
}

/** Lines of `key = value`; a section belongs to something else, with all lines after it. */
export function parseNpmrc(text: string): [key: string, value: string][] {
  const found: [string, string][] = [];
  for (const line of text.split(/[\r\n]+/)) {
    if (/^\s*\[[^\]]*\]\s*$/.test(line)) break;
    const [, key, value] = /^\s*([^;#=\s][^=]*?)\s*=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined)
      found.push([expand(plain(key)), expand(plain(value))]);
  }
  return found;
}

/** Without quotes, or up to a comment; a backslash makes ";", "#" or another backslash literal. */
function plain(text: string): string {
  const trimmed = text.trim();
  const [, quoted] =
    /^(?:"(.*)"|'(.*)')$/.exec(trimmed)?.filter((part) => part !== undefined) ?? [];
  if (quoted !== undefined) return quoted;
  const [before = ''] = /^(?:\\.|[^;#\\]|\\$)*/.exec(trimmed) ?? [];
  return before.replace(/\\([;#\\])/g, '$1').trim();
}

/** `${NAME}` is a variable of the environment; `${NAME?}` is empty if it is not set. */
function expand(text: string): string {
  return text.replace(/(\\*)\$\{([^${}]+)\}/g, (all, escapes: string, name: string) => {
    if (escapes.length % 2 === 1) return all.slice((escapes.length + 1) / 2);
    const isOptional = name.endsWith('?');
    const value = variable(isOptional ? name.slice(0, -1) : name);
    return escapes.slice(escapes.length / 2) + (value ?? (isOptional ? '' : `\${${name}}`));
  });
}
