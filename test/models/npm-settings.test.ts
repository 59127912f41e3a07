/** An .npmrc means what it means to npm. */
import { NpmSettings, parseNpmrc } from '../../lib/models/sources/npm-settings.js';

const environment = { ...process.env };
afterEach(() => {
  process.env = { ...environment };
});

test.each<[string, Record<string, string>]>([
  ['registry=https://r/', { registry: 'https://r/' }],
  [
    ' registry = https://r/ \r\n\r\n@own:registry=https://o',
    { registry: 'https://r/', '@own:registry': 'https://o' },
  ],
  ['; a comment\n# another\nregistry=https://r', { registry: 'https://r' }],
  ['registry=https://r ; the new one', { registry: 'https://r' }],
  ['a=b\\;c\\#d', { a: 'b;c#d' }],
  ['a="b;c"\nd=\'e#f\'', { a: 'b;c', d: 'e#f' }],
  ['//h/:_authToken=a=b==', { '//h/:_authToken': 'a=b==' }],
  ['a=1\n[section]\na=2', { a: '1' }],
  [
    'a=${ONE}x${TWO}\nb=${NONE}\nc=${NONE?}y\nd=\\${ONE}',
    { a: '1x2', b: '${NONE}', c: 'y', d: '${ONE}' },
  ],
  ['${ONE}=a', { '1': 'a' }],
  ['a\n=b\n==\n', {}],
])('%j', (text, expected) => {
  Object.assign(process.env, { ONE: '1', TWO: '2' });
  expect(Object.fromEntries(parseNpmrc(text))).toEqual(expected);
});

describe('credentials', () => {
  const settings = (pairs: Record<string, string>) =>
    new NpmSettings(new Map(Object.entries(pairs)));
  const tokens = settings({
    '//h/:_authToken': 'host',
    '//h/a/:_authToken': 'path',
    '//h:8443/:_authToken': 'port',
  });
  const of = (url: string, registry?: string) => tokens.authorization(url, registry).authorization;

  test('are those of the longest path, on that host and port alone', () => {
    expect(of('https://h/a/b/c')).toBe('Bearer path');
    expect(of('https://h/ab/c')).toBe('Bearer host');
    expect(of('https://h:8443/a/b')).toBe('Bearer port');
    for (const other of ['https://g/a/b', 'https://h.g/a', 'https://xh/a', 'https://h:1/a'])
      expect(of(other)).toBeUndefined();
  });

  test('of a registry are for its whole origin, and for no other', () => {
    const one = settings({ '//h/npm/one/:_authToken': 'x' });
    const registry = 'https://h/npm/one/';
    expect(one.authorization('https://h/files/a.tgz', registry)).toEqual({
      authorization: 'Bearer x',
    });
    for (const url of ['https://g/files/a.tgz', 'http://h/files/a.tgz', 'https://h:1/a.tgz'])
      expect(one.authorization(url, registry)).toEqual({});
  });

  test('go over plain http only to a registry that the user has named so', () => {
    expect(of('http://h/a/b', 'http://h/')).toBe('Bearer path');
    for (const registry of ['https://h/', undefined, 'http://g/'])
      expect(of('http://h/a/b', registry)).toBeUndefined();
  });

  test('that no header can hold are refused, and not shown', () => {
    const odd = settings({ '//h/:_authToken': 'sec\nret' });
    expect(() => odd.authorization('https://h/a', undefined)).toThrow(/characters that no header/);
    expect(() => odd.authorization('https://h/a', undefined)).not.toThrow(/ret/);
  });
});
