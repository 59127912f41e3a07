/** The lines of a file whose last line may be cut off. */
import { readSync } from 'node:fs';

const CHUNK_BYTES = 1 << 20;

/** The complete lines; then the position where they end, and the bytes after it. */
export function* readWholeLines(
  file: number,
): Generator<string, { end: number; rest: Buffer }, void> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let pieces: Buffer[] = [];
  let end = 0;
  for (let at = 0; ;) {
    const read = readSync(file, chunk, 0, CHUNK_BYTES, at);
    if (read === 0) break;
    let from = 0;
    for (let to = chunk.indexOf(0x0a); to >= 0 && to < read; to = chunk.indexOf(0x0a, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, to)]).toString('utf8');
      pieces = [];
      from = to + 1;
      end = at + from;
    }
    pieces.push(Buffer.from(chunk.subarray(from, read)));
    at += read;
  }
  return { end, rest: Buffer.concat(pieces) };
}
