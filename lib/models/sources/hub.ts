/** Access to the Hugging Face hub: HF_ENDPOINT, the token, and HF_HUB_OFFLINE, read as the hub's own tools read them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { CachalotError } from '../../errors.js';
import { ioError } from '../../files/io-error.js';
import { refusal } from '../../net/send.js';
import type { Answer } from '../../net/send.js';
import { isOn, variable } from '../../system/environment.js';
import type { HubSource } from '../names/source.js';
import { xdgCacheFolder } from '../store/cache-folder.js';

/** An address on the hub; `pieces` are not encoded yet. */
export function hubUrl(...pieces: string[]): string {
  const endpoint = variable('HF_ENDPOINT') ?? 'https://huggingface.co';
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint))
    throw new CachalotError(
      'download_failed',
      `HF_ENDPOINT is '${endpoint}', which is no http(s) address`,
    );
  return `${endpoint.replace(/\/+$/, '')}/${pieces.map(encodeURIComponent).join('/')}`;
}

/** The folder of the hub's own tools; undefined if the user has no home folder. */
export function hubHome(): string | undefined {
  return variable('HF_HOME') ?? below(xdgCacheFolder(), 'huggingface');
}

/** The folder in which the hub's own tools keep downloaded files. */
export function hubCacheFolder(): string | undefined {
  return variable('HF_HUB_CACHE') ?? below(hubHome(), 'hub');
}

function below(folder: string | undefined, name: string): string | undefined {
  return folder === undefined ? undefined : join(folder, name);
}

/** HF_TOKEN, or the token that the hub's own tools stored at login. */
export function authorization(): Record<string, string> {
  const token = variable('HF_TOKEN') ?? tokenFromFile();
  if (token === undefined) return {};
  if (/^[\x21-\x7e]+$/.test(token)) return { authorization: `Bearer ${token}` };
  throw new CachalotError(
    'download_failed',
    'the token of the hub (HF_TOKEN, or the file of HF_TOKEN_PATH) has characters that no token has',
  );
}

function tokenFromFile(): string | undefined {
  const path = variable('HF_TOKEN_PATH') ?? below(hubHome(), 'token');
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw ioError(error, 'read the token in', path);
  }
}

/** Throws download_failed if the user forbids network access. `looked`: where the model was not found. */
export function checkOnline(source: HubSource, looked: readonly (string | undefined)[] = []): void {
  if (!isOn('HF_HUB_OFFLINE')) return;
  const folders = looked.filter((folder) => folder !== undefined).join(' and ');
  const where = folders === '' ? '' : ` (looked in ${folders})`;
  throw new CachalotError(
    'download_failed',
    `cannot fetch ${hubName(source)}: HF_HUB_OFFLINE is set; unset it, or pull the model beforehand${where}`,
  );
}

/** The source as users write it. */
export function hubName({ owner, repo, revision, file, quantization }: HubSource): string {
  const at = revision === 'main' ? '' : `@${revision}`;
  const rest = file !== undefined ? `/${file}` : quantization ? `:${quantization}` : '';
  return `hf:${owner}/${repo}${at}${rest}`;
}

/** The error of an answer of the hub that is not a success. */
export async function hubRefusal(answer: Answer): Promise<Error> {
  if (answer.status === 401 || answer.status === 403) return refusal(answer, accessAdvice());
  return refusal(answer, ': is the name right?');
}

export function accessAdvice(): string {
  return 'authorization' in authorization()
    ? ": is the name right, and may this token's owner see it? For some models a licence must be accepted on the hub"
    : ": is the name right? If the model is private or gated, accept the model's licence on the hub and set HF_TOKEN";
}
