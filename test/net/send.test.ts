import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';

import { reasonOf } from '../../lib/net/reasons.js';
import { Interrupted } from '../../lib/net/retry.js';
import { redirectTarget, send } from '../../lib/net/send.js';
import { serveWith } from '../fixtures/http-server.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A certificate that nobody vouches for; undefined where there is no openssl to make it. */
function selfSigned(): { key: Buffer; cert: Buffer } | undefined {
  const folder = temporaryPath('tls');
  mkdirSync(folder, { recursive: true });
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) return undefined;
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

describe('a connection that fails says why, where, and whether to try again', () => {
  test('refused', async () => {
    const server = await serveWith(() => undefined);
    await server[Symbol.asyncDispose]();
    const failed = send(server.url);
    await expect(failed).rejects.toBeInstanceOf(Interrupted);
    await expect(failed).rejects.toMatchObject({
      message: expect.stringMatching(/^127\.0\.0\.1:\d+: the connection was refused/) as string,
    });
  });

  test('reset', async () => {
    await using server = await serveWith((request) => void request.socket.resetAndDestroy());
    await expect(send(server.url)).rejects.toMatchObject({
      message: expect.stringMatching(/connection was (reset|closed) by the other side/) as string,
    });
  });

  test('cut off in the middle of the body', async () => {
    await using server = await serveWith((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('some', () => response.destroy());
    });
    const { body } = await send(server.url);
    await expect(textOf(body)).rejects.toBeInstanceOf(Interrupted);
  });

  const keys = selfSigned();
  (keys ? test : test.skip)(
    `a certificate that nobody vouches for: final, with what to do${keys ? '' : ' (there is no openssl to make one)'}`,
    async () => {
      await using server = await serveWith(
        (_, response) => void response.end(),
        (listener) => createHttpsServer(keys!, listener),
      );
      await expect(send(server.url.replace('http:', 'https:'))).rejects.toMatchObject({
        code: 'download_failed',
        message: expect.stringMatching(
          /certificate is not trusted .*NODE_EXTRA_CA_CERTS/,
        ) as string,
      });
    },
  );

  test('no TLS on the other side: final', async () => {
    await using server = await serveWith((_, response) => void response.end());
    await expect(send(server.url.replace('http:', 'https:'))).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('no TLS connection could be made') as string,
    });
  });

  test.each([
    ['ENOTFOUND', /no host of that name/, false],
    ['EAI_AGAIN', /cannot be looked up now/, true],
    ['ENETUNREACH', /no way to that network/, true],
    ['UND_ERR_CONNECT_TIMEOUT', /did not answer in time/, true],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate is not trusted/, false],
    ['CERT_HAS_EXPIRED', /certificate is not trusted/, false],
    ['EPROTO', /no TLS connection/, false],
  ])('%s, wherever in the causes it lies', (code, words, mayPass) => {
    const inner = Object.assign(new Error('inner'), { code });
    const error = new TypeError('fetch failed', { cause: inner });
    const many = new TypeError('fetch failed', { cause: new AggregateError([inner]) });
    for (const each of [error, many]) {
      expect(reasonOf(each)).toMatchObject({ mayPass });
      expect(reasonOf(each).text).toMatch(words);
    }
  });
});

describe('a server that sends nothing', () => {
  test('no answer: ends by itself, as one to try again', async () => {
    await using server = await serveWith(() => undefined);
    for (const method of ['HEAD', 'GET'] as const) {
      const failed = send(server.url, { method, limits: { stallMs: 50 } });
      await expect(failed).rejects.toBeInstanceOf(Interrupted);
      await expect(failed).rejects.toMatchObject({
        message: expect.stringContaining('not a byte came for 0.05 seconds') as string,
      });
    }
  });

  test('a body that stops: ends by itself, too', async () => {
    await using server = await serveWith((_, response) => void response.write('some'));
    const reading = send(server.url, { limits: { stallMs: 1000 } }).then(({ body }) =>
      textOf(body),
    );
    await expect(reading).rejects.toMatchObject({
      message: expect.stringContaining('not a byte came for 1 seconds') as string,
    });
  });

  test('an abort ends the waiting', async () => {
    const controller = new AbortController();
    await using server = await serveWith(() => controller.abort());
    const failed = send(server.url, { signal: controller.signal });
    await expect(failed).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('redirects', () => {
  test('are followed, and a token stays with the host that it is for', async () => {
    const tokens: (string | undefined)[] = [];
    await using storage = await serveWith((request, response) => {
      tokens.push(request.headers.authorization);
      response.end('found');
    });
    await using server = await serveWith((request, response) => {
      tokens.push(request.headers.authorization);
      const location = request.url === '/a' ? '/b' : `${storage.url}/c`;
      response.writeHead(302, { location }).end();
    });
    const headers = { authorization: 'Bearer secret' };
    const { body, url } = await send(`${server.url}/a`, { headers });
    expect(await textOf(body)).toBe('found');
    expect(url.href).toBe(`${storage.url}/c`);
    expect(tokens).toEqual(['Bearer secret', 'Bearer secret', undefined]);
  });

  test.each([
    ['data:,GGUF', /redirects to a data: address/],
    ['file:///etc/passwd', /redirects to a file: address/],
    ['ftp://host/x', /redirects to a ftp: address/],
    ['http://', /redirects to what is no address/],
    ['/again', /redirected more than 10 times/],
  ])('to %s are refused', async (location, message) => {
    await using server = await serveWith(
      (_, response) => void response.writeHead(302, { location }).end(),
    );
    await expect(send(server.url)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(message) as string,
    });
  });

  test('from https to http are refused, and those from http to https are not', () => {
    expect(() => redirectTarget(new URL('https://host/a'), 'http://host/b', 0)).toThrow(
      expect.objectContaining({
        code: 'download_failed',
        message: expect.stringContaining('from https to http') as string,
      }) as Error,
    );
    const target = redirectTarget(new URL('http://host/a'), 'https://host/b', 0);
    expect(target.href).toBe('https://host/b');
  });
});
