import { readFileSync } from 'node:fs';

import { download } from '../../lib/net/download.js';
import { Interrupted, retryAfterMs, withRetries } from '../../lib/net/retry.js';
import { serveWith } from '../fixtures/http-server.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

/** Pauses are written down, not waited for. */
function recorded() {
  const pauses: number[] = [];
  return {
    pauses,
    limits: {
      attempts: 4,
      pause: async (ms: number) => {
        pauses.push(ms);
      },
    },
  };
}

describe('another try', () => {
  test.each([408, 429, 500, 502, 503, 504])('follows an answer of %d', async (status) => {
    await using server = await serveWith((_, response, count) => {
      if (count < 2) response.writeHead(status).end();
      else response.end('it is here');
    });
    const { limits, pauses } = recorded();
    const file = temporaryPath('file');
    await download({ url: `${server.url}/f`, file, limits });
    expect(readFileSync(file, 'utf8')).toBe('it is here');
    expect(pauses).toEqual([250, 500]); // longer each time
  });

  test.each([400, 401, 403, 404, 410])('does not follow an answer of %d', async (status) => {
    await using server = await serveWith((_, response) => void response.writeHead(status).end());
    const { limits, pauses } = recorded();
    const url = `${server.url}/f?secret=1`;
    const failed = download({ url, file: temporaryPath('file'), limits });
    await expect(failed).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(
        new RegExp(`^cannot fetch ${server.url}/f: 127.0.0.1:\\d+ answered ${status} `),
      ) as string,
    });
    expect(pauses).toEqual([]);
  });

  test('comes after the pause that the server asks for', async () => {
    await using server = await serveWith((_, response, count) => {
      if (count === 0) response.writeHead(429, { 'retry-after': '7' }).end();
      else response.end('x');
    });
    const { limits, pauses } = recorded();
    await download({ url: server.url, file: temporaryPath('file'), limits });
    expect(pauses).toEqual([7000]);
  });

  test('is left to the user where the server asks for a pause of an hour', async () => {
    await using server = await serveWith(
      (_, response) => void response.writeHead(503, { 'retry-after': '3600' }).end(),
    );
    const { limits, pauses } = recorded();
    const failed = download({ url: server.url, file: temporaryPath('file'), limits });
    await expect(failed).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('a pause of 3600 seconds') as string,
    });
    expect(pauses).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test('ends after so many, and the error says what it was and what to do', async () => {
    await using server = await serveWith((_, response) => void response.writeHead(500).end());
    const { limits, pauses } = recorded();
    const failed = download({ url: `${server.url}/f`, file: temporaryPath('file'), limits });
    await expect(failed).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(
        /^cannot download http:.*\/f: .* answered 500 .*; tried 4 times; run the same command again/,
      ) as string,
    });
    expect(pauses).toHaveLength(3);
  });

  test('is counted anew when there was progress', async () => {
    const { limits } = recorded();
    let received = 0;
    const work = async () => {
      received++;
      if (received < 20) throw new Interrupted('again');
      return received;
    };
    expect(await withRetries('x', work, { limits }, () => received)).toBe(20);
    received = 0;
    const stuck = withRetries('x', work, { limits }, () => 0);
    await expect(stuck).rejects.toMatchObject({ code: 'download_failed' });
    expect(received).toBe(4);
  });

  test('does not follow an abort', async () => {
    const controller = new AbortController();
    const { pauses, limits } = recorded();
    const failed = withRetries(
      'x',
      async () => {
        controller.abort();
        throw new Interrupted('again');
      },
      { limits, signal: controller.signal },
    );
    await expect(failed).rejects.toMatchObject({ code: 'aborted' });
    expect(pauses).toEqual([]);
  });
});

test('Retry-After is read as seconds and as a date', () => {
  const now = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT');
  expect(retryAfterMs('120', now)).toBe(120_000);
  expect(retryAfterMs('Sun, 06 Nov 1994 08:50:37 GMT', now)).toBe(60_000);
  expect(retryAfterMs('Sun, 06 Nov 1994 08:48:37 GMT', now)).toBe(0); // past
  for (const odd of [null, '', ' ', '-5x', 'soon']) expect(retryAfterMs(odd, now)).toBeUndefined();
});
