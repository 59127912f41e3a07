/** One HTTP request: through the proxy if there is one, with redirects only where they are allowed, and with a timeout when nothing comes. */
import { clearTimeout, setTimeout } from 'node:timers';

import { CachalotError, abortError } from '../errors.js';
import { fetchFor, viaProxy } from './proxy.js';
import { reasonOf } from './reasons.js';
import { Interrupted, NET_LIMITS, retryAfterMs } from './retry.js';
import type { NetOptions } from './retry.js';

export interface SendOptions extends NetOptions {
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  /** Whether to follow a redirect; default: always. If not, the redirect itself is the answer. */
  follows?: (redirect: Answer, target: URL) => boolean;
}

export interface Answer {
  /** The address of the answer, after redirects. */
  url: URL;
  status: number;
  statusText: string;
  headers: Headers;
  /** Must be read to its end, or cancelled. Throws Interrupted. */
  body: AsyncIterable<Uint8Array>;
  cancel: () => Promise<void>;
}

const MOST_REDIRECTS = 10;

/** Throws Interrupted, download_failed or aborted; returns every answer that is not a redirect. */
export async function send(address: string, options: SendOptions = {}): Promise<Answer> {
  let url = new URL(address);
  let headers = options.headers ?? {};
  for (let redirects = 0; ; redirects++) {
    const answer = await sendOnce(url, headers, options);
    const location = answer.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === null) return answer;
    const target = redirectTarget(url, location, redirects);
    if (options.follows && !options.follows(answer, target)) return answer;
    await answer.cancel();
    // A token is only for the host that it was given for.
    if (target.origin !== url.origin) headers = withoutSecrets(headers);
    url = target;
  }
}

/** The target of a redirect. Throws download_failed if no file may come from there. */
export function redirectTarget(url: URL, location: string, redirects: number): URL {
  const refuse = (why: string) =>
    new CachalotError('download_failed', `cannot fetch ${shown(url)}: ${why}`);
  if (redirects >= MOST_REDIRECTS)
    throw refuse(`it was redirected more than ${MOST_REDIRECTS} times`);
  if (!URL.canParse(location, url.href)) throw refuse('it redirects to what is no address');
  const target = new URL(location, url);
  if (target.protocol !== 'https:' && target.protocol !== 'http:')
    throw refuse(`it redirects to a ${target.protocol} address, which is refused`);
  if (url.protocol === 'https:' && target.protocol === 'http:')
    throw refuse(
      `it redirects from https to http (${shown(target)}), which is refused: anyone on the way could change the file`,
    );
  return target;
}

function withoutSecrets(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(authorization|cookie)$/i.test(name)),
  );
}

async function sendOnce(
  url: URL,
  headers: Record<string, string>,
  { method = 'GET', signal, limits }: SendOptions,
): Promise<Answer> {
  if (signal?.aborted) throw abortError(signal);
  const watch = new Watch(signal, limits?.stallMs ?? NET_LIMITS.stallMs);
  const failed = (error: unknown) => {
    watch.end();
    return failure(url, error, watch, signal);
  };
  let response: Response;
  try {
    response = await watch.within(
      fetchFor(url)(url.href, { method, headers, redirect: 'manual', signal: watch.signal }),
    );
  } catch (error) {
    throw failed(error);
  }
  const { status, statusText } = response;
  const body = response.body as AsyncIterable<Uint8Array> | null;
  if (!body) watch.end();
  return {
    url,
    status,
    statusText,
    headers: response.headers,
    body: body ? watched(body, watch, failed) : nothing(),
    cancel: async () => {
      watch.end();
      await response.body?.cancel().catch(() => undefined);
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function* watched(
  body: AsyncIterable<Uint8Array>,
  watch: Watch,
  failed: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const chunk = await watch.within(chunks.next()).catch((error: unknown) => {
        throw failed(error);
      });
      if (chunk.done) return;
      yield chunk.value;
    }
  } finally {
    watch.end();
    await chunks.return?.().catch(() => undefined); // closes the connection if the reader left early
  }
}

function failure(url: URL, error: unknown, watch: Watch, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return abortError(signal);
  if (error instanceof CachalotError) return error;
  const where = `${url.host}${viaProxy(url)}`;
  if (watch.hasStalled)
    return new Interrupted(`${where}: not a byte came for ${watch.stallMs / 1000} seconds`);
  const { text, mayPass } = reasonOf(error);
  if (mayPass) return new Interrupted(`${where}: ${text}`, { cause: error });
  return new CachalotError('download_failed', `cannot fetch ${shown(url)}: ${where}: ${text}`, {
    cause: error,
  });
}

/** Aborts a request when its user does, or when nothing has come for too long. */
class Watch {
  readonly #controller = new AbortController();
  readonly #user: AbortSignal | undefined;
  readonly #onAbort = () => this.#controller.abort(this.#user?.reason);
  hasStalled = false;

  constructor(
    user: AbortSignal | undefined,
    readonly stallMs: number,
  ) {
    this.#user = user;
    user?.addEventListener('abort', this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Only time spent waiting for the server counts: a slow disk is not a slow server. */
  async within<T>(step: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.hasStalled = true;
      this.#controller.abort();
    }, this.stallMs);
    try {
      return await step;
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#user?.removeEventListener('abort', this.#onAbort);
  }
}

/** Without the query, which may contain a signature. */
export function shown(url: URL | string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** The error of an answer that is not a success: worth another try, or final. The answer's body is not read. */
export async function refusal(answer: Answer, advice = ''): Promise<Error> {
  await answer.cancel();
  const { status, statusText, headers, url } = answer;
  const why = `${url.host} answered ${`${status} ${statusText}`.trim()}`;
  if (status === 408 || status === 429 || status >= 500)
    return new Interrupted(why, { pauseMs: retryAfterMs(headers.get('retry-after')) });
  return new CachalotError('download_failed', `cannot fetch ${shown(url)}: ${why}${advice}`);
}
