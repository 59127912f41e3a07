// The example's chat model under LangChain itself: lies beside the example's files, with `@langchain/core` and `cachalot` installed.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import * as messages from '@langchain/core/messages';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate } from '@langchain/core/prompts';
import { Engine } from 'cachalot';

import { ChatCachalot } from './chat-model.mjs';

const { AIMessage, ChatMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage } =
  messages;

const engine = await Engine.load(process.env.CACHALOT_MODEL, { layoutCache: false });
after(() => engine.dispose());
const model = new ChatCachalot({ engine, options: { maxTokens: 6 } });

const chat = engine.chat.bind(engine);
const calls = [];
engine.chat = (given, options) => {
  calls.push({ messages: given, options });
  return chat(given, options);
};

test('invoke: the text, why it ended, what it took', async () => {
  const answer = await model.invoke([new SystemMessage('abc'), new HumanMessage('defg')]);
  assert.deepEqual(calls.at(-1).messages, [
    { role: 'system', content: 'abc' },
    { role: 'user', content: 'defg' },
  ]);
  const expected = await chat(calls.at(-1).messages, { maxTokens: 6 }).result;
  assert.equal(answer.content, expected.text);
  assert.equal(answer.response_metadata.finish_reason, 'length');
  assert.equal(answer.usage_metadata.input_tokens, expected.usage.promptTokens);
  assert.equal(answer.usage_metadata.output_tokens, 6);
  assert.equal(answer.usage_metadata.total_tokens, expected.usage.promptTokens + 6);
});

test('stream: pieces that are the text; the next turn finds the last one in the cache', async () => {
  const question = new HumanMessage('abcdefghijklmnopqrstuvwxyzabcdefghijklm');
  const tokens = [];
  const handleLLMNewToken = (token) => void tokens.push(token);
  const stream = await model.stream([question], { callbacks: [{ handleLLMNewToken }] });
  let answer;
  let nChunks = 0;
  for await (const chunk of stream) {
    answer = answer ? answer.concat(chunk) : chunk;
    nChunks++;
  }
  assert.ok(nChunks > 2);
  assert.equal(tokens.join(''), answer.text);
  assert.equal(answer.text, (await model.invoke([question])).text);
  assert.equal(answer.response_metadata.finish_reason, 'length');
  assert.equal(answer.usage_metadata.output_tokens, 6);
  const next = await model.invoke([question, answer, new HumanMessage('n')]);
  assert.deepEqual(
    calls.at(-1).messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  const { cache_read } = next.usage_metadata.input_token_details;
  assert.ok(cache_read >= 32, `${cache_read} tokens from the cache`);
});

test('events of a stream, batches and chains', async () => {
  const { content } = await model.invoke('abc');
  let text = '';
  for await (const piece of model.streamEvents('abc').text) text += piece;
  assert.equal(text, content);
  const answers = await model.batch(['abc', 'abc', 'def']);
  assert.equal(answers[0].content, content);
  const prompt = ChatPromptTemplate.fromMessages([['human', 'a{rest}']]);
  const chain = prompt.pipe(model).pipe(new StringOutputParser());
  assert.equal(await chain.invoke({ rest: 'bc' }), content);
});

test('options: those of the model, over them those of the call', async () => {
  const own = { temperature: 0.5, seed: 1, priority: 50, templateOptions: { x: true } };
  const other = new ChatCachalot({ engine, options: { maxTokens: 6, stop: 'yy', ...own } });
  await other.invoke('a', { options: { maxTokens: 3 } });
  const { signal, ...given } = calls.at(-1).options;
  assert.equal(signal, undefined);
  assert.deepEqual(given, { maxTokens: 3, stop: 'yy', ...own });
  await other.withConfig({ stop: ['zz'] }).invoke('a', { store: {}, tags: ['t'] });
  assert.deepEqual(calls.at(-1).options.stop, ['zz']);
  const text = (await model.invoke('abc')).text;
  const stopped = await model.invoke('abc', { stop: [text.slice(2, 4)] });
  assert.equal(stopped.text, text.slice(0, text.indexOf(text.slice(2, 4))));
  assert.equal(stopped.response_metadata.finish_reason, 'stop');
});

test('a history with names, thoughts, calls of tools and their results', async () => {
  const tool_calls = [{ id: '1', name: 'sum', args: { x: 1 } }];
  await model.invoke([
    new ChatMessage({ role: 'developer', content: 'd' }),
    new HumanMessage({
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      name: 'ann',
    }),
    new AIMessage({ content: '', tool_calls, additional_kwargs: { reasoning_content: 'hm' } }),
    new ToolMessage({ content: 'c', tool_call_id: '1', name: 'sum' }),
    new AIMessage({
      contentBlocks: [
        { type: 'reasoning', reasoning: 'so' },
        { type: 'text', text: 'd' },
      ],
    }),
  ]);
  const called = { id: '1', type: 'function', function: { name: 'sum', arguments: { x: 1 } } };
  assert.deepEqual(calls.at(-1).messages, [
    { role: 'developer', content: 'd' },
    { role: 'user', content: 'ab', name: 'ann' },
    { role: 'assistant', content: null, tool_calls: [called], reasoning_content: 'hm' },
    { role: 'tool', content: 'c', name: 'sum', tool_call_id: '1' },
    { role: 'assistant', content: 'd', reasoning_content: 'so' },
  ]);
});

test('what cannot be done yet, and what would not be heeded, is refused', async () => {
  const image = { type: 'image_url', image_url: { url: 'http://localhost:1/cat.png' } };
  const notYet = { code: 'not_supported' };
  for (const options of [{ tools: [{}] }, { tool_choice: 'any' }, { response_format: {} }]) {
    await assert.rejects(model.invoke('a', options), notYet);
    await assert.rejects(
      model.stream('a', options).then((stream) => stream.next()),
      notYet,
    );
  }
  await assert.rejects(model.invoke([new HumanMessage({ content: [image] })]), notYet);
  await assert.rejects(model.invoke([new RemoveMessage({ id: '1' })]), notYet);
  await assert.rejects(model.invoke('a', { options: { topLogprobs: 2 } }), notYet);
  const invalid = { code: 'invalid_argument' };
  await assert.rejects(model.invoke('a', { temperature: 1 }), invalid);
  await assert.rejects(model.invoke('a', { options: { temprature: 1 } }), /`temprature`/);
  assert.throws(() => new ChatCachalot({ engine, temperature: 1 }), invalid);
  assert.throws(() => model.withStructuredOutput({ type: 'object' }), /bindTools/);
});

test('the cache of answers that LangChain has tells models and options apart', async () => {
  const one = new ChatCachalot({ engine, cache: true, options: { maxTokens: 6 } });
  const other = new ChatCachalot({ engine, cache: true, options: { maxTokens: 3 } });
  const { text } = await one.invoke('abc');
  const nCalls = calls.length;
  assert.equal((await one.invoke('abc')).text, text);
  assert.equal(calls.length, nCalls);
  assert.notEqual((await other.invoke('abc')).text, text);
});

test('a signal ends an answer, and so does a reader that leaves', async () => {
  const leaving = new AbortController();
  const options = { signal: leaving.signal, options: { maxTokens: 50 } };
  const answer = model.invoke('a', options);
  setImmediate(() => leaving.abort());
  await assert.rejects(answer, /abort/i);
  const late = new AbortController();
  await assert.rejects(async () => {
    const stream = await model.stream('a', { signal: late.signal });
    await stream.next();
    late.abort();
    while (!(await stream.next()).done);
  }, /abort/i);
  const left = await model.stream('a', { options: { maxTokens: 50 } });
  await left.next();
  await left.return();
  while (engine.stats().running > 0) await new Promise((next) => setTimeout(next, 1));
});
