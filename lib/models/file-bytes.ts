/** How much room files take. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Of a file, or of all files below a folder. */
export async function bytesOf(path: string): Promise<number> {
  const status = await stat(path);
  if (!status.isDirectory()) return status.size;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => bytesOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}
