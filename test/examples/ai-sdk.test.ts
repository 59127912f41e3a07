/** The language model for the AI SDK, called as its specification says; `npm run test:package` runs it under the SDK itself. */
import { UnsupportedFunctionalityError } from '@ai-sdk/provider';
import type {
  JSONSchema7,
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3Message,
  LanguageModelV3StreamPart,
} from '@ai-sdk/provider';

import { Engine } from '../../lib/engine.js';
import type { Generation } from '../../lib/generation/generation.js';
import type { Message } from '../../lib/chat/messages.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const { cachalot } = require('../../examples/ai-sdk/provider.mjs') as {
  cachalot: (engine: Engine) => LanguageModelV3;
};

const TEMPLATE = `{% if broken %}{{ raise_exception('broken') }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}assistant:`;

let engine: Engine;
let model: LanguageModelV3;

beforeAll(async () => {
  const { path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 32768 } });
  engine = await Engine.load(path);
  model = cachalot(engine);
});
afterAll(() => engine.dispose());

const user = (text: string): LanguageModelV3Message => ({
  role: 'user',
  content: [{ type: 'text', text }],
});

const call = (options: Partial<LanguageModelV3CallOptions> = {}): LanguageModelV3CallOptions => ({
  prompt: [user('the a and')],
  maxOutputTokens: 12,
  ...options,
});

async function streamed(options: LanguageModelV3CallOptions): Promise<LanguageModelV3StreamPart[]> {
  const parts: LanguageModelV3StreamPart[] = [];
  const { stream } = await model.doStream(options);
  for await (const part of stream as AsyncIterable<LanguageModelV3StreamPart> & typeof stream)
    parts.push(part);
  return parts;
}

/** What the engine is asked. */
async function asked(options: Partial<LanguageModelV3CallOptions>) {
  const chat = jest.spyOn(engine, 'chat');
  try {
    await model.doGenerate(call(options));
    const [messages, given] = chat.mock.calls[0]!;
    return { messages: messages as Message[], given: JSON.parse(JSON.stringify(given)) as object };
  } finally {
    chat.mockRestore();
  }
}

test('says what it is, and that no file need be downloaded', () => {
  expect(model).toMatchObject({ specificationVersion: 'v3', provider: 'cachalot' });
  expect(model.modelId).toMatch(/\.gguf$/);
  const patterns = (model.supportedUrls as Record<string, RegExp[]>)['*/*']!;
  expect(patterns.some((pattern) => pattern.test('https://example.org/cat.png'))).toBe(true);
});

test("an answer is the engine's, with why it ended and what it took", async () => {
  const expected = await engine.chat([{ role: 'user', content: 'the a and' }], { maxTokens: 12 })
    .result;
  const result = await model.doGenerate(call());
  expect(result.content).toEqual([{ type: 'text', text: expected.text }]);
  expect(result.finishReason).toEqual({ unified: 'length', raw: 'length' });
  expect(result.warnings).toEqual([]);
  const { inputTokens, outputTokens } = result.usage;
  expect(inputTokens.total).toBe(expected.usage.promptTokens);
  expect(inputTokens.noCache! + inputTokens.cacheRead!).toBe(inputTokens.total);
  expect(outputTokens).toEqual({ total: 12, text: 12, reasoning: undefined });
  expect(result.providerMetadata).toMatchObject({ cachalot: { logprob: expected.logprob } });
});

test('an answer fits the schema that is asked for', async () => {
  const schema: JSONSchema7 = {
    type: 'object',
    properties: { a: { const: 1 } },
    required: ['a'],
    additionalProperties: false,
  };
  const { content, finishReason } = await model.doGenerate(
    call({ responseFormat: { type: 'json', schema }, maxOutputTokens: 60 }),
  );
  const [said] = content;
  expect(finishReason.unified).toBe('stop');
  expect(JSON.parse(said?.type === 'text' ? said.text : '')).toEqual({ a: 1 });
});

test('a stream is a start, one block of text and an end, and says the same', async () => {
  const parts = await streamed(call());
  expect(parts.map(({ type }) => type).filter((type) => type !== 'text-delta')).toEqual([
    'stream-start',
    'text-start',
    'text-end',
    'finish',
  ]);
  expect(parts.slice(0, 2)).toEqual([
    { type: 'stream-start', warnings: [] },
    { type: 'text-start', id: 'answer' },
  ]);
  const deltas = parts.flatMap((part) => (part.type === 'text-delta' ? part.delta : []));
  expect(deltas.length).toBeGreaterThan(1);
  const whole = await model.doGenerate(call());
  expect(whole.content).toEqual([{ type: 'text', text: deltas.join('') }]);
  expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: whole.finishReason });
  expect(parts.at(-1)).toMatchObject({ usage: { outputTokens: { total: 12 } } });
});

test('what came before is in the cache when a conversation goes on', async () => {
  const question = user('the and a '.repeat(40));
  const first = await model.doGenerate(call({ prompt: [question] }));
  const [said] = first.content;
  const answer: LanguageModelV3Message = {
    role: 'assistant',
    content: [{ type: 'text', text: said!.type === 'text' ? said!.text : '' }],
  };
  const second = await model.doGenerate(call({ prompt: [question, answer, user('on')] }));
  const { total, cacheRead } = second.usage.inputTokens;
  expect(cacheRead).toBeGreaterThan(first.usage.inputTokens.total! - 40);
  expect(cacheRead).toBeLessThan(total!);
});

test("settings are the engine's options, and providerOptions say the rest", async () => {
  const settings = { temperature: 0.5, topP: 0.9, topK: 40, seed: 7 };
  const penalties = { presencePenalty: 0.1, frequencyPenalty: 0.2 };
  const own = { priority: 70, namespace: 'n', templateOptions: { enable_thinking: false } };
  const { given } = await asked({
    ...{ ...settings, ...penalties, stopSequences: ['z!'], headers: { 'user-agent': 'ai' } },
    providerOptions: { cachalot: own, another: { x: 1 } },
  });
  expect(given).toEqual({ maxTokens: 12, stop: ['z!'], ...settings, ...penalties, ...own });
});

test('a stop sequence ends the answer and is no part of it', async () => {
  const [whole] = (await model.doGenerate(call())).content;
  const text = whole!.type === 'text' ? whole!.text : '';
  const stop = text.slice(5, 7);
  const result = await model.doGenerate(call({ stopSequences: [stop] }));
  expect(result.content).toEqual([{ type: 'text', text: text.slice(0, text.indexOf(stop)) }]);
  expect(result.finishReason).toEqual({ unified: 'stop', raw: 'stop' });
  const none = await model.doGenerate(call({ stopSequences: [text.slice(0, 3)] }));
  expect(none.content).toEqual([]);
  const parts = await streamed(call({ stopSequences: [text.slice(0, 3)] }));
  expect(parts.map(({ type }) => type)).toEqual(['stream-start', 'finish']);
});

test('messages keep their roles, thoughts, calls, results and names', async () => {
  const { messages } = await asked({
    prompt: [
      { role: 'system', content: 'S', providerOptions: { cachalot: { role: 'developer' } } },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
        providerOptions: { cachalot: { name: 'Ann' } },
      },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'hm' },
          { type: 'tool-call', toolCallId: '1', toolName: 'sum', input: { x: [1, 2] } },
          { type: 'tool-call', toolCallId: '2', toolName: 'now', input: {} },
        ],
      },
      {
        role: 'tool',
        content: [
          result('1', 'sum', { type: 'json', value: { y: 3 } }),
          result('2', 'now', { type: 'content', value: [{ type: 'text', text: 'noon' }] }),
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'It is' }] },
    ],
  });
  const call = (id: string, name: string, given: object) => ({
    ...{ id, type: 'function', function: { name, arguments: given } },
  });
  expect(messages).toEqual([
    { role: 'developer', content: 'S' },
    { role: 'user', content: 'ab', name: 'Ann' },
    {
      role: 'assistant',
      content: null,
      reasoning_content: 'hm',
      tool_calls: [call('1', 'sum', { x: [1, 2] }), call('2', 'now', {})],
    },
    { role: 'tool', tool_call_id: '1', name: 'sum', content: '{"y":3}' },
    { role: 'tool', tool_call_id: '2', name: 'now', content: 'noon' },
    { role: 'assistant', content: 'It is' },
  ]);
});

type ToolMessage = Extract<LanguageModelV3Message, { role: 'tool' }>;
type ToolResult = Extract<ToolMessage['content'][number], { type: 'tool-result' }>;

function result(toolCallId: string, toolName: string, output: ToolResult['output']): ToolResult {
  return { type: 'tool-result', toolCallId, toolName, output };
}

test.each<[ToolResult['output'], string]>([
  [{ type: 'text', value: 'a' }, 'a'],
  [{ type: 'error-text', value: 'no' }, 'no'],
  [{ type: 'error-json', value: [1] }, '[1]'],
  [{ type: 'execution-denied', reason: 'not now' }, 'not now'],
  [{ type: 'execution-denied' }, 'The call was not allowed.'],
])('what a tool gave is text: %j', async (output, text) => {
  const { messages } = await asked({
    prompt: [{ role: 'tool', content: [result('1', 't', output)] }],
  });
  expect(messages).toEqual([{ role: 'tool', tool_call_id: '1', name: 't', content: text }]);
});

const image = { type: 'file', mediaType: 'image/png', data: new Uint8Array(1) } as const;
const byName = { cachalot: { name: 'x' } };
const REFUSED: [string, Partial<LanguageModelV3CallOptions>][] = [
  ['tools', { tools: [{ type: 'function', name: 't', inputSchema: { type: 'object' } }] }],
  ['tools', { toolChoice: { type: 'required' } }],
  ['includeRawChunks', { includeRawChunks: true }],
  ['topLogprobs', { providerOptions: { cachalot: { topLogprobs: 2 } } }],
  ['parts of type file', { prompt: [{ role: 'user', content: [image] }] }],
  ['parts of type file', { prompt: [{ role: 'assistant', content: [image] }] }],
  [
    'parts of type tool-result',
    {
      prompt: [{ role: 'assistant', content: [result('1', 't', { type: 'text', value: 'x' })] }],
    },
  ],
  [
    'parts of type tool-approval-response',
    {
      prompt: [
        {
          role: 'tool',
          content: [{ type: 'tool-approval-response', approvalId: '1', approved: true }],
        },
      ],
    },
  ],
  [
    'parts of type image-url',
    {
      prompt: [
        {
          role: 'tool',
          content: [
            result('1', 't', { type: 'content', value: [{ type: 'image-url', url: 'http:x' }] }),
          ],
        },
      ],
    },
  ],
  [
    'providerOptions of parts',
    {
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'x', providerOptions: byName }] }],
    },
  ],
];

test.each(REFUSED)('%s: refused by name, at once', async (functionality, options) => {
  for (const method of ['doGenerate', 'doStream'] as const) {
    const error: unknown = await Promise.resolve(model[method](call(options))).catch(
      (thrown: unknown) => thrown,
    );
    expect(UnsupportedFunctionalityError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ functionality });
  }
});

test.each([
  ['an option', { providerOptions: { cachalot: { temprature: 1 } } }, /`temprature`/],
  [
    'a field of a message',
    { prompt: [{ ...user('x'), providerOptions: { cachalot: { nme: 'x' } } }] },
    /`messages\[0\]\.nme`/,
  ],
  ['a value', { topP: 2 }, /`topP`/],
])('%s that the engine does not know is its error', async (_, options, message) => {
  await expect(model.doGenerate(call(options))).rejects.toThrow(message);
  await expect(model.doStream(call(options))).rejects.toThrow(message);
});

test('there is a warning of settings that later specifications have', async () => {
  const options = {
    ...call(),
    reasoning: 'high',
    headers: { x: 'y' },
    toolChoice: { type: 'auto' } as const,
  };
  const warnings = [{ type: 'unsupported', feature: 'reasoning' }];
  expect((await model.doGenerate(options)).warnings).toEqual(warnings);
  expect((await streamed(options))[0]).toEqual({ type: 'stream-start', warnings });
});

test('a template without a place for system messages is told of', async () => {
  const template = `{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}${TEMPLATE}`;
  const { path } = await writeTinyModel({ template });
  await using other = await Engine.load(path);
  const { warnings, providerMetadata } = await cachalot(other).doGenerate(
    call({ prompt: [{ role: 'system', content: 'S' }, user('x')] }),
  );
  expect(warnings).toMatchObject([{ type: 'compatibility', feature: 'system messages' }]);
  expect(providerMetadata).toMatchObject({ cachalot: { systemMerged: true } });
});

test('an error on the way is a part of the stream', async () => {
  const providerOptions = { cachalot: { templateOptions: { broken: true } } };
  expect(await streamed(call({ providerOptions }))).toMatchObject([
    { type: 'stream-start' },
    { type: 'error', error: { code: 'template_failed' } },
  ]);
});

const endless = { providerOptions: { cachalot: { ignoreEos: true } }, maxOutputTokens: 30_000 };

/** The generation that a call has started. */
async function started<T>(ask: () => Promise<T>): Promise<[T, Generation]> {
  const chat = jest.spyOn(engine, 'chat');
  const value = await ask();
  const generation = chat.mock.results[0]!.value as Generation;
  chat.mockRestore();
  return [value, generation];
}

test('a signal ends an answer and its stream', async () => {
  const leaving = new AbortController();
  const options = call({ ...endless, abortSignal: leaving.signal });
  const [{ stream }, generation] = await started(async () => model.doStream(options));
  const reader = stream.getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  const answer = model.doGenerate(options);
  leaving.abort();
  await expect(answer).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  await expect(rest()).rejects.toMatchObject({ name: 'AbortError', code: 'aborted' });
  await expect(generation.result).rejects.toMatchObject({ code: 'aborted' });
});

test('a reader that leaves the stream ends the answer at once', async () => {
  const [{ stream }, generation] = await started(async () => model.doStream(call(endless)));
  const reader = stream.getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  await reader.cancel();
  expect((await generation.result).finishReason).toBe('aborted');
});

test('a reader that leaves before the first piece need not wait for it', async () => {
  const long = call({ ...endless, prompt: [user('the a '.repeat(2000))] });
  const [{ stream }, generation] = await started(async () => model.doStream(long));
  const reader = stream.getReader();
  await reader.read();
  const next = reader.read();
  await reader.cancel();
  await next;
  expect(await generation.result).toMatchObject({ finishReason: 'aborted', tokens: [] });
});
