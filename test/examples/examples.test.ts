/** The examples, run as their comments say. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const examples = join(__dirname, '..', '..', 'examples');
const TEMPLATE = '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}assistant:';

interface Event {
  text?: string;
  finishReason?: string;
  usage?: { completionTokens: number };
}

describe('the service', () => {
  let server: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const { path } = await writeTinyModel({
      template: TEMPLATE,
      shape: { width: 256, ffn: 1024, layers: 8, context: 32768 }, // 1024 tokens take a while
    });
    server = spawn(process.execPath, [
      join(examples, 'service', 'server.mjs'),
      path,
      '--port',
      '0',
      '--max-tokens',
      '30000',
    ]);
    server.stderr!.pipe(process.stderr);
    url = await new Promise<string>((ready) =>
      server.stdout!.on('data', (text: Buffer) => {
        const found = /http:\S+/.exec(text.toString());
        if (found) ready(found[0]);
      }),
    );
  });
  afterAll(() => void server.kill('SIGKILL'));

  const post = (body: string, signal?: AbortSignal) =>
    fetch(`${url}/chat`, { method: 'POST', body, ...(signal ? { signal } : {}) });
  const chat = (content: string, maxTokens: number, signal?: AbortSignal) =>
    post(JSON.stringify({ messages: [{ role: 'user', content }], maxTokens }), signal);
  const events = (text: string) =>
    text
      .split('\n\n')
      .filter((part) => part !== '')
      .map((part) => JSON.parse(part.replace(/^data: /, '')) as Event);

  test('streams an answer in pieces, with its usage at the end', async () => {
    const response = await chat('the', 30);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const all = events(await response.text());
    expect(all.length).toBeGreaterThan(3);
    expect(all.at(-1)).toMatchObject({ finishReason: 'length', usage: { completionTokens: 30 } });
  });

  test('answers many at once, each its own', async () => {
    const texts = await Promise.all(
      ['a', 'b', 'c', 'a'].map(async (content) => (await chat(content, 20)).text()),
    );
    const said = texts.map((text) =>
      events(text)
        .map((event) => event.text ?? '')
        .join(''),
    );
    expect(said[0]).toBe(said[3]);
    expect(said[0]).not.toBe(said[1]);
  });

  test.each([
    ['no JSON', '{', 400],
    ['no messages', '{}', 400],
    ['null', 'null', 400],
    ['a bad role', '{"messages":[{"role":"king","content":"x"}]}', 400],
    ['bad options', '{"messages":[{"role":"user","content":"x"}],"maxTokens":-1}', 400],
    ['too much', JSON.stringify('x'.repeat(2 << 20)), 413],
  ])('%s is refused with a reason', async (_, body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.message.length).toBeGreaterThan(10);
  });

  test('everything else is not there', async () => {
    expect((await fetch(`${url}/etc`)).status).toBe(404);
  });

  test('a client that leaves ends its answer, and the others go on', async () => {
    const stats = async () =>
      (await (await fetch(`${url}/stats`)).json()) as { running: number; generatedTokens: number };
    const leaving = new AbortController();
    const before = (await stats()).generatedTokens;
    const response = await chat('the', 30_000, leaving.signal);
    await response.body!.getReader().read();
    expect((await stats()).running).toBe(1);
    leaving.abort();
    while ((await stats()).running > 0) await new Promise((next) => setTimeout(next, 1));
    expect((await stats()).generatedTokens - before).toBeLessThan(30_000);
    expect(await (await chat('the', 3)).text()).toContain('"completionTokens":3');
  });

  test('ends when it is told to, in the middle of an answer', async () => {
    const response = await chat('the', 1024);
    await response.body!.getReader().read();
    const ended = new Promise((exit) => server.once('exit', exit));
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

test('the classifier computes its examples once for all texts', async () => {
  const { path } = await writeTinyModel({ shape: { context: 2048 } });
  const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
    const script = join(examples, 'classify', 'classify.mjs');
    const child = execFile(process.execPath, [script, path], (_, out, err) =>
      done({ stdout: out, stderr: err }),
    );
    child.stdin!.end(`${texts.join('\n')}\n`);
  });
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; class: string | null });
  expect(results.map(({ text }) => text)).toEqual(texts);
  for (const result of results) expect(Object.keys(result)).toEqual(['text', 'class']);
  const [, all, shared] = /(\d+) tokens of prompts, (\d+) of them shared/.exec(stderr)!.map(Number);
  expect(shared! / all!).toBeGreaterThan(0.9);
});
