/** Lists the GGUF files of a repository and finds the one that a short name means: "hf:owner/repo:Q4_K_M". */
import { CachalotError } from '../../errors.js';
import { readText } from '../../net/read-text.js';
import { withRetries } from '../../net/retry.js';
import type { NetOptions } from '../../net/retry.js';
import { send, shown } from '../../net/send.js';
import type { Answer } from '../../net/send.js';
import type { HubSource } from '../names/source.js';
import { splitName } from '../names/split-name.js';
import { authorization, checkOnline, hubName, hubRefusal, hubUrl } from './hub.js';

export interface GgufFile {
  path: string;
  /** If it is split, the size of the first part alone. */
  bytes?: number | undefined;
}

const MOST_PAGES = 20;
const MOST_PAGE_BYTES = 16 << 20;

/** Names of quantizations at the end of a file name. */
const QUANTIZATION =
  /(?:^|[-./_])((?:ud-)?(?:i?q\d\w*|tq\d\w*|mxfp4\w*|nvfp4\w*|bf16|fp?16|fp?32))$/i;

/** Only the first part of a split file; empty if the hub has no such repository. */
export async function listGguf(source: HubSource, options: NetOptions): Promise<GgufFile[]> {
  checkOnline(source);
  const { owner, repo, revision } = source;
  const first = `${hubUrl('api', 'models', owner, repo, 'tree', revision)}?recursive=true`;
  const files: GgufFile[] = [];
  let next: string | undefined = first;
  for (let page = 0; next !== undefined && page < MOST_PAGES; page++) {
    const url: string = next;
    const found = await withRetries(`list ${shown(url)}`, () => listPage(url, options), options);
    files.push(...found.files);
    next = found.next;
  }
  return modelsAmong(files);
}

async function listPage(url: string, options: NetOptions) {
  const answer = await send(url, { ...options, headers: authorization() });
  if (answer.status === 404) {
    await answer.cancel();
    return { files: [], next: undefined };
  }
  if (answer.status !== 200) throw await hubRefusal(answer);
  const entries = await readJson(answer);
  const files: GgufFile[] = [];
  for (const { type, path, size } of entries) {
    if (type !== 'file' || typeof path !== 'string') continue;
    files.push({ path, bytes: typeof size === 'number' ? size : undefined });
  }
  const [, link] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get('link') ?? '') ?? [];
  const next = link !== undefined && URL.canParse(link, url) ? new URL(link, url) : undefined;
  return { files, next: next?.origin === new URL(url).origin ? next.href : undefined };
}

async function readJson(answer: Answer): Promise<Record<string, unknown>[]> {
  const text = await readText(answer, MOST_PAGE_BYTES);
  try {
    const list: unknown = JSON.parse(text ?? '');
    if (Array.isArray(list))
      return (list as unknown[]).filter(
        (each): each is Record<string, unknown> => typeof each === 'object' && each !== null,
      );
  } catch {
    // the error below says it
  }
  throw new CachalotError(
    'download_failed',
    `${shown(answer.url)} does not answer with a list of files`,
  );
}

/** Without image projectors and importance matrices, which are also GGUF files. */
export function modelsAmong<T extends { path: string }>(files: readonly T[]): T[] {
  return files.filter(({ path }) => {
    if (!/\.gguf$/i.test(path) || /(^|\/)(mmproj|imatrix)[^/]*$/i.test(path)) return false;
    return (splitName(path)?.part ?? 1) === 1;
  });
}

function stemOf(path: string): string {
  return splitName(path)?.prefix ?? path.replace(/\.gguf$/i, '');
}

/** The files whose name ends with the quantization, in either case. */
export function matching<T extends { path: string }>(files: readonly T[], wanted: string): T[] {
  const tag = wanted.toLowerCase();
  return files.filter(({ path }) => {
    const stem = stemOf(path).toLowerCase();
    return stem === tag || (stem.endsWith(tag) && /[-./]/.test(stem.at(-tag.length - 1)!));
  });
}

/** The only file that matches. Throws model_not_found with a list if none or several match. */
export async function pickGguf(
  source: HubSource & { quantization: string },
  options: NetOptions,
): Promise<string> {
  const { quantization, ...whole } = source;
  const files = await listGguf(source, options);
  const found = matching(files, quantization);
  if (found.length === 1) return found[0]!.path;
  const name = hubName({ ...whole });
  if (files.length === 0)
    throw new CachalotError('model_not_found', `there are no GGUF files in ${name}`);
  const problem =
    found.length === 0
      ? `no GGUF file in ${name} is called '${quantization}'; there are`
      : `'${quantization}' may be several files in ${name}; say which`;
  throw new CachalotError(
    'model_not_found',
    `${problem}: ${describeFiles(whole, found.length === 0 ? files : found)}`,
  );
}

/** The names that users write to get each file, with its size. */
export function describeFiles(source: HubSource, files: readonly GgufFile[]): string {
  return files
    .map(({ path, bytes }) => {
      const tag = QUANTIZATION.exec(stemOf(path))?.[1];
      const isUnique = tag !== undefined && matching(files, tag).length === 1;
      const name = hubName({ ...source, ...(isUnique ? { quantization: tag } : { file: path }) });
      const split = splitName(path);
      const size = bytes === undefined || split ? '' : ` (${(bytes / 1e9).toFixed(1)} GB)`;
      return `${name}${split ? ` (${split.parts} parts)` : size}`;
    })
    .join(', ');
}
