/** The source of a model: the text that users write, and its meaning. */
import { CachalotError } from '../../errors.js';

export interface NpmPart {
  name: string;
  version: string;
  /** Path inside the package. */
  path: string;
}

export interface HubSource {
  kind: 'hf';
  owner: string;
  repo: string;
  revision: string;
  /** If absent: the whole folder that safetensors need. */
  file?: string;
  /** Instead of `file`: the GGUF file whose name ends with this. */
  quantization?: string;
}

export type Source = HubSource | { kind: 'npm'; parts: NpmPart[] } | { kind: 'https'; url: string };

const SYNTAX =
  'hf:owner/repo, hf:owner/repo/file, hf:owner/repo:Q4_K_M, npm:NAME@VERSION/PATH[+NAME@VERSION/PATH...] or https://host/path/model.gguf';

/** Whether `text` names a remote source, rather than a file or an alias. */
export function isSource(text: string): boolean {
  return /^(hf:|npm:|https?:\/\/)/.test(text);
}

/** Throws source_invalid, which shows the syntax. */
export function parseSource(text: string): Source {
  if (text.startsWith('hf:')) return parseHub(text);
  if (/^https?:\/\//.test(text)) return parseAddress(text);
  if (text.startsWith('npm:'))
    return {
      kind: 'npm',
      parts: text
        .slice(4)
        .split('+')
        .map((part) => parseNpmPart(part, text)),
    };
  throw invalid(text);
}

/** Endings of names that downloads use for themselves. */
const OWN_NAMES = /(^|\/)\.complete$|\.(part|lock|etag)$/;

function parseHub(text: string): HubSource {
  const match =
    /^hf:([\w.-]+)\/([\w.-]+?)(?:@([\w.-]+))?(?::([\w.-]+)|\/(.+))?$/.exec(text) ?? undefined;
  const [, owner, repo, revision = 'main', quantization, file] = match ?? [];
  if (owner === undefined || repo === undefined) throw invalid(text);
  if (!isSafePath([owner, repo, revision, ...(file === undefined ? [] : [file])].join('/')))
    throw invalid(text);
  if (OWN_NAMES.test(file ?? '')) throw invalid(text);
  return {
    kind: 'hf',
    owner,
    repo,
    revision,
    ...(file === undefined ? {} : { file }),
    ...(quantization === undefined ? {} : { quantization }),
  };
}

function parseNpmPart(part: string, text: string): NpmPart {
  const match = /^((?:@[\w.-]+\/)?[\w.-]+)@([\w.-]+)\/(.+)$/.exec(part);
  if (!match || !isSafePath(match.slice(1).join('/'))) throw invalid(text);
  return { name: match[1]!, version: match[2]!, path: match[3]! };
}

/** Only a GGUF file is a model by itself. */
function parseAddress(text: string): Source {
  if (!URL.canParse(text)) throw invalid(text);
  const url = new URL(text);
  url.hash = '';
  if (!/[^/]\.gguf$/i.test(url.pathname) || !isDecodable(url.pathname)) throw invalid(text);
  if (url.username || url.password)
    throw new CachalotError(
      'source_invalid',
      `an address with a name or a password in it is refused (${url.host}): it would be kept in logs and in the cache`,
    );
  return { kind: 'https', url: url.href };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A relative path that does not leave its folder. */
function isSafePath(path: string): boolean {
  return path
    .split('/')
    .every(
      (piece) =>
        piece !== '' &&
        piece !== '.' &&
        piece !== '..' &&
        !piece.includes('\\') &&
        !piece.includes('\0'),
    );
}

function invalid(text: string): CachalotError {
  return new CachalotError('source_invalid', `'${text}' is not a model source: expected ${SYNTAX}`);
}
