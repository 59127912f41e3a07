/**
 * Which files a vocabulary was read from. Workers that start later read them again: other files of the same names would make
 * other tokens of the same text, and nobody would notice.
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

/** What the file system says of the files; of those that are not there, that they are not. */
export function identityOf(model: string, tokenizer: string | undefined): string {
  const folder = /\.gguf$/i.test(model) ? undefined : folderOf(model);
  const files = [model, ...(tokenizer === undefined ? [] : [tokenizer])];
  if (folder !== undefined) files.push(...BESIDE.map((name) => join(folder, name)));
  return files.map(describe).join('\n');
}

function folderOf(model: string): string {
  return statusOf(model)?.isDirectory() ? model : dirname(model);
}

/** What cannot be looked at is refused by who reads it. */
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
