import { createServer, request as requestOf } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';

import { proxyFor } from '../../lib/net/proxy.js';
import { send } from '../../lib/net/send.js';
import { serveWith } from '../fixtures/http-server.js';

const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

const environment = { ...process.env };
beforeEach(() => {
  for (const name of NAMES) delete process.env[name];
});
afterEach(() => {
  process.env = { ...environment };
});

const of = (url: string) => proxyFor(new URL(url));

test('the proxy is that of the scheme, in either case; blank is none', () => {
  expect(of('http://host/')).toBeUndefined();
  process.env['HTTP_PROXY'] = 'http://one:1';
  process.env['https_proxy'] = 'two:2';
  expect(of('http://host/')).toBe('http://one:1');
  expect(of('https://host/')).toBe('http://two:2');
  process.env['http_proxy'] = ' ';
  expect(of('http://host/')).toBe('http://one:1');
  process.env['http_proxy'] = 'http://three';
  expect(of('http://host/')).toBe('http://three');
  process.env['https_proxy'] = 'socks5://two:2';
  expect(() => of('https://host/')).toThrow(/HTTPS_PROXY does not hold/);
});

test.each([
  ['*', 'http://host/', true],
  ['host', 'http://host:8080/', true],
  ['host', 'http://a.host/', true],
  ['.host', 'http://a.host/', true],
  ['*.host', 'http://a.host/', true],
  ['host', 'http://ghost/', false],
  ['a.host', 'http://host/', false],
  ['HOST', 'http://host/', true],
  ['host:81', 'http://host:81/', true],
  ['host:81', 'http://host/', false],
  ['host:80', 'http://host/', true],
  ['other, host', 'http://host/', true],
  ['127.0.0.1', 'http://127.0.0.1:5/', true],
  ['[::1]:5', 'http://[::1]:5/', true],
  ['::1', 'http://[::1]:5/', true],
  ['', 'http://host/', false],
])('NO_PROXY=%j and %s: without a proxy is %p', (list, url, isExcepted) => {
  process.env['HTTP_PROXY'] = 'http://proxy:1';
  process.env['NO_PROXY'] = list;
  expect(of(url) === undefined).toBe(isExcepted);
});

/** A proxy on this machine. Every host is this machine to it. */
async function startProxy() {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    const { port, pathname } = new URL(request.url!);
    requestOf({ host: '127.0.0.1', port, path: pathname }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    const there = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () =>
      socket.write('HTTP/1.1 200 OK\r\n\r\n'),
    );
    there.pipe(socket).pipe(there);
    for (const each of [there, socket]) each.on('error', () => socket.destroy());
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    port,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

test('requests go through the proxy, with its password, to a host that only the proxy knows', async () => {
  await using server = await serveWith((_, response) => void response.end('found'));
  await using proxy = await startProxy();
  process.env['HTTP_PROXY'] = `http://name:word@127.0.0.1:${proxy.port}`;
  const { body } = await send(`http://only.the.proxy.invalid:${server.port}/f`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('found');
  const secret = Buffer.from('name:word').toString('base64');
  expect(proxy.seen).toEqual([
    `GET http://only.the.proxy.invalid:${server.port}/f Basic ${secret}`,
  ]);
  expect(server.requests).toEqual(['GET /f']);
});

test('https goes through a tunnel, and errors name the proxy', async () => {
  await using server = await serveWith((_, response) => void response.end('no TLS here'));
  await using proxy = await startProxy();
  process.env['HTTPS_PROXY'] = `http://127.0.0.1:${proxy.port}`;
  await expect(
    send(`https://only.the.proxy.invalid:${server.port}/f`, { limits: { stallMs: 20_000 } }),
  ).rejects.toMatchObject({
    message: expect.stringContaining(`through the proxy 127.0.0.1:${proxy.port}`) as string,
  });
  expect(proxy.seen).toEqual([`CONNECT only.the.proxy.invalid:${server.port}`]);
});

test('a proxy that wants a password says so, and is not asked again', async () => {
  await using proxy = await serveWith((_, response) => void response.writeHead(407).end());
  process.env['HTTP_PROXY'] = proxy.url;
  await expect(send('http://some.host.invalid/')).rejects.toMatchObject({
    code: 'download_failed',
    message: expect.stringContaining('the proxy wants a name and a password') as string,
  });
});
