/** Model files on the Hugging Face hub, or on whatever HF_ENDPOINT names. HF_TOKEN is sent if it is set. */
import { CachalotError, abortError } from '../errors.js';
import { download } from './download.js';
import type { Download } from './download.js';
import type { Source } from './source.js';

export type HubSource = Extract<Source, { kind: 'hf' }>;
export type HubFile = HubSource & { file: string };

/** Fetches one file. With `ifPresent`, one that the hub does not have is no error, and false is returned. */
export async function fetchHub(
  source: HubFile,
  file: string,
  options: Pick<Download, 'signal' | 'onProgress'>,
  ifPresent = false,
): Promise<boolean> {
  const info = await locate(source, ifPresent, options.signal);
  if (info === undefined) return false;
  await download({
    url: info.location,
    headers: info.headers,
    file,
    ...(info.bytes === undefined ? {} : { bytes: info.bytes }),
    ...(info.sha256 === undefined
      ? {}
      : { hash: { algorithm: 'sha256', digest: info.sha256, encoding: 'hex' } as const }),
    ...options,
  });
  return true;
}

/** Where a file really lies, and what to send along. Undefined if it is not there and need not be. */
export async function locate(
  source: HubFile,
  ifPresent: boolean,
  signal?: AbortSignal,
): Promise<
  { location: string; headers: Record<string, string>; bytes?: number; sha256?: string } | undefined
> {
  const endpoint = process.env['HF_ENDPOINT'] ?? 'https://huggingface.co';
  const path = [source.owner, source.repo, 'resolve', source.revision, ...source.file.split('/')]
    .map(encodeURIComponent)
    .join('/');
  const url = `${endpoint.replace(/\/$/, '')}/${path}`;
  const info = await inspect(url, ifPresent, signal);
  if (info === undefined) return undefined;
  // The token is for the hub, not for the storage that it may send us to.
  const own = new URL(info.location).origin === new URL(url).origin;
  return { ...info, headers: own ? authorization() : {} };
}

function authorization(): Record<string, string> {
  const token = process.env['HF_TOKEN'];
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** The hub's own headers hold size and SHA-256 of large files; they come with its redirect to the storage. */
async function inspect(
  url: string,
  ifPresent: boolean,
  signal?: AbortSignal,
): Promise<{ location: string; bytes?: number; sha256?: string } | undefined> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: signal ?? null,
      headers: authorization(),
    });
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    throw new CachalotError('download_failed', `cannot reach ${url}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (response.status === 401 || response.status === 403) {
    throw new CachalotError(
      'download_failed',
      `the hub refuses ${url}: accept the model's licence there and set HF_TOKEN`,
    );
  }
  if (response.status === 404 && ifPresent) return undefined;
  if (response.status >= 400) {
    throw new CachalotError(
      'download_failed',
      `the hub answered ${response.status} for ${url}: is the name right?`,
    );
  }
  const location = new URL(response.headers.get('location') ?? url, url).href;
  const size = response.headers.get('x-linked-size');
  const etag = response.headers.get('x-linked-etag')?.replaceAll('"', '');
  return {
    location,
    ...(size === null ? {} : { bytes: Number(size) }),
    ...(etag !== undefined && /^[0-9a-f]{64}$/.test(etag) ? { sha256: etag } : {}),
  };
}
