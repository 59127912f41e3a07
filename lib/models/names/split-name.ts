/** Names of the parts of a split GGUF file: "name-00001-of-00003.gguf". */
import { CachalotError } from '../../errors.js';

export interface SplitName {
  /** The name without its ending, folders included. */
  prefix: string;
  /** From 1. */
  part: number;
  parts: number;
}

/** Undefined for a file that is whole. */
export function splitName(path: string): SplitName | undefined {
  const [, prefix, part, parts] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(path) ?? [];
  if (prefix === undefined || Number(parts) === 0 || Number(part) === 0) return undefined;
  if (Number(part) > Number(parts)) return undefined;
  return { prefix, part: Number(part), parts: Number(parts) };
}

export function partPath({ prefix, parts }: SplitName, part: number): string {
  const five = (number: number) => String(number).padStart(5, '0');
  return `${prefix}-${five(part)}-of-${five(parts)}.gguf`;
}

/** All files of a model, given the first: the file itself if it is not split. Throws source_invalid for a later part. */
export function partsOf(path: string): string[] {
  const split = splitName(path);
  if (!split) return [path];
  if (split.part !== 1)
    throw new CachalotError(
      'source_invalid',
      `'${path}' is part ${split.part} of ${split.parts}: give the first, '${partPath(split, 1)}'; the others come with it`,
    );
  return Array.from({ length: split.parts }, (_, index) => partPath(split, index + 1));
}

/** The same for any path: a file that is not the first part of a split file stands for itself. */
export function allParts(path: string): string[] {
  return (splitName(path)?.part ?? 1) === 1 ? partsOf(path) : [path];
}
