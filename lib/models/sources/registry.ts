/** Asks a registry about a package, when npm is not installed. */
import { CachalotError } from '../../errors.js';
import { readText } from '../../net/read-text.js';
import { withRetries } from '../../net/retry.js';
import type { NetOptions } from '../../net/retry.js';
import { refusal, send, shown } from '../../net/send.js';
import type { Answer } from '../../net/send.js';
import { parseJson } from '../../text/parse-json.js';
import type { NpmPart } from '../names/source.js';
import type { NpmSettings } from './npm-settings.js';

/** The longest documents, with thousands of versions, have some ten million characters. */
const MOST_BYTES = 64 << 20;
/** npm's short form, or the long one. */
const ACCEPT = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*';

/** The `dist` of a version, unchecked. Throws download_failed, aborted. */
export async function askRegistry(
  { name, version }: NpmPart,
  registry: string,
  settings: NpmSettings,
  options: NetOptions,
): Promise<unknown> {
  const url = `${registry}${name.replace('/', '%2f')}`;
  const headers = { accept: ACCEPT, ...settings.authorization(url, registry) };
  const text = await withRetries(
    `ask for ${shown(url)}`,
    async () => {
      const answer = await send(url, { ...options, headers });
      if (answer.status !== 200) throw await refused(answer, name);
      return readText(answer, MOST_BYTES);
    },
    options,
  );
  const known = text === undefined ? undefined : versionsOf(text, url);
  if (known === undefined)
    throw new CachalotError(
      'download_failed',
      `${shown(url)} does not answer with the description of a package`,
    );
  const { versions, tags } = known;
  const tag = Object.hasOwn(tags, version) ? tags[version] : undefined;
  const exact = typeof tag === 'string' && !Object.hasOwn(versions, version) ? tag : version;
  const found = Object.hasOwn(versions, exact) ? versions[exact] : undefined;
  if (isObject(found)) return found['dist'];
  throw new CachalotError(
    'download_failed',
    `${new URL(url).host} has no version ${version} of the npm package ${name}; give one exactly, like NAME@1.2.3`,
  );
}

function versionsOf(text: string, url: string) {
  const described = parseJson(text, `what ${shown(url)} answers`, 'download_failed');
  if (!isObject(described)) return undefined;
  const { versions, 'dist-tags': tags } = described;
  return isObject(versions) ? { versions, tags: isObject(tags) ? tags : {} } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(answer: Answer, name: string): Promise<Error> {
  const { status, url } = answer;
  if (status === 401 || status === 403)
    return refusal(
      answer,
      `: if the package is private, its token belongs into an .npmrc: //${url.host}/:_authToken=...`,
    );
  return refusal(
    answer,
    status === 404 ? `: it has no package ${name}, or shows it to nobody` : '',
  );
}
