// The example's model under the AI SDK itself: lies beside the example's files, with `ai` and `cachalot` installed.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { UnsupportedFunctionalityError } from '@ai-sdk/provider';
import { Output, generateText, jsonSchema, streamText, tool } from 'ai';
import { Engine } from 'cachalot';

import { cachalot } from './provider.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false; // they are looked at here

const engine = await Engine.load(process.env.CACHALOT_MODEL, { layoutCache: false });
after(() => engine.dispose());
const model = cachalot(engine);
const quiet = { model, maxOutputTokens: 6, maxRetries: 0, onError: () => undefined };

const chat = engine.chat.bind(engine);
const calls = [];
engine.chat = (messages, options) => {
  calls.push({ messages, options });
  return chat(messages, options);
};

/** The parts of a stream, by their types. */
async function typesOf(stream) {
  const types = [];
  for await (const part of stream) types.push(part.type);
  return types;
}

test('generateText: the text, why it ended, what it took', async () => {
  const result = await generateText({ ...quiet, system: 'abc', prompt: 'defg' });
  const expected = await chat(calls.at(-1).messages, { maxTokens: 6 }).result;
  assert.deepEqual(calls.at(-1).messages, [
    { role: 'system', content: 'abc' },
    { role: 'user', content: 'defg' },
  ]);
  assert.equal(result.text, expected.text);
  assert.equal(result.finishReason, 'length');
  assert.equal(result.usage.inputTokens, expected.usage.promptTokens);
  assert.equal(result.usage.outputTokens, 6);
  assert.deepEqual(result.warnings ?? [], []);
});

test('streamText: pieces that are the text; the next turn finds the last one in the cache', async () => {
  const messages = [{ role: 'user', content: 'abcdefghijklmnopqrstuvwxyzabcdefghijklm' }];
  const answer = streamText({ ...quiet, messages });
  const pieces = [];
  for await (const piece of answer.textStream) pieces.push(piece);
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(''), await answer.text);
  messages.push(...(await answer.response).messages, { role: 'user', content: 'n' });
  const next = await generateText({ ...quiet, messages });
  assert.deepEqual(
    calls.at(-1).messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  const { cacheReadTokens, noCacheTokens } = next.usage.inputTokenDetails;
  assert.ok(cacheReadTokens >= 32, `${cacheReadTokens} tokens from the cache`);
  assert.equal(cacheReadTokens + noCacheTokens, next.usage.inputTokens);
});

test('settings and providerOptions reach the engine', async () => {
  const settings = { temperature: 0.5, topP: 0.9, topK: 3, seed: 1 };
  const penalties = { presencePenalty: 0.1, frequencyPenalty: 0.2 };
  const cachalotOptions = { priority: 50, namespace: 'n', templateOptions: { x: true } };
  await generateText({
    ...{ ...quiet, ...settings, ...penalties, prompt: 'a', stopSequences: ['zz'] },
    providerOptions: { cachalot: cachalotOptions },
  });
  const { signal, ...given } = calls.at(-1).options;
  const expected = { maxTokens: 6, stop: ['zz'], ...settings, ...penalties, ...cachalotOptions };
  assert.equal(signal, undefined);
  assert.deepEqual(given, expected);
});

test('a history with thoughts, calls of tools and their results', async () => {
  const call = { type: 'tool-call', toolCallId: '1', toolName: 'sum', input: { x: 1 } };
  const output = { type: 'json', value: { y: 2 } };
  const messages = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: [{ type: 'reasoning', text: 'hm' }, call] },
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: '1', toolName: 'sum', output }],
    },
    { role: 'user', content: 'b' },
  ];
  await generateText({ ...quiet, messages });
  const called = { id: '1', type: 'function', function: { name: 'sum', arguments: { x: 1 } } };
  assert.deepEqual(calls.at(-1).messages, [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: null, reasoning_content: 'hm', tool_calls: [called] },
    { role: 'tool', tool_call_id: '1', name: 'sum', content: '{"y":2}' },
    { role: 'user', content: 'b' },
  ]);
});

const url = new URL('http://localhost:1/cat.png');
const inputSchema = jsonSchema({ type: 'object' });
for (const [what, options] of Object.entries({
  tools: { prompt: 'a', tools: { now: tool({ inputSchema }) } },
  images: { messages: [{ role: 'user', content: [{ type: 'image', image: url }] }] },
}))
  test(`${what}: refused, and nothing is fetched`, async () => {
    const isRefusal = (error) => UnsupportedFunctionalityError.isInstance(error);
    await assert.rejects(generateText({ ...quiet, ...options }), isRefusal);
    const types = await typesOf(streamText({ ...quiet, ...options }).fullStream);
    assert.ok(types.includes('error'), types.join());
  });

test('Output.object: its schema reaches the engine', async () => {
  const schema = jsonSchema({
    type: 'object',
    properties: { a: { const: 1 } },
    required: ['a'],
    additionalProperties: false,
  });
  const asked = { ...quiet, prompt: 'a', maxOutputTokens: 60, output: Output.object({ schema }) };
  await generateText(asked).catch(() => undefined); // the test model has no token for a brace
  assert.equal(calls.at(-1).options.schema.properties.a.const, 1);
});

test('a signal that is aborted ends both, in the way that the SDK knows', async () => {
  const leaving = new AbortController();
  const options = { ...quiet, prompt: 'a', maxOutputTokens: 50, abortSignal: leaving.signal };
  let aborts = 0;
  const stream = streamText({ ...options, onAbort: () => void aborts++ });
  const text = generateText(options);
  const types = [];
  setImmediate(() => leaving.abort());
  for await (const { type } of stream.fullStream) types.push(type);
  await assert.rejects(text, { name: 'AbortError' });
  assert.equal(types.at(-1), 'abort', types.join());
  assert.equal(aborts, 1);
});

test('an error of the engine is a part of the stream', async () => {
  const errors = [];
  const options = { ...quiet, prompt: 'abcdefghij'.repeat(10) };
  const { fullStream } = streamText({ ...options, onError: ({ error }) => errors.push(error) });
  await typesOf(fullStream);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['context_overflow'],
  );
  await assert.rejects(generateText(options), { code: 'context_overflow' });
});
