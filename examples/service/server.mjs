// A chat service: POST /chat with { messages, maxTokens? } streams the answer as server-sent events.
//
//   node examples/service/server.mjs [model] [--port N]
//   curl -N localhost:8080/chat -H 'content-type: application/json' -d '{"messages":[{"role":"user","content":"Hello!"}]}'
//
// All requests run in the same steps of one engine, and what their conversations share is computed once.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { CachalotError, Engine } from 'cachalot';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '8080' } },
});
const MAX_BODY = 1 << 20;

const engine = await Engine.load(positionals[0] ?? 'tinyllama-1.1b-chat');

async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > MAX_BODY) throw new HttpError(413, 'the body is larger than 1 MiB');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new HttpError(400, 'the body is no JSON');
  }
}

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function chat(request, response) {
  const { messages, maxTokens = 256 } = (await readJson(request)) ?? {};
  const gone = new AbortController();
  response.on('close', () => gone.abort()); // nobody listens any more: the engine stops at its next step
  const generation = engine.chat(messages, { maxTokens, signal: gone.signal });
  const event = (data) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  for await (const text of generation) {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    event({ text });
  }
  const { finishReason, usage } = await generation.result;
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  event({ finishReason, usage });
  response.end();
}

function fail(response, error) {
  const isTheirs = error instanceof CachalotError && error.code !== 'internal';
  const status = error.status ?? (isTheirs ? 400 : 500);
  if (status === 500) console.error(error);
  // What is left of a body that is too large is not read.
  const headers = {
    'content-type': 'application/json',
    ...(status === 413 && { connection: 'close' }),
  };
  const body = { error: { code: error.code ?? 'http', message: error.message } };
  if (response.headersSent) response.end(`data: ${JSON.stringify(body)}\n\n`);
  else response.writeHead(status, headers).end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  const isChat = request.method === 'POST' && request.url === '/chat';
  const work = isChat
    ? chat(request, response)
    : Promise.reject(new HttpError(404, 'there is only POST /chat'));
  work.catch((error) => {
    if (!response.destroyed) fail(response, error);
  });
});

server.listen(Number(values.port), () => {
  console.log(`listening on http://localhost:${server.address().port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    server.closeAllConnections();
    await engine.dispose();
  });
}
