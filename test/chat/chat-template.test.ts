import { CachalotError } from '../../lib/index.js';
import { TemplateRenderer } from '../../lib/chat/chat-template.js';
import { checkMessages } from '../../lib/chat/messages.js';

const messages = [{ role: 'user', content: 'Hi' }];

describe('chat templates', () => {
  let renderer: TemplateRenderer;
  beforeEach(() => void (renderer = new TemplateRenderer()));
  afterEach(() => renderer.dispose());

  /** `render` fails with one of the codes, and the renderer works afterwards. What has no end is ended by its deadline. */
  async function failsWith(template: string, ...codes: string[]): Promise<void> {
    await renderer.render('warm', {});
    const error: unknown = await renderer
      .render(template, { messages })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CachalotError);
    expect(codes).toContain((error as CachalotError).code);
    expect(await renderer.render('{{ messages[0].content }}', { messages })).toBe('Hi');
  }

  test('render messages', async () => {
    const template =
      '{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}';
    expect(await renderer.render(template, { messages, add_generation_prompt: true })).toBe(
      '<user>Hi<a>',
    );
  });

  test('jobs given at once come back to their own callers', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map((x) => renderer.render('{{ x }}', { x })));
    expect(all).toEqual(['a', 'b', 'c']);
  });

  test('range(1e9) ends in a typed error ', async () => {
    // Whichever limit it meets first: the list alone is larger than the worker's heap.
    await failsWith(
      '{% for i in range(1000000000) %}x{% endfor %}',
      'template_too_large',
      'template_timeout',
    );
  });

  test('a loop that goes on for too long ends in a typed error, whatever it does', async () => {
    const turns = '{% for i in range(99999) %}{% for j in range(99999) %}';
    for (const body of ['', '{% set x = i * j %}', "{% set x = 'a' ~ i %}"])
      await failsWith(
        `${turns}${body}{% endfor %}{% endfor %}`,
        'template_timeout',
        'template_too_large',
      );
  });

  // A heap limit alone does not do it: docs/decisions/0006.
  const loop = (body: string, start: string) =>
    `{% set ns = namespace(a=${start}) %}{% for i in range(60) %}{% set ns.a = ${body} %}{% endfor %}{{ ns.a | length }}`;
  test.each([
    ['lists that double', loop('ns.a + ns.a', '[0]')],
    ['text that doubles', loop('ns.a ~ ns.a', "'x'")],
    ['text that doubles by a filter', loop("ns.a | replace('x', 'xx')", "'x'")],
    ['text that doubles by a method', loop("ns.a.replace('x', 'xxxx')", "'x'")],
    ['lists of one long text', loop("(ns.a ~ '').split('x') | join('xx')", "'xx'")],
    ['JSON of lists of lists', loop('[ns.a, ns.a] | tojson', '[0]')],
    ['a range of a billion', '{{ range(1000000000) | length }}'],
    [
      'many ranges',
      '{% for i in range(5000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
    ],
  ])('%s end in a typed error, not in the end of the process', async (_, template) => {
    await failsWith(template, 'template_too_large', 'template_timeout');
  });

  test.each([
    ['rfind', "{{ ('a' * 4000000).rfind('a' * 20000 ~ 'b') }}", '-1'],
    ['find', "{{ ('a' * 3900000 ~ 'b').find('ba' ~ 'a' * 20000) }}", '-1'],
    ['in', "{{ ('bc' ~ 'a' * 100000) in ('b' * 300000 ~ 'a' * 3800000) }}", 'False'],
    ['replace', "{{ ('a' * 4000000)|replace('b' ~ 'a' * 20000, '')|length }}", '4000000'],
    ['count', "{{ ('a' * 4000000).count('b' ~ 'a' * 20000) }}", '0'],
    ['split', "{{ ('a' * 4000000).split('b' ~ 'a' * 20000)|length }}", '1'],
    ['rsplit', "{{ ('a' * 4000000).rsplit('a' * 20000 ~ 'b')|length }}", '1'],
    ['partition', "{{ ('a' * 4000000).partition('b' ~ 'a' * 20000)[0]|length }}", '4000000'],
    ['rpartition', "{{ ('a' * 4000000).rpartition('a' * 20000 ~ 'b')[2]|length }}", '4000000'],
    ['a float of many digits', "{{ ('1' * 200000 ~ 'x')|float }}", '0.0'],
    ['a whole number of many digits', "{{ ('9' * 4000000 ~ 'x')|int }}", '0'],
  ])('%s in a text made to be slow is done in time', async (_, template, text) => {
    expect(await renderer.render(template, {})).toBe(text);
    await renderer.dispose();
  });

  test('searches without end are ended, and the renderer with them', async () => {
    await failsWith(
      "{% set x = 'a' * 4000000 %}{% set y = 'a' * 20000 ~ 'b' %}{% for i in range(99999) %}{{ x.rfind(y) }}{% endfor %}",
      'template_timeout',
    );
    await renderer.dispose();
  });

  test('a conversation of megabytes is refused before it is rendered', () => {
    const message = { role: 'user' as const, content: 'x'.repeat(5 << 20) };
    expect(() => checkMessages([message])).toThrow(
      expect.objectContaining({ code: 'template_too_large' }) as Error,
    );
  });

  test('a template that does not parse or raises is an error that says why', async () => {
    await failsWith('{% if %}', 'template_failed');
    await expect(
      renderer.render("{{ raise_exception('no system role') }}", {}),
    ).rejects.toMatchObject({
      code: 'template_failed',
      message: 'the chat template refuses this: no system role',
    });
    await expect(renderer.render("\n{{ 'a'|nope }}", {})).rejects.toMatchObject({
      code: 'template_failed',
      message: 'the chat template failed: line 2: there is no filter "nope"',
    });
  });

  test('a recursion without end is an error', async () => {
    await failsWith('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', 'template_failed');
  });

  test('a template reaches nothing of the host', async () => {
    for (const expression of [
      'process',
      'require',
      'globalThis',
      "messages.constructor.constructor('return process')()",
    ]) {
      const text = await renderer.render(`{{ ${expression} }}`, { messages }).catch(() => '');
      expect(text).not.toMatch(/object|function|process/i);
    }
  });

  test('too much text is refused', async () => {
    const template =
      `{% set x = '${'y'.repeat(2 ** 20)}' %}{{ x }}`.padEnd(10) + '{{ x }}'.repeat(17);
    await failsWith(template, 'template_too_large', 'template_timeout');
  });

  test('disposing while the worker starts ends the job at once', async () => {
    const job = renderer.render('x', {});
    await new Promise((next) => setImmediate(next));
    await renderer.dispose();
    await expect(job).rejects.toMatchObject({ code: 'disposed' });
  });

  test('a busy caller is not mistaken for a slow template', async () => {
    await renderer.render('warm', {});
    const job = renderer.render('ok', {});
    await new Promise((next) => setTimeout(next, 20));
    for (const end = performance.now() + 800; performance.now() < end;);
    expect(await job).toBe('ok');
  });

  test('an aborted signal and a disposed renderer refuse', async () => {
    await expect(renderer.render('x', {}, AbortSignal.abort())).rejects.toMatchObject({
      code: 'aborted',
    });
    await renderer.dispose();
    await expect(renderer.render('x', {})).rejects.toMatchObject({ code: 'disposed' });
  });
});
