import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { download } from '../../lib/net/download.js';
import type { Download } from '../../lib/net/download.js';
import { serveWith } from '../fixtures/http-server.js';
import type { Handler } from '../fixtures/http-server.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const content = Buffer.from('0123456789'.repeat(100));
const sha256 = {
  algorithm: 'sha256',
  digest: createHash('sha256').update(content).digest('hex'),
  encoding: 'hex',
} as const;

/** A folder of its own, so that what is left behind is seen. */
function target(part?: Buffer, etag?: string): string {
  const folder = temporaryPath('download');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'file');
  if (part) writeFileSync(`${file}.part`, part);
  if (etag) writeFileSync(`${file}.part.etag`, etag);
  return file;
}

async function fetchTo(file: string, handler: Handler, job: Partial<Download> = {}) {
  await using server = await serveWith(handler);
  const limits = { attempts: 3, pause: async () => undefined };
  await download({ url: `${server.url}/f`, file, limits, ...job });
  return server.requests;
}

const left = (file: string) => readdirSync(dirname(file));

/** What a well-behaved server does. */
const serve: Handler = (request, response) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = `bytes ${from}-${content.length - 1}/${content.length}`;
  response.writeHead(from > 0 ? 206 : 200, {
    etag: '"v1"',
    'content-length': content.length - from,
    ...(from > 0 ? { 'content-range': range } : {}),
  });
  response.end(content.subarray(from));
};

describe('what does not arrive as it was asked for is refused, and nothing of it is left', () => {
  test('more bytes than there should be', async () => {
    const file = target();
    const more: Handler = (_, response) => {
      response.write(content); // without a length
      response.write('and more'); // and without an end
    };
    await expect(fetchTo(file, more, { bytes: content.length })).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringContaining(`more than ${content.length} bytes`) as string,
    });
    expect(left(file)).toEqual([]);
  });

  test('another length than the file has, with its first words', async () => {
    const file = target();
    const page: Handler = (_, response) => void response.end('<html>Please log in</html>');
    await expect(fetchTo(file, page, { bytes: content.length })).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(/offers 26 bytes, not 1000.*<html>Please log in/) as string,
    });
    expect(left(file)).toEqual([]);
  });

  test('a part that nobody asked for', async () => {
    const file = target();
    const part: Handler = (_, response) => {
      response.writeHead(206, { 'content-range': `bytes 10-999/1000` });
      response.end(content.subarray(10));
    };
    await expect(fetchTo(file, part)).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringContaining('though the whole was asked for') as string,
    });
    expect(left(file)).toEqual([]);
  });

  test('what a check refuses, even when it comes a second time', async () => {
    const file = target();
    const check = async () => Promise.reject(Object.assign(new Error('no'), { code: 'x' }));
    for (let time = 0; time < 2; time++)
      await expect(fetchTo(file, serve, { check })).rejects.toThrow('no');
    expect(left(file)).toEqual([]);
  });

  test('an answer without content', async () => {
    const file = target();
    const empty: Handler = (_, response) => void response.writeHead(204).end();
    await expect(fetchTo(file, empty)).rejects.toMatchObject({ code: 'download_failed' });
    expect(existsSync(file)).toBe(false);
  });
});

describe('going on where an earlier try ended', () => {
  test.each([
    ['begins elsewhere', 'bytes 400-999/1000'],
    ['is of a file of another size', 'bytes 500-1999/2000'],
    ['does not say what it is', undefined],
  ])('a part that %s is not joined: the file is fetched from its beginning', async (_, range) => {
    const file = target(Buffer.alloc(500, 'x'), '"v1"');
    const requests = await fetchTo(
      file,
      (request, response, count) => {
        if (count > 0) return serve(request, response, count);
        response.writeHead(206, range === undefined ? {} : { 'content-range': range });
        response.end(content.subarray(400));
      },
      { bytes: content.length },
    );
    expect(requests).toHaveLength(2);
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(left(file)).toEqual(['file']);
  });

  test('a part that is shorter than the rest is followed by the next', async () => {
    const file = target(content.subarray(0, 100), '"v1"');
    const short: Handler = (request, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range!)![1]);
      const part = content.subarray(from, from + 300);
      const range = `bytes ${from}-${from + part.length - 1}/${content.length}`;
      response.writeHead(206, { 'content-range': range, 'content-length': part.length });
      response.end(part);
    };
    // The server names no validator: only the hash lets the next try go on.
    expect(await fetchTo(file, short, { hash: sha256 })).toHaveLength(3);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('what was there of another file is gone before the new one is begun', async () => {
    const file = target(Buffer.alloc(500, 'x'), '"old"');
    const cut: Handler = (_, response) => {
      response.writeHead(200, { etag: '"new"', 'content-length': content.length });
      response.write(content.subarray(0, 100), () => response.destroy());
    };
    await expect(fetchTo(file, cut)).rejects.toMatchObject({ code: 'download_failed' });
    expect(content.indexOf(readFileSync(`${file}.part`))).toBe(0);
    expect(readFileSync(`${file}.part.etag`, 'utf8')).toBe('"new"');
    expect(statSync(`${file}.part`).mode & 0o777).toBe(0o600);
  });

  test('a part that is packed is not joined to one that is not', async () => {
    const file = target(content.subarray(0, 500), '"v1"');
    await fetchTo(file, (request, response, count) => {
      if (count > 0) return serve(request, response, count);
      const range = 'bytes 500-999/1000';
      response.writeHead(206, { 'content-range': range, 'content-encoding': 'gzip' });
      response.end(gzipSync(content.subarray(500)));
    });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('more than the whole is no part of it', async () => {
    const file = target(Buffer.alloc(2000), '"v1"');
    await fetchTo(file, serve, { bytes: content.length });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('by force: a part is continued only where a hash can tell that it is sound', async () => {
    const damaged = target(Buffer.alloc(500), '"v1"');
    await fetchTo(damaged, serve, { force: true });
    expect(readFileSync(damaged).equals(content)).toBe(true);
  });
});

describe('a disk that is full', () => {
  afterEach(() => jest.restoreAllMocks());

  test('is said, what has come is kept, and the next call goes on behind it', async () => {
    const file = target();
    const handle = await open(__filename);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    const write = Reflect.get(prototype, 'write') as (
      this: FileHandle,
      bytes: Uint8Array,
    ) => Promise<{ bytesWritten: number }>;
    let room = 300;
    jest.spyOn(prototype, 'write').mockImplementation(async function (
      this: FileHandle,
      ...[bytes]: unknown[]
    ) {
      if (room === 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      const fits = (bytes as Uint8Array).subarray(0, room); // a disk takes what it can
      room -= fits.length;
      return write.call(this, fits) as never;
    });
    await expect(fetchTo(file, serve)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(
        /cannot write '.*file\.part': the disk is full; what has come so far is kept/,
      ) as string,
    });
    expect(readFileSync(`${file}.part`).equals(content.subarray(0, 300))).toBe(true);
    jest.restoreAllMocks();
    const ranges: (string | undefined)[] = [];
    await fetchTo(file, (request, response, count) => {
      ranges.push(request.headers.range);
      serve(request, response, count);
    });
    expect(ranges).toEqual(['bytes=300-']);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('other refusals of the file system name the file, too', async () => {
    const file = join(target(Buffer.alloc(1)), '..', 'file.part', 'below');
    await expect(fetchTo(file, serve)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('file.part') as string,
    });
    const long = join(dirname(target()), 'x'.repeat(300));
    await expect(fetchTo(long, serve)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('the name is too long') as string,
    });
  });
});
