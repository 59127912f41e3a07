/** Chat templates of strangers, and messages for them: text or a typed error, within the deadline, every time. */
import { CachalotError } from '../../lib/errors.js';
import { TemplateRenderer } from '../../lib/chat/chat-template.js';
import { checkMessages } from '../../lib/chat/messages.js';
import { Random } from '../random.js';
import { FUZZ_TIMEOUT_MS, fuzz, mutate } from './mutate.js';

const TEMPLATES = [
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}a{% endif %}",
  "{%- if messages[0].role == 'system' -%}{% set s = messages[0].content | trim %}{%- endif -%}{{ bos_token ~ s }}{% for m in messages[1:] %}{{ m | tojson }}{% endfor %}",
  '{% macro f(x) %}{{ x | upper }}{% endmacro %}{% for i in range(3) %}{{ f(messages[i % 2].content) }}{{ loop.index }}{% endfor %}',
  "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}{{ ns.n }}{{ raise_exception('x') if ns.n > 3 }}",
];
const PIECES = [
  '{{',
  '}}',
  '{%',
  '%}',
  '{#',
  '-',
  "'",
  '"',
  '(',
  '[',
  ']',
  '|',
  '~',
  ' for ',
  ' in ',
  ' if ',
  ' range(99999999) ',
  'messages',
  '.content',
  'x',
  '0',
  '\u0000',
  '*',
  '//',
  'loop',
  ' endfor ',
  '.__proto__',
  '.constructor',
];
const MESSAGES = [
  { role: 'system', content: 'You are.' },
  { role: 'user', content: 'Hi </think> there' },
  { role: 'assistant', content: [{ type: 'text', text: 'yes' }] },
];

function damaged(text: string, random: Random): string {
  let result = text;
  for (let i = random.below(4); i > 0; i--) {
    const at = random.below(result.length + 1);
    const cut = random.below(3) === 0 ? random.below(20) : 0;
    const piece = random.below(2) === 0 ? PIECES[random.below(PIECES.length)]! : '';
    result = result.slice(0, at) + piece + result.slice(at + cut);
  }
  return result;
}

test(
  'templates and messages',
  async () => {
    const renderer = new TemplateRenderer();
    try {
      await fuzz(
        'chat templates',
        (seed) => new Random(seed),
        async (random) => {
          const template = damaged(TEMPLATES[random.below(TEMPLATES.length)]!, random);
          const messages = mutate(MESSAGES, random);
          try {
            checkMessages(messages);
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_argument' });
          }
          try {
            const variables = { messages, add_generation_prompt: true, bos_token: '<s>' };
            expect(typeof (await renderer.render(template, variables))).toBe('string');
          } catch (error) {
            if (!(error instanceof CachalotError)) throw error;
            expect(error.code).toMatch(/^template_/);
          }
        },
      );
      expect(await renderer.render('{{ x }}', { x: 'alive' })).toBe('alive');
    } finally {
      await renderer.dispose();
    }
  },
  FUZZ_TIMEOUT_MS,
);
