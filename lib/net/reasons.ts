/** Why a connection failed, in words: what happened, and what the user can do about it. */

export interface Reason {
  text: string;
  /** Whether the same request may succeed a moment later. */
  mayPass: boolean;
}

const WORDS: Record<string, [text: string, mayPass: boolean]> = {
  ECONNREFUSED: [
    'the connection was refused; is the address right, and does a server listen there?',
    true,
  ],
  ECONNRESET: ['the connection was reset by the other side', true],
  EPIPE: ['the connection was closed by the other side', true],
  ECONNABORTED: ['the connection was given up by the system', true],
  UND_ERR_SOCKET: ['the connection was closed by the other side', true],
  ENOTFOUND: ['there is no host of that name; is it spelt right, and is there a network?', false],
  EAI_AGAIN: ['the name of the host cannot be looked up now; is there a network?', true],
  ENETUNREACH: ['there is no way to that network; is this machine connected?', true],
  EHOSTUNREACH: ['there is no way to that host; is this machine connected?', true],
  ETIMEDOUT: ['it did not answer in time', true],
  UND_ERR_CONNECT_TIMEOUT: ['it did not answer in time', true],
  UND_ERR_HEADERS_TIMEOUT: ['it did not answer in time', true],
  UND_ERR_BODY_TIMEOUT: ['it stopped sending', true],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['it sent another number of bytes than it announced', true],
};

/** Codes of certificate errors: OpenSSL's names, and Node's for a certificate of another host. */
const CERTIFICATE =
  /CERT|^ERR_TLS_CERT|SELF_SIGNED|UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER|^(HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/;
const TLS = /^(EPROTO|ERR_SSL|ERR_TLS|UND_ERR_PRX_TLS)/;

/** The reason of an error that `fetch`, or reading its answer, threw. */
export function reasonOf(error: unknown): Reason {
  const { code, message } = innermost(error);
  const known = code === undefined ? undefined : WORDS[code];
  if (known) return { text: known[0], mayPass: known[1] };
  if (/Proxy (Auth|response).*\b407\b/.test(message)) {
    const text = 'the proxy wants a name and a password: write http://name:password@host:port';
    return { text, mayPass: false };
  }
  if (code !== undefined && CERTIFICATE.test(code)) {
    const text = `its certificate is not trusted (${message}); behind a proxy that opens TLS, name the proxy's certificate in NODE_EXTRA_CA_CERTS`;
    return { text, mayPass: false };
  }
  if (code !== undefined && TLS.test(code)) {
    const text = `no TLS connection could be made (${firstLine(message)}); is it an https server, and the port right?`;
    return { text, mayPass: false };
  }
  return { text: firstLine(message), mayPass: true };
}

/** `fetch` says "fetch failed", and a connection to several addresses "AggregateError": the errors inside say more. */
function innermost(error: unknown): { code: string | undefined; message: string } {
  let found = { code: undefined as string | undefined, message: String(error) };
  for (let next = error, depth = 0; isObject(next) && depth < 8; depth++) {
    const { code, message, cause, errors } = next as {
      code?: unknown;
      message?: unknown;
      cause?: unknown;
      errors?: unknown[];
    };
    found = {
      code: typeof code === 'string' ? code : found.code,
      message: typeof message === 'string' && message !== '' ? message : found.message,
    };
    next = cause ?? errors?.[0];
  }
  return found;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.trim();
}
