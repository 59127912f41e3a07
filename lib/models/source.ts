/** Where a model comes from: what users write, and what it means. */
import { CachalotError } from '../errors.js';

export interface NpmPart {
  name: string;
  version: string;
  /** Path inside the package. */
  path: string;
}

export type Source =
  /** Without `file`: the whole folder that safetensors need. */
  | { kind: 'hf'; owner: string; repo: string; revision: string; file?: string }
  | { kind: 'npm'; parts: NpmPart[] };

const SYNTAX = 'hf:owner/repo, hf:owner/repo/file or npm:NAME@VERSION/PATH[+NAME@VERSION/PATH...]';

/** Whether `text` names a remote source, and not a file or an alias. */
export function isSource(text: string): boolean {
  return text.startsWith('hf:') || text.startsWith('npm:');
}

/** Throws source_invalid with the syntax. */
export function parseSource(text: string): Source {
  if (text.startsWith('hf:')) return parseHub(text);
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

/** Names that downloads use for themselves. */
const OWN_NAMES = /(^|\/)\.complete$|\.(part|lock|etag)$/;

function parseHub(text: string): Source {
  const match = /^hf:([\w.-]+)\/([\w.-]+?)(?:@([\w.-]+))?(?:\/(.+))?$/.exec(text);
  if (!match || !isSafePath(match.slice(1).filter(Boolean).join('/'))) throw invalid(text);
  if (OWN_NAMES.test(match[4] ?? '')) throw invalid(text);
  return {
    kind: 'hf',
    owner: match[1]!,
    repo: match[2]!,
    revision: match[3] ?? 'main',
    ...(match[4] === undefined ? {} : { file: match[4] }),
  };
}

function parseNpmPart(part: string, text: string): NpmPart {
  const match = /^((?:@[\w.-]+\/)?[\w.-]+)@([\w.-]+)\/(.+)$/.exec(part);
  if (!match || !isSafePath(match.slice(1).join('/'))) throw invalid(text);
  return { name: match[1]!, version: match[2]!, path: match[3]! };
}

/** A relative path that stays where it is put. */
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
