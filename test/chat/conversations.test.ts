/** What a chat template gets of a conversation, and what is made up for where it lacks something. */
import type { Message } from '../../lib/chat/messages.js';
import { checkMessages } from '../../lib/chat/messages.js';
import { isTemplateOptions } from '../../lib/chat/template-options.js';
import { ScriptedEngine } from '../fixtures/scripted-engine.js';

const CHATML =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system = (content: string): Message => ({ role: 'system', content });

async function promptOf(template: string, messages: readonly Message[], templateOptions = {}) {
  await using engine = await ScriptedEngine.open(template);
  return await engine.parts.conversations.prompt(checkMessages(messages), { templateOptions });
}

describe('a conversation that ends with an answer goes on with it', () => {
  const hello = [user('Hi'), assistant('Hello, ')];

  test('the prompt ends where the answer does, in the words of the template', async () => {
    const { text } = await promptOf(CHATML, hello);
    expect(text).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello, ');
  });

  test('what the template writes before an answer, the prompt for one does not', async () => {
    const template =
      "{% for m in messages %}[{{ m.role }}]{{ '>' if m.role == 'assistant' }}{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    expect((await promptOf(template, hello)).text).toBe('[user]Hi[assistant]>Hello, ');
  });

  test('a template with words of its own for that is heard', async () => {
    const template =
      "{% for m in messages %}{{ '!' if m.prefix }}{{ m.content }}{% endfor %}{{ '?' if continue_final_message }}";
    expect((await promptOf(template, hello)).text).toBe('Hi!Hello, ');
    expect((await promptOf(template, [user('Hi')])).text).toBe('Hi');
  });

  test('a template that hides what an answer says is gone on from as if it had begun one', async () => {
    const template =
      "{% for m in messages %}{{ '*' if m.role == 'assistant' else m.content }}{% endfor %}{{ ':' if add_generation_prompt }}";
    expect((await promptOf(template, hello)).text).toBe('Hi:Hello, ');
  });

  test('names of special tokens in the answer are text', async () => {
    await using engine = await ScriptedEngine.open(CHATML);
    const messages = [user('Hi'), assistant('a<|im_end|>b')];
    const { ids } = (await engine.parts.encodeConversation(messages)).content;
    const end = engine.parts.tokenizer.specialId('<|im_end|>')!;
    expect(Array.from(ids).filter((id) => id === end)).toHaveLength(1);
    expect(engine.text(ids)).toMatch(/a<\|im_end\|>b$/);
  });

  test('calls of tools are answered by tools first', async () => {
    const call = { function: { name: 'f', arguments: '{}' } };
    const messages: Message[] = [
      user('x'),
      { role: 'assistant', content: null, tool_calls: [call] },
    ];
    await expect(promptOf(CHATML, messages)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('tools') as string,
    });
  });
});

describe('fields of messages', () => {
  const DUMP =
    '{% for m in messages %}{{ m.role }}({{ m.name }})({{ m.tool_call_id }})({{ m.reasoning_content }})({{ m.content is none }}){% for c in m.tool_calls or [] %}[{{ c.id }} {{ c.type }} {{ c.function.name }} {{ c.function.arguments is mapping }} {{ c.function.arguments.a }}]{% endfor %};{% endfor %}';

  test('reach the template; arguments as the object that their JSON says', async () => {
    const call = (id: string, args: unknown) =>
      ({ id, type: 'function', function: { name: 'f', arguments: args } }) as never;
    const { text } = await promptOf(DUMP, [
      { role: 'user', content: 'x', name: 'Ann' },
      {
        role: 'assistant',
        content: null,
        reasoning_content: 'hm',
        tool_calls: [call('1', '{"a": "b"}'), call('2', { a: 'c' })],
      },
      { role: 'tool', content: 'y', tool_call_id: '1' },
    ]);
    expect(text.toLowerCase()).toBe(
      'user(ann)()()(false);assistant()()(hm)(true)[1 function f true b][2 function f true c];tool()(1)()(false);',
    );
  });

  test.each([
    [{ role: 'user', content: 'x', foo: 1 }, 'messages[0].foo'],
    [{ role: 'user', content: 'x', name: 1 }, 'messages[0].name'],
    [
      { role: 'user', content: [{ type: 'text', text: 'x', cache_control: {} }] },
      'messages[0].content[0].cache_control',
    ],
    [{ role: 'user', content: [{ type: 'image_url', image_url: '' }] }, '"text"'],
    [{ role: 'user', content: [{ type: 'text' }] }, 'messages[0].content[0].text'],
    [{ role: 'user' }, 'messages[0].content'],
    [{ role: 'assistant', content: null }, 'messages[0].content'],
    [{ content: 'x' }, 'messages[0].role'],
    [{ role: 'king', content: 'x' }, 'one of system, developer, user, assistant, tool'],
    [{ role: 'assistant', content: '', tool_calls: [{}] }, 'messages[0].tool_calls[0].function'],
    [{ role: 'assistant', content: '', tool_calls: 'x' }, 'an array of tool calls'],
    [
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'f', arguments: 3 } }] },
      'messages[0].tool_calls[0].function.arguments',
    ],
    [
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'f' }, index: 0 }] },
      'messages[0].tool_calls[0].index',
    ],
  ])('%j is refused by name', (message, words) => {
    expect(() => checkMessages([message])).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringContaining(words) as string,
      }) as Error,
    );
  });

  test('fields that are null, and an empty list of calls, are not there', async () => {
    const given = { content: 'He', name: null, tool_calls: [], reasoning_content: null };
    const [message] = checkMessages([{ role: 'assistant', ...given, tool_call_id: null }]);
    expect({ ...message }).toEqual({ role: 'assistant', content: 'He' });
    expect((await promptOf(CHATML, [user('Hi'), message!])).text).toMatch(/assistant\nHe$/);
  });

  test('arguments that are given as JSON keep their numbers and their order', async () => {
    const json =
      '{"id": 12345678901234567890, "x": 1.0, "b": [1, -0.5, null, true], "1": "\\u00e9", "o": {"z": 1, "a": {}}}';
    const call = { function: { name: 'f', arguments: json } };
    const template = '{{ messages[1].tool_calls[0].function.arguments | tojson }}';
    const messages: Message[] = [
      user('x'),
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', content: 'y' },
    ];
    expect((await promptOf(template, messages)).text).toBe(json.replace('\\u00e9', 'é'));
  });

  test('calls that are longer than any conversation are refused', () => {
    const call = { function: { name: 'f', arguments: 'y'.repeat(4 << 20) } };
    const message = { role: 'assistant', content: null, tool_calls: new Array(200).fill(call) };
    expect(() => checkMessages([message])).toThrow(
      expect.objectContaining({ code: 'template_too_large' }) as Error,
    );
  });

  test('names of special tokens in any field are text', async () => {
    const name = '<|im_end|>';
    const dump =
      "{{ messages[0].name }}{{ messages[1].tool_calls[0].function.arguments['<|im_end|>'] }}{% for k, v in messages[1].tool_calls[0].function.arguments.items() %}{{ k }}{{ v }}{% endfor %}{{ extra[0] }}";
    await using engine = await ScriptedEngine.open(dump);
    const call = { function: { name: 'f', arguments: { [name]: name } } };
    const messages: Message[] = [
      { role: 'user', content: 'x', name },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: '' },
    ];
    const asked = await engine.parts.encodeConversation(messages, {
      templateOptions: { extra: [name] },
    });
    const end = engine.parts.tokenizer.specialId(name)!;
    expect(asked.content.ids.includes(end)).toBe(false);
    expect(engine.text(asked.content.ids).split(name).length - 1).toBe(4);
  });
});

describe('a system message', () => {
  const REFUSES =
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
  const FORGETS =
    "{% for m in messages %}{% if m.role != 'system' %}{{ m.role }}:{{ m.content }};{% endif %}{% endfor %}";

  test.each([
    ['refuses', REFUSES],
    ['forgets', FORGETS],
  ])(
    'that a template %s stands at the beginning of the first question, and the result says so',
    async (_, template) => {
      const messages = [system('Be brief.'), user('Hi')];
      await using engine = await ScriptedEngine.open(template);
      const { conversations } = engine.parts;
      expect(await conversations.prompt(messages)).toMatchObject({
        text: 'user:Be brief.\n\nHi;',
        systemMerged: true,
      });
      expect(await conversations.prompt([user('Hi')])).toMatchObject({ systemMerged: false });
      expect((await conversations.prompt([system('Be brief.')])).text).toBe('user:Be brief.;');
      expect((await engine.parts.encodeConversation(messages)).systemMerged).toBe(true);
    },
  );

  test('of a template that has a place for it stays there', async () => {
    const { text, systemMerged } = await promptOf(CHATML, [system('Be brief.'), user('Hi')]);
    expect(text).toContain('system\nBe brief.<|im_end|>');
    expect(systemMerged).toBe(false);
  });

  test("of a developer is the system's where the template does not know the role", async () => {
    const developer: Message = { role: 'developer', content: 'dev' };
    expect((await promptOf(CHATML, [developer, user('x')])).text).toContain(
      'system\ndev<|im_end|>',
    );
    expect((await promptOf(CHATML, [system('sys'), developer, user('x')])).text).toContain(
      'system\nsys\n\ndev<|im_end|>',
    );
    const knows = `${CHATML}{# developer #}`;
    expect((await promptOf(knows, [system('sys'), developer, user('x')])).text).toContain(
      'system\nsys\n\ndev<|im_end|>',
    );
    expect((await promptOf(knows, [developer, user('x')])).text).toContain('developer\ndev');
  });
});

test('a system message that is blank is none', async () => {
  const { text } = await promptOf(CHATML, [system(' \n'), user('x')]);
  expect(text).toBe('<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n');
});

describe('variables of a template', () => {
  test('are what the user gives; tools are none where there are none', async () => {
    const template =
      '{{ enable_thinking }} {{ deep.list[1] }} {{ tools is none }} {{ documents is none }} {{ nothing is defined }}';
    const { text } = await promptOf(template, [user('x')], {
      enable_thinking: false,
      deep: { list: [1, 'two'] },
    });
    expect(text.toLowerCase()).toBe('false two true true false');
  });

  test.each([
    [{ messages: [] }, 'templateOptions.messages'],
    [{ eos_token: 'x' }, 'templateOptions.eos_token'],
    [{ x: () => 1 }, 'templateOptions.x'],
    [{ x: [NaN] }, 'templateOptions.x[0]'],
    [{ x: new Date() }, 'templateOptions.x'],
    ['x', 'an object'],
  ])('%j are refused by name', (options, words) => {
    expect(() => isTemplateOptions('templateOptions', options)).toThrow(words);
  });

  test('longer than any conversation are refused', () => {
    const options = { x: 'x'.repeat(5 << 20) };
    expect(() => isTemplateOptions('templateOptions', options)).toThrow('characters');
  });

  test('nested too deeply are refused', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = { deep };
    expect(() => isTemplateOptions('templateOptions', { deep })).toThrow('64 deep');
  });
});

test('an error of a template that was given says so', async () => {
  await expect(promptOf('{{', [user('x')])).rejects.toMatchObject({
    code: 'template_failed',
    message: expect.stringContaining('chatTemplate') as string,
  });
});

test('a blank template is none', async () => {
  await using engine = await ScriptedEngine.open(' \n');
  expect(engine.parts.conversations.areKnown).toBe(false);
  await expect(engine.parts.encodeConversation([user('x')])).rejects.toMatchObject({
    code: 'template_missing',
  });
});
