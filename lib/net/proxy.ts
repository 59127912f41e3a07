/**
 * Proxies from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case, as curl reads them. Node's own fetch ignores
 * them, so undici's is loaded if one is set. (Its EnvHttpProxyAgent warns on stderr that it is experimental, and applies
 * a name in NO_PROXY to that host alone.) Bun's and Deno's fetch follow the variables by themselves.
 */
import type { Dispatcher } from 'undici';

import { CachalotError } from '../errors.js';
import { variable } from '../system/environment.js';

type Undici = typeof import('undici');

const agents = new Map<string, Dispatcher>();

/** The fetch for an address. */
export function fetchFor(url: URL): typeof fetch {
  const proxy = proxyFor(url);
  if (proxy === undefined || process.versions['bun'] || process.versions['deno']) return fetch;
  const { fetch: fetchWith, ProxyAgent } = require('undici') as Undici;
  let dispatcher = agents.get(proxy);
  if (!dispatcher) {
    dispatcher = new ProxyAgent({ uri: proxy, proxyTunnel: false }); // plain http needs no tunnel
    agents.set(proxy, dispatcher);
  }
  return ((input: string, init: object) =>
    fetchWith(input, { ...init, dispatcher })) as unknown as typeof fetch;
}

/** The address of the proxy for `url`, or undefined. Throws download_failed if the variable is not an address. */
export function proxyFor(url: URL): string | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const text = variable(name) ?? variable(name.toUpperCase());
  if (text === undefined || isExcepted(url)) return undefined;
  const proxy = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (/^https?:/i.test(proxy) && URL.canParse(proxy)) return proxy;
  throw new CachalotError(
    'download_failed',
    `${name.toUpperCase()} does not hold the address of an HTTP proxy (http://host:port)`,
  );
}

/** An entry of NO_PROXY is a host with all its subdomains, on one port or on all; "*" is every host. */
function isExcepted({ hostname, port, protocol }: URL): boolean {
  const list = variable('no_proxy') ?? variable('NO_PROXY') ?? '';
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    const [, name = entry, onPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
    const domain = name
      .toLowerCase()
      .replace(/^\*?\./, '')
      .replace(/^\[|\]$/g, '');
    if (domain === '' || (onPort !== undefined && onPort !== ownPort)) return false;
    return host === domain || host.endsWith(`.${domain}`);
  });
}

/** "through the proxy HOST" if there is one, for errors: the proxy may be what fails. */
export function viaProxy(url: URL): string {
  const proxy = proxyFor(url);
  return proxy === undefined ? '' : ` through the proxy ${new URL(proxy).host}`;
}
