/** Bytes of files and pipes as text: in UTF-8 or, if a byte-order mark says so, UTF-16. The mark itself is not part of the text. */
import { TextDecoder } from 'node:util';

import { isUtf8 } from 'node:buffer';

import { CachalotError } from '../errors.js';

/** `name` is the file, for the error. Throws io for bytes that are not such text: with replacement characters the answer would be to another text. */
export function decodeText(bytes: Buffer, name: string): string {
  const utf16 = markOf(bytes);
  if (utf16 !== undefined) return decodeUtf16(bytes, utf16, name);
  const plain = withoutMark(bytes);
  if (isUtf8(plain)) return plain.toString('utf8');
  const line = linesOf(plain).findIndex((part) => !isUtf8(part)) + 1;
  throw noText(name, `line ${line} is not UTF-8`);
}

/** Bytes of UTF-8 text stay; UTF-16 is first converted to UTF-8. The caller checks whether the lines are UTF-8. */
export function textLines(bytes: Buffer, name: string): Buffer[] {
  const utf16 = markOf(bytes);
  return linesOf(utf16 ? Buffer.from(decodeUtf16(bytes, utf16, name)) : withoutMark(bytes));
}

/** The parts between new lines. */
export function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let from = 0;
  for (let to = bytes.indexOf(0x0a); to >= 0; to = bytes.indexOf(0x0a, from)) {
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  lines.push(bytes.subarray(from));
  return lines;
}

/** Converts pieces of a stream to UTF-8 as they come. Only UTF-16 with its mark is changed, and loses the mark. The last piece may be empty. */
export function utf8Converter(name: string): (piece: Buffer, isLast: boolean) => Buffer {
  let first: Buffer | undefined = Buffer.alloc(0); // kept until a mark would be complete
  let decoder: TextDecoder | undefined;
  return (piece, isLast) => {
    let bytes = piece;
    if (first) {
      bytes = first = Buffer.concat([first, piece]);
      if (bytes.length < 2 && !isLast) return Buffer.alloc(0);
      const utf16 = markOf(bytes);
      if (utf16) decoder = new TextDecoder(utf16, { fatal: true });
      first = undefined;
    }
    return decoder ? Buffer.from(decodePiece(decoder, bytes, !isLast, name)) : bytes;
  };
}

function markOf(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

function withoutMark(bytes: Buffer): Buffer {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return hasMark ? bytes.subarray(3) : bytes;
}

function decodeUtf16(bytes: Buffer, encoding: string, name: string): string {
  return decodePiece(new TextDecoder(encoding, { fatal: true }), bytes, false, name);
}

function decodePiece(decoder: TextDecoder, bytes: Buffer, stream: boolean, name: string): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (error) {
    throw noText(name, 'it begins like UTF-16 and is not', error);
  }
}

function noText(name: string, why: string, cause?: unknown): CachalotError {
  return new CachalotError('io', `cannot read ${name}: ${why}; save it as UTF-8`, { cause });
}
