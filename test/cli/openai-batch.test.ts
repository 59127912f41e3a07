/** Lines of `cachalot batch` in the form of OpenAI's batch files, and what comes back as it was written. */
import { readFileSync, writeFileSync } from 'node:fs';

import { rawMembers } from '../../lib/cli/raw-members.js';
import { readOpenAi } from '../../lib/cli/openai-request.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot } from './cachalot.js';

const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';
const messages = [{ role: 'user', content: 'hi' }];

describe('the raw members of an object', () => {
  test.each([
    ['{"a":12345678901234567890,"b":-0}', { a: '12345678901234567890', b: '-0' }],
    [' { "a" : 1e400 , "b":"}\\"," } ', { a: '1e400', b: '"}\\","' }],
    [
      '{"\\u0061":{"a":[1,{"x":"]"}]},"b":[]\t,"c":null}',
      { a: '{"a":[1,{"x":"]"}]}', b: '[]', c: 'null' },
    ],
    ['{"__proto__":"\\ud800"}', { ['__proto__']: '"\\ud800"' }],
    ['{}', {}],
  ])('%s', (text, members) => {
    expect([...rawMembers(text)]).toEqual(Object.entries(members));
  });

  test('a key that is there twice is refused: one of the two would say nothing', () => {
    expect(() => rawMembers('{"a":1,"b":2,"\\u0061":3}')).toThrow('`a` is there twice');
  });
});

describe('the body of a line', () => {
  const read = (body: object, line: object = {}) => readOpenAi({ custom_id: 'a', ...line, body });

  test('says in other words what our options say', () => {
    const body = {
      model: 'm',
      messages,
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      stop: ['\n'],
      seed: 3,
      n: 2,
      presence_penalty: 1,
      frequency_penalty: -1,
      logit_bias: { '5': -100 },
      logprobs: true,
      top_logprobs: 2,
    };
    expect(read(body, { method: 'POST', url: '/v1/chat/completions' })).toEqual({
      isChat: true,
      model: 'm',
      n: 2,
      prompt: messages,
      tokens: undefined,
      options: expect.objectContaining({
        maxTokens: 9,
        temperature: 0.5,
        topP: 0.9,
        stop: ['\n'],
        seed: 3,
        presencePenalty: 1,
        frequencyPenalty: -1,
        topLogprobs: 2,
      }) as object,
    });
  });

  test('may be of the older kind, with a text or tokens', () => {
    const url = '/v1/completions';
    expect(read({ prompt: 'x', logprobs: 0 }, { url })).toMatchObject({
      isChat: false,
      prompt: 'x',
      options: { topLogprobs: 0 },
    });
    expect(read({ prompt: [1, 5] })).toMatchObject({ isChat: false, tokens: [1, 5] });
    expect(read({ prompt: ['x'] })).toMatchObject({ prompt: 'x' });
  });

  test('may say what asks for nothing, null included', () => {
    const nothing = {
      stream: false,
      tools: [],
      tool_choice: 'auto',
      response_format: { type: 'text' },
    };
    const labels = {
      user: 'u',
      metadata: { a: 'b' },
      store: true,
      seed: null,
      stop: null,
      tools: null,
    };
    expect(read({ messages, ...nothing, ...labels })).toMatchObject({ n: 1, options: {} });
  });

  test.each([
    [
      { messages, tools: [{ type: 'function' }] },
      {},
      'not_supported',
      '`body.tools` is not supported',
    ],
    [
      { messages, response_format: { type: 'json_schema' } },
      {},
      'invalid_argument',
      '`body.response_format.json_schema` has no `schema`',
    ],
    [
      { messages, response_format: { type: 'xml' } },
      {},
      'invalid_argument',
      '`body.response_format.type`',
    ],
    [{ messages, stream: true }, {}, 'not_supported', '`body.stream`'],
    [{ messages, colour: 1 }, {}, 'invalid_argument', 'unknown field `body.colour`'],
    [{ messages, max_tokens: 1, max_completion_tokens: 2 }, {}, 'invalid_argument', 'differ'],
    [{ messages, max_tokens: '5' }, {}, 'invalid_argument', '`body.max_tokens`, received "5"'],
    [{ messages, temperature: -1 }, {}, 'invalid_argument', '`body.temperature`'],
    [{ messages, n: 0 }, {}, 'invalid_argument', '`body.n`'],
    [{ messages, top_logprobs: 2 }, {}, 'invalid_argument', 'needs `body.logprobs`'],
    [{ messages, model: 7 }, {}, 'invalid_argument', '`body.model`'],
    [{ messages: 'hi' }, {}, 'invalid_argument', '`body.messages`'],
    [{ messages, prompt: 'x' }, {}, 'invalid_argument', '`body.prompt` goes to'],
    [{ prompt: ['x', 'y'] }, {}, 'invalid_argument', 'give each prompt a line'],
    [{}, {}, 'invalid_argument', 'no `messages` and no `prompt`'],
    [{ input: 'x' }, { url: '/v1/embeddings' }, 'not_supported', '`url` "/v1/embeddings"'],
    [{ messages }, { method: 'GET' }, 'invalid_argument', '`method`'],
    [{ messages }, { priority: 1 }, 'invalid_argument', 'unknown field `priority`'],
  ])('%j with %j is refused by name', (body, line, code, message) => {
    expect(() => read(body, line)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });
});

describe('cachalot batch', () => {
  let model: string;
  beforeAll(async () => void ({ path: model } = await writeTinyModel({ template: TEMPLATE })));
  const batch = (args: string[], lines: readonly string[]) =>
    cachalot(['batch', '-m', model, '--order', 'input', ...args, '-'], lines.join('\n'));

  test('gives ids back byte for byte, whatever numbers and halves of pairs they are', async () => {
    const ids = ['12345678901234567890', '-0', '1e400', '1.0', '"\\ud800\\u00e9é"'];
    const lines = ids.flatMap((id) => [
      `{"id": ${id} ,"prompt":"the","maxTokens":1}`,
      `{"body":{"prompt":"the","max_tokens":1},"custom_id":${id}}`,
    ]);
    const { code, stdout } = await batch([], lines);
    expect(code).toBe(0);
    const found = [...stdout.matchAll(/^\{"index":\d+,"(id|custom_id)":(.*?),"key"/gm)];
    expect(found.map(([, name, id]) => [name, id])).toEqual(
      ids.flatMap((id) => [
        ['id', id],
        ['custom_id', id],
      ]),
    );
  });

  test('answers in the form of OpenAI, which tells of the model, tokens and errors', async () => {
    const lines = [
      {
        custom_id: 'a',
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: 'gpt-x', messages, max_tokens: 3, logprobs: true, top_logprobs: 1 },
      },
      { custom_id: 'b', body: { prompt: 'the', max_tokens: 4, n: 3, temperature: 2, seed: 1 } },
      { custom_id: 'c', body: { messages, tools: [{}] } },
      { prompt: messages, maxTokens: 3, topLogprobs: 0 },
    ];
    const { code, stdout, stderr } = await batch(
      [],
      lines.map((line) => JSON.stringify(line)),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /lines ask for "gpt-x"; .*tiny\.gguf answers \(-m\)[^]*4 items, 1 failed/,
    );
    const [chat, text, failed, own] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown) as [
      Answer,
      Answer,
      Answer,
      { text: string; logprobs: { logprob: number }[] },
    ];
    expect(chat).toMatchObject({
      custom_id: 'a',
      error: null,
      response: {
        status_code: 200,
        body: { object: 'chat.completion', model, usage: { completion_tokens: 3 } },
      },
    });
    const [choice] = chat.response!.body.choices;
    expect(choice).toMatchObject({
      index: 0,
      finish_reason: 'length',
      message: { role: 'assistant', content: own.text },
    });
    const { content } = choice!.logprobs!;
    expect(content.map(({ logprob }) => logprob)).toEqual(
      own.logprobs.map(({ logprob }) => logprob),
    );
    expect(content.map((token) => token.top_logprobs.length)).toEqual([1, 1, 1]);
    expect(text.response!.body).toMatchObject({
      object: 'text_completion',
      usage: { completion_tokens: 12 },
    });
    const texts = text.response!.body.choices.map((each) => each.text);
    expect(new Set(texts).size).toBe(3); // draws of their own
    expect(failed).toMatchObject({
      custom_id: 'c',
      response: null,
      error: { code: 'not_supported' },
    });
  });

  test('goes on with a file of such answers, failed ones told apart', async () => {
    const input = temporaryPath('input.jsonl');
    const output = temporaryPath('output.jsonl');
    const lines = [
      { custom_id: 'a', body: { prompt: 'a', max_tokens: 2 } },
      { custom_id: 'b', body: {} },
    ];
    writeFileSync(input, lines.map((line) => JSON.stringify(line)).join('\n'));
    const args = ['batch', '-m', model, '-o', output, input];
    expect((await cachalot(args)).code).toBe(1);
    const before = readFileSync(output, 'utf8');
    const again = await cachalot(args);
    expect(again.stderr).toContain('2 items (2 were there), 1 failed');
    expect(readFileSync(output, 'utf8')).toBe(before);
  });

  test('reads all inputs in their order, the pipe among them or alone; --system is for who has none', async () => {
    const [first, second] = [temporaryPath('first.jsonl'), temporaryPath('second.jsonl')];
    writeFileSync(first, '\ufeff{"id":1,"prompt":"a"}'); // no end of line
    const told = [{ role: 'system', content: 'no' }, ...messages];
    writeFileSync(
      second,
      `{"id":3,"prompt":${JSON.stringify(messages)}}\n{"id":4,"prompt":${JSON.stringify(told)}}\n`,
    );
    const run = (...args: string[]) =>
      cachalot(
        ['batch', '-m', model, '-n', '1', '--order', 'input', ...args],
        '{"id":2,"prompt":"b"}\n"\xff"',
      );
    const plain = linesOf((await run(first, '-', second)).stdout);
    expect(plain.map(({ id }) => id)).toEqual([1, 2, undefined, 3, 4]);
    const system = linesOf(
      (await run(first, '-', second, '--system', 'say', '--schedule', 'fcfs')).stdout,
    );
    const longer = system.map(({ usage }, i) => usage.promptTokens > plain[i]!.usage.promptTokens);
    expect(longer).toEqual([true, true, true, true, false]);
    expect(linesOf((await run()).stdout).map(({ id }) => id)).toEqual([2, undefined]);
  });

  test('a line that is not UTF-8 fails alone; an input that is given twice, or is the output, is refused', async () => {
    const input = temporaryPath('input.jsonl');
    writeFileSync(input, Buffer.from('"a"\n"\xe9"\n', 'latin1'));
    const { code, stdout } = await cachalot([
      'batch',
      '-m',
      model,
      '-n',
      '1',
      '--order',
      'input',
      input,
    ]);
    expect(code).toBe(1);
    expect(stdout.trim().split('\n')[1]).toMatch(
      /"error":\{"code":"invalid_argument","message":"it is not UTF-8"/,
    );
    const before = readFileSync(input);
    const wrong: [string[], RegExp][] = [
      [[input, '-o', input], /--output is an input/],
      [['-', '-'], /standard input can be given once/],
      [[input, '-o', 'a', '-o', 'b'], /'-o, --output <file>' is given twice/],
      [[input, '--raw', '--system', 's'], /--system needs/],
    ];
    for (const [args, message] of wrong) {
      const refused = await cachalot(['batch', '-m', model, ...args]);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)]);
    }
    expect(readFileSync(input)).toEqual(before);
  });
});

interface Answer {
  response: {
    body: {
      choices: {
        text: string;
        logprobs: { content: { logprob: number; top_logprobs: object[] }[] } | null;
      }[];
    };
  } | null;
}

function linesOf(text: string) {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id?: number; usage: { promptTokens: number } });
}
