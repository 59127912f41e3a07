/** Bytes of files and pipes as text: in UTF-8 or, where a byte-order mark says so, UTF-16. The mark itself is no text. */
import { TextDecoder } from 'node:util';

import { isUtf8 } from 'node:buffer';

import { CachalotError } from '../errors.js';

/** `name` is the file, for the error. Throws io for what is no such text: a character put in its place would be an answer to something else. */
export function decodeText(bytes: Buffer, name: string): string {
  const utf16 = markOf(bytes);
  if (utf16 !== undefined) return decodeUtf16(bytes, utf16, name);
  const plain = withoutMark(bytes);
  if (isUtf8(plain)) return plain.toString('utf8');
  const line = linesOf(plain).findIndex((part) => !isUtf8(part)) + 1;
  throw noText(name, `line ${line} is not UTF-8`);
}

/** Of UTF-8, as they are; UTF-16 is turned into UTF-8 first. Lines that are not UTF-8 are for the caller to see. */
export function textLines(bytes: Buffer, name: string): Buffer[] {
  const utf16 = markOf(bytes);
  return linesOf(utf16 ? Buffer.from(decodeUtf16(bytes, utf16, name)) : withoutMark(bytes));
}

/** What stands between new lines. */
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

/** Turns pieces of a stream into UTF-8 as they come; only UTF-16 with its mark is changed, into text without one. The last piece may be empty. */
export function utf8Converter(name: string): (piece: Buffer, isLast: boolean) => Buffer {
  let first: Buffer | undefined = Buffer.alloc(0); // until a mark would be there
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
