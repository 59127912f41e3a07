/** After every turn a session's context says what the chat template makes of its messages. Nothing is computed here. */
import { Session } from '../../lib/session/session.js';
import type { Message } from '../../lib/chat/messages.js';
import { realTemplates } from '../fixtures/real-templates.js';
import { SPECIAL_NAMES, ScriptedEngine } from '../fixtures/scripted-engine.js';
import { Random } from '../random.js';

const BYTE = 3; // the token of byte 0
const EOS = 2;

/** What templates are told apart by: trimmed answers, thoughts that are left out later, other ends, no special tokens at all. */
const OURS: Record<string, string> = {
  'as messages are':
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
  'trimmed answers':
    '{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}',
  'a space before answers, and one before their end':
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + ' ' + eos_token }}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
  'a line break before answers':
    "{% for m in messages %}{{ m.role + ':\n' + m.content + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}",
  'thoughts of the last answer only':
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
  'an answer is shown while it is the last':
    "{% for m in messages %}{{ m.role }}: {{ m.content if messages | length - loop.index < 2 else '...' }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}",
  'plain text':
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
  'the number of messages at the beginning':
    '{{ messages | length }}{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}<|assistant|>',
};

/** Those that read tools or documents where there are none, and fail, as they do in Python. */
const NEEDS_MORE = /tool_use|firefunction|rag$/;

const THEIRS = Object.fromEntries(realTemplates().map(({ name, text }) => [name, text]));

const QUESTIONS = ['Hi', ' two  words ', 'x<|im_end|>y', 'é 日本', 'the </s> and <', '\n', ''];
const ANSWERS = [
  'the and',
  ' a b',
  '\nline ',
  '\n\n the',
  '<think>\nhm\n</think>\n\nParis.',
  'hm</think>yes',
  'é日本 ',
  'in<|im_end|>ing',
  '</s>',
  '',
  '[/INST] the',
];

describe.each(Object.entries({ ...OURS, ...THEIRS }))('%s', (name, template) => {
  const isOurs = Object.hasOwn(OURS, name);
  let engine: ScriptedEngine;
  beforeAll(async () => void (engine = await ScriptedEngine.open(template)));
  afterAll(() => engine[Symbol.asyncDispose]());

  /** A text in tokens as a model might cut it: not always as the tokenizer does. */
  async function cutAnyhow(text: string, random: Random): Promise<number[]> {
    const ids: number[] = [];
    for (let at = 0; at < text.length;) {
      const end = at + 1 + random.below(text.length - at);
      const part = text.slice(at, end);
      if (random.below(2) === 0) ids.push(...Array.from(Buffer.from(part), (byte) => BYTE + byte));
      else ids.push(...(await engine.parts.encode(part, { continues: true })));
      at = end;
    }
    return ids;
  }

  /** How the model's answer ends, besides its limit. */
  const ends = (random: Random): number[] => {
    const { tokenizer } = engine.parts;
    const others = [...tokenizer.stopTokens, EOS];
    return random.below(4) === 0 ? [] : [others[random.below(others.length)]!];
  };

  async function asked(messages: readonly Message[]): Promise<string> {
    return engine.text((await engine.parts.encodeConversation(messages)).content.ids);
  }

  test('the context says what the template says, turn after turn', async () => {
    const random = new Random(11);
    let turns = 0;
    for (let round = 0; round < (isOurs ? 6 : 3); round++) {
      const session = new Session(engine.parts, round % 2 ? { system: 'sys' } : {});
      for (let turn = 0; turn < 4; turn++) {
        const before = session.messages;
        const user: Message = { role: 'user', content: QUESTIONS[random.below(QUESTIONS.length)]! };
        const text = ANSWERS[random.below(ANSWERS.length)]!;
        engine.next = [...(await cutAnyhow(text, random)), ...ends(random)];
        const stop = ['\nUser:', 'ar', '</think>', '<|im_end|>'].slice(0, random.below(5));
        const options = { stop, specialTokens: false };
        let expected: string;
        try {
          expected = await asked([...before, user]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'template_failed' });
          break; // it wants something else of a conversation, or something that we refuse by name
        }
        const result = await session.chat(user.content as string, options).result;
        turns++;
        expect(engine.text(engine.prompt)).toBe(expected);
        expect(session.messages).toEqual([
          ...before,
          user,
          { role: 'assistant', content: result.text },
        ]);
        // Behind the prompt there is the answer, and perhaps the token that ended it.
        const ids = session.tokens;
        expect(ids.slice(0, engine.prompt.length)).toEqual(Array.from(engine.prompt));
        const said = ids.slice(engine.prompt.length);
        if (engine.parts.tokenizer.stopTokens.includes(said.at(-1) ?? -1)) said.pop();
        const { said: gap } = await engine.parts.conversations.gap();
        expect([result.text, gap + result.text]).toContain(engine.text(said));
      }
    }
    // Real ones may want what these conversations are not, an alternation of roles or no empty message, and say so.
    expect(turns > 0).toBe(!NEEDS_MORE.test(name));
    if (isOurs) expect(turns).toBe(24);
  });
});

test('names of special tokens in the tests are special tokens', async () => {
  await using engine = await ScriptedEngine.open('');
  for (const name of SPECIAL_NAMES) expect(engine.parts.tokenizer.specialId(name)).toBeDefined();
});

test('a turn tokenizes what is new, and answers keep the ids that were generated', async () => {
  await using engine = await ScriptedEngine.open(OURS['as messages are']);
  const encode = jest.spyOn(engine.parts, 'encode');
  const session = new Session(engine.parts, {});
  // Letter by letter, as no tokenizer would cut it.
  engine.next = [...Array.from(Buffer.from('the and the'), (byte) => BYTE + byte), EOS];
  await session.chat('first question').result;
  const answer = engine.next.slice(0, -1);
  for (const question of ['second', 'third']) {
    encode.mockClear();
    await session.chat(question).result;
    const texts = encode.mock.calls.map(([text]) => text).join();
    expect(texts).toContain(question);
    expect(texts).not.toContain('first');
  }
  const edited = session.edit('another third');
  await edited.result; // the whole conversation is looked at again
  const ids = session.tokens.join();
  expect(ids.split(answer.join())).toHaveLength(4);
  encode.mockRestore();
});
