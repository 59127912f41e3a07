// A chat service: POST /chat with { messages, maxTokens? } streams the answer as server-sent events.
//
//   node examples/service/server.mjs [model] [--port N] [--host H] [--max-tokens N]
//   curl -N localhost:8080/chat -H 'content-type: application/json' -d '{"messages":[{"role":"user","content":"Hello!"}]}'
//
// All requests run in the same steps of one engine, and what their conversations share is computed once.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { CachalotError, Engine } from 'cachalot';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' }, // nobody else, unless you say so
    'max-tokens': { type: 'string', default: '1024' }, // the longest answer that anybody may ask for
  },
});
const MAX_BODY = 1 << 20;
const MAX_TOKENS = Number(values['max-tokens']);
const MAX_RUNNING = 64;

const engine = await Engine.load(positionals[0] ?? 'tinyllama-1.1b-chat');

async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
    // What is too large is read on for a while, and forgotten: a client that still writes would not hear the answer.
    if (size > 64 * MAX_BODY) break;
  }
  if (size > MAX_BODY) throw new HttpError(413, 'the body is larger than 1 MiB');
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
  const { running, waiting } = engine.stats();
  if (running + waiting >= MAX_RUNNING)
    throw new HttpError(503, 'too many answers are being given');
  if (!(maxTokens >= 1 && maxTokens <= MAX_TOKENS))
    throw new HttpError(400, `maxTokens must be from 1 to ${MAX_TOKENS}`);
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

/** Whose fault it was: the client's, or ours. */
const STATUS = {
  invalid_argument: 400,
  context_overflow: 400,
  template_failed: 400,
  template_too_large: 400,
  kv_budget_exceeded: 503,
  disposed: 503,
};

function fail(response, error) {
  const status =
    error.status ?? (error instanceof CachalotError ? STATUS[error.code] : undefined) ?? 500;
  const body = { error: { code: error.code ?? 'http', message: error.message } };
  if (status === 500) console.error(error);
  if (response.headersSent) response.end(`data: ${JSON.stringify(body)}\n\n`);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function answer(request, response) {
  const route = `${request.method} ${request.url}`;
  if (route === 'POST /chat') return chat(request, response);
  if (route !== 'GET /stats') throw new HttpError(404, 'there are only POST /chat and GET /stats');
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify(engine.stats()));
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!response.destroyed) fail(response, error);
  });
});

server.listen(Number(values.port), values.host, () => {
  console.log(`listening on http://${values.host}:${server.address().port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    server.closeAllConnections();
    await engine.dispose();
  });
}
