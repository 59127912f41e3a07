import { decodeText, textLines, utf8Converter } from '../../lib/cli/text-bytes.js';

const MARK = '\ufeff';
const bigEndian = (text: string) => Buffer.from(text, 'utf16le').swap16();

describe('text of files and pipes', () => {
  test.each([
    ['UTF-8', Buffer.from('é日\n')],
    ['UTF-8 with a mark', Buffer.from(`${MARK}é日\n`)],
    ['UTF-16, little end first', Buffer.from(`${MARK}é日\n`, 'utf16le')],
    ['UTF-16, big end first', bigEndian(`${MARK}é日\n`)],
  ])('of %s is the text without its byte-order mark', (_, bytes) => {
    expect(decodeText(bytes, 'it')).toBe('é日\n');
    expect(textLines(bytes, 'it').map(String)).toEqual(['é日', '']);
  });

  test.each<[string, Buffer, string]>([
    ['UTF-16, little end first', Buffer.from(`${MARK}é日😀\n`, 'utf16le'), 'é日😀\n'],
    ['UTF-16, big end first', bigEndian(`${MARK}é日😀\n`), 'é日😀\n'],
    ['UTF-8', Buffer.from('é日😀\n'), 'é日😀\n'],
    ['one byte', Buffer.from('a'), 'a'],
  ])('of %s is UTF-8 afterwards, in whatever pieces it comes', (_, bytes, expected) => {
    for (const size of [1, 2, 3, 100]) {
      const convert = utf8Converter('it');
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size)
        pieces.push(convert(bytes.subarray(at, at + size), false));
      pieces.push(convert(Buffer.alloc(0), true));
      expect(String(Buffer.concat(pieces))).toBe(expected);
    }
    const cut = utf8Converter('it');
    cut(Buffer.from([0xff, 0xfe, 0x00]), false);
    expect(() => cut(Buffer.alloc(0), true)).toThrow(/begins like UTF-16 and is not/);
  });

  test('a mark that is not at the beginning is text', () => {
    expect(decodeText(Buffer.from(`a${MARK}b`), 'it')).toBe(`a${MARK}b`);
  });

  test.each([
    ['Latin-1', Buffer.from([0x6f, 0x6b, 0x0a, 0xe9, 0x74]), /line 2 is not UTF-8/],
    ['a character cut off', Buffer.from('é').subarray(0, 1), /line 1 is not UTF-8/],
    ['half of a pair', Buffer.from([0xff, 0xfe, 0x00, 0xd8]), /begins like UTF-16/],
  ])('%s is refused: nothing is put in its place', (_, bytes, message) => {
    expect(() => decodeText(bytes, "'notes.txt'")).toThrow(message);
    expect(() => decodeText(bytes, "'notes.txt'")).toThrow("cannot read 'notes.txt'");
  });

  test('lines that are not UTF-8 are left to who reads them', () => {
    const lines = textLines(Buffer.from([0x61, 0x0a, 0xff, 0x0a]), 'it');
    expect(lines.map((line) => [...line])).toEqual([[0x61], [0xff], []]);
  });
});
