/** Fetches one file from the hub. */
import { basename } from 'node:path';

import { download } from '../../net/download.js';
import { withRetries } from '../../net/retry.js';
import type { NetOptions } from '../../net/retry.js';
import { send } from '../../net/send.js';
import { checkContent } from '../formats/check-content.js';
import type { HubSource } from '../names/source.js';
import { accessAdvice, authorization, checkOnline, hubRefusal, hubUrl } from './hub.js';

export type HubFile = HubSource & { file: string };

export interface HubFetch extends NetOptions {
  force?: boolean | undefined;
  onProgress?: ((receivedBytes: number, totalBytes: number | undefined) => void) | undefined;
}

/** The hub's data about a file, and the headers to ask for it with. */
export interface HubFileInfo {
  url: string;
  headers: Record<string, string>;
  bytes?: number;
  sha256?: string;
}

/** Returns false if the hub does not have the file. */
export async function fetchHub(source: HubFile, file: string, options: HubFetch): Promise<boolean> {
  const info = await describeHubFile(source, options);
  if (info === undefined) return false;
  const { url, headers, bytes, sha256 } = info;
  await download({
    url,
    headers, // these are not for the storage that the hub redirects to: `send` removes them
    file,
    bytes,
    hash:
      sha256 === undefined ? undefined : { algorithm: 'sha256', digest: sha256, encoding: 'hex' },
    check: (path) => checkContent(path, basename(source.file)),
    advice: accessAdvice(),
    ...options,
  });
  return true;
}

/**
 * The hub's own headers give size and SHA-256 of large files; they come with its redirect to the storage. Redirects without them
 * (of a renamed repository) are followed. Undefined if the hub does not have the file.
 */
export async function describeHubFile(
  source: HubFile,
  options: NetOptions,
): Promise<HubFileInfo | undefined> {
  checkOnline(source);
  const { owner, repo, revision, file } = source;
  const url = hubUrl(owner, repo, 'resolve', revision, ...file.split('/'));
  const headers = authorization();
  return withRetries(
    `ask for ${url}`,
    async () => {
      const answer = await send(url, {
        ...options,
        method: 'HEAD',
        headers: { ...headers, 'accept-encoding': 'identity' },
        follows: ({ url: from, headers: said }, target) =>
          target.origin === from.origin && said.get('x-linked-etag') === null,
      });
      if (answer.status === 404) {
        await answer.cancel();
        return undefined;
      }
      if (answer.status >= 400) throw await hubRefusal(answer);
      await answer.cancel();
      const size = answer.headers.get('x-linked-size');
      const etag = answer.headers.get('x-linked-etag')?.replaceAll('"', '') ?? '';
      return {
        url,
        headers,
        ...(size !== null && /^\d+$/.test(size) ? { bytes: Number(size) } : {}),
        ...(/^[0-9a-f]{64}$/.test(etag) ? { sha256: etag } : {}),
      };
    },
    options,
  );
}
