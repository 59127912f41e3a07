/**
 * Identifies the files that a vocabulary was read from. Workers that start later read them again: if a file had been replaced, they
 * would turn the same text into other tokens, and nobody would notice.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BESIDE = [
  'tokenizer.json',
  'tokenizer_config.json',
  'config.json',
  'generation_config.json',
  'chat_template.jinja',
];

/** The status of the files; a missing file counts as missing. */
export function identityOf(model: string, tokenizer: string | undefined): string {
  const folder = /\.gguf$/i.test(model) ? undefined : folderOf(model);
  const files = [model, ...(tokenizer === undefined ? [] : [tokenizer])];
  if (folder !== undefined) files.push(...BESIDE.map((name) => join(folder, name)));
  return files.map(describe).join('\n');
}

function folderOf(model: string): string {
  return statusOf(model)?.isDirectory() ? model : dirname(model);
}

/** Files that cannot be examined are refused by the code that reads them. */
function statusOf(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function describe(path: string): string {
  const status = statusOf(path);
  if (!status) return 'none';
  if (status.isDirectory()) return 'a folder'; // its times change with files that are not ours
  return [status.dev, status.ino, status.size, status.mtimeNs].join(' ');
}
