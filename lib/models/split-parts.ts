/** The files of a model: a GGUF model may be split into NAME-00001-of-0000N.gguf, of which the first stands for all. */

const FIRST = /^(.*)-00001-of-(\d{5})\.gguf$/s;

/** The paths of all parts of a model whose first part is `path`, or `path` alone. Told by names: what is in the files is not read. */
export function splitParts(path: string): string[] {
  const match = FIRST.exec(path);
  if (!match) return [path];
  const [, name, count] = match as unknown as [string, string, string];
  return Array.from(
    { length: Math.max(1, Number(count)) },
    (_, i) => `${name}-${String(i + 1).padStart(5, '0')}-of-${count}.gguf`,
  );
}
