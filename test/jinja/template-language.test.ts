import { TooLargeError } from '../../lib/jinja/errors.js';
import { Template } from '../../lib/jinja/template.js';
import { CASES, VARIABLES } from '../fixtures/template-cases.js';

const render = (template: string, variables: Record<string, unknown> = VARIABLES) =>
  new Template(template).render(variables);

describe("templates say what Python's jinja2 says", () => {
  for (const [subject, cases] of Object.entries(CASES))
    test.each(cases)(`${subject}: %s`, (template, text) => expect(render(template)).toBe(text));

  test('dates, in the form that a template asks for', () => {
    const template =
      "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%-d %B %y, %A %a %H:%M:%S %I%p %j %m %F %%') }}";
    expect(new Template(template).render({}, new Date(2026, 2, 5, 15, 4, 9))).toBe(
      '05 Mar 2026 5 March 26, Thursday Thu 15:04:09 03PM 064 03 2026-03-05 %',
    );
  });

  test('numbers that a program gives are whole where their JSON is', () => {
    const given = { a: 1, b: 1.5, c: -0, d: 2 ** 60, e: 1e21, f: 10n, g: NaN };
    expect(render('{{ [a, b, c, d, e, f, g] }}', given)).toBe(
      '[1, 1.5, 0, 1152921504606847000, 1e+21, 10, nan]',
    );
  });

  test('marks in text come through unchanged, however it is written', () => {
    const mark = '\ufdd0\ufdef';
    const all = '{{ x }}{{ [x] }}{{ x|tojson }}{{ x|tojson(ensure_ascii=true) }}';
    expect(render(all, { x: mark })).toBe(`${mark}['${mark}']"${mark}""${mark}"`);
  });

  test('fields of objects that are undefined are absent, and names of JavaScript are nothing', () => {
    const given = { x: { a: undefined, constructor: 1 } };
    expect(render('{{ x.a is defined }}{{ x.constructor }}{{ x.toString }}', given)).toBe('False1');
    expect(render("{{ ''.constructor }}{{ [].length }}{{ x.hasOwnProperty }}", given)).toBe('');
  });
});

describe('what is not there is refused by name', () => {
  test.each([
    ["{{ 'a'|nope }}", 'there is no filter "nope"'],
    ['{{ 1 is nope }}', 'there is no test "nope"'],
    ["{{ ['a']|map('nope')|list }}", 'there is no filter "nope"'],
    ["{{ ['a']|select('nope')|list }}", 'there is no test "nope"'],
    ["{{ 'a'|xmlattr }}", 'the filter "xmlattr" is not supported'],
    ["{{ 'a'.encode() }}", '"encode" of a str is not supported'],
    ["{{ 'a'.nope() }}", "'str object' has no attribute 'nope'"],
    ['{{ [].append(1) }}', '"append" of a list is not supported'],
    ['{{ {}.update({}) }}', '"update" of a dict is not supported'],
    ["{{ ''.__class__ }}", '"__class__" is unsafe'],
    ["{{ 'a'.strip(x=1) }}", 'strip takes no argument "x"'],
    ["{{ 'a'.strip('a', 'b') }}", 'strip takes at most 1 arguments, 2 were given'],
    ["{{ 'a'.strip(1) }}", 'the argument "chars" of strip expects text, not int'],
    ["{{ 'a'|trim(blanks=1) }}", 'trim takes no argument "blanks"'],
    ['{{ 1|tojson(indent=2, colour=1) }}', 'tojson takes no argument "colour"'],
    ["{{ 'a'|replace('b') }}", 'replace needs the argument "new"'],
    ["{{ '%(b)s %s' % {'b': 1} }}", 'not enough arguments for format string'],
    ["{{ '%(b)*d' % {'b': 1} }}", 'not enough arguments for format string'],
    ["{{ '%5%' % () }}", 'not enough arguments for format string'],
    ["{{ '%5%' % 1 }}", '"%%" in a format is not supported'],
    ["{{ 'Ꭰ'.casefold() }}", 'casefold of Cherokee is not supported'],
    ['{{ range(9)[::10**30] }}', 'a range of so large steps is not supported'],
    ['{{ 1 / (2**1020 + 1) }}', 'a quotient of nearly nothing is not supported'],
    ["{{ ('9' * 4000000)|int }}", 'a whole number of more than 1024 bits is not supported'],
    ["{{ '%x' % 1 }}", '"%x" in a format is not supported'],
    ["{{ '{:x}'.format(1) }}", 'the format "x" of a number is not supported'],
    ["{{ strftime_now('%U') }}", '"%U" in a time is not supported'],
    ["{{ [1]|map('string') }}", 'printing a generator is not supported'],
    ["{{ 'a'.upper }}", 'printing a function is not supported'],
    ["{% include 'a' %}", 'the tag "include" is not supported'],
    ['{% nope %}', 'unknown tag "nope"'],
    ['{{ lipsum() }}', 'the function "lipsum" is not supported'],
    [
      "{{ 'a'|safe|length + ('a'|safe).split() }}",
      'the attribute "split" of a Markup is not supported',
    ],
    ["{{ '\\N{DASH}' }}", 'a character by name in a string is not supported'],
    ['{{ 1 + "a" }}', "unsupported operand type(s) for +: 'int' and 'str'"],
    ["{{ 'a' + 1 }}", 'can only concatenate str (not "int") to str'],
    ['{{ nope.a }}', "'nope' is undefined"],
    ['{{ dict.nope.a }}', "'dict object' has no attribute 'nope'"],
    ["{{ nope + 'a' }}", "'nope' is undefined"],
    ['{{ nope|tojson }}', 'Object of type Undefined is not JSON serializable'],
    ['{{ {[]: 1} }}', "unhashable type: 'list'"],
    ['{{ 1 / 0 }}', 'division by zero'],
    ['{{ 2 ** 0.5 }}', '2 ** 0.5 is not supported'],
    ['{{ 2 ** 5000 }}', 'a whole number of more than 1024 bits is not supported'],
    ['{% for x in 1 %}{% endfor %}', "'int' object is not iterable"],
    ['{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}', "macro 'm' takes not more than 1 argument(s)"],
    ['{% macro m(a) %}{% endmacro %}{{ m(b=2) }}', "macro 'm' takes no keyword argument 'b'"],
    ["{{ raise_exception('only text') }}", 'only text'],
    ['{% if %}', 'line 1: expected an expression, found "%}"'],
    ['a\n{% for x in y %}', 'line 2: the template ends where "endfor" or "else" is missing'],
    ['a\nb\n{{ nope.a }}', "line 3: 'nope' is undefined"],
    ["{{ 'a }}", 'unexpected "\'"'],
    ['{% break %}', '"break" outside of a loop'],
    ['{{ (1, 2 }}', 'unexpected "}"'],
  ])('%s', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });

  test('variables that are no data', () => {
    expect(() => render('', { x: new Date() })).toThrow('a variable of type Date is not supported');
    expect(() => render('', { x: () => 1 })).toThrow(
      'a variable of type Function is not supported',
    );
  });

  test('a filter that is missing where a condition keeps it from being used is no error', () => {
    expect(render("{% if 'nope' is filter %}{{ 1|nope }}{% endif %}ok")).toBe('ok');
    expect(render("{{ 1|nope if false else 'ok' }}")).toBe('ok');
  });
});

describe('what has no end has a limit', () => {
  const LARGE = 'x'.repeat(1 << 20);

  test.each([
    ["{{ 'x' * 1000000000 }}"],
    ['{{ [1] * 1000000000 }}'],
    ["{{ '%1000000000d' % 1 }}"],
    ["{{ '{:>1000000000}'.format(1) }}"],
    ["{{ 'a'.center(1000000000) }}"],
    ["{{ 'a'.zfill(1000000000) }}"],
    ["{{ '\\t'.expandtabs(1000000000) }}"],
    ['{{ large|indent(1000000000) }}'],
    ["{{ large.replace('x', large) }}"],
    ["{{ large.replace('', large) }}"],
    ['{{ ([large] * 1000)|join(large) }}'],
    ['{{ ([large] * 1000)|tojson }}'],
    ['{{ [large] * 1000 }}'],
    ['{{ range(1000000000) }}'],
    ['{{ [1]|batch(1000000000, 0)|list }}'],
    [
      '{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}',
    ],
    [
      '{% set ns = namespace(a=large) %}{% for i in range(99999) %}{% set ns.a = ns.a[1:] %}{% endfor %}',
    ],
    ['{% for i in range(99) %}{{ large }}{% endfor %}'],
    ['{% set x %}{% for i in range(99) %}{{ large }}{% endfor %}{% endset %}'],
  ])('%s', (template) => {
    expect(() => render(template, { large: LARGE })).toThrow(TooLargeError);
  });

  test('variables that are too large for any conversation', () => {
    expect(() => render('', { x: Array.from({ length: 9 }, () => LARGE) })).toThrow(TooLargeError);
  });

  test('recursion without end is an error', () => {
    expect(() => render('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}')).toThrow(
      'it nests too deeply',
    );
    expect(() => render(`{{ ${'('.repeat(1e5)}1${')'.repeat(1e5)} }}`)).toThrow(
      'it nests too deeply',
    );
  });

  test('a conversation of 1,000 messages renders, also where each looks at all that follow', () => {
    const template =
      "{% for m in messages %}{% set ns = namespace(last=true) %}{% for n in messages[loop.index:] %}{% if n.role == 'user' %}{% set ns.last = false %}{% endif %}{% endfor %}{% set text = (text or '') ~ m.content %}{{ m.content if not ns.last else 'last' }}{% endfor %}";
    const messages = Array.from({ length: 1000 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: `message ${i} `.repeat(50),
    }));
    const expected = messages.slice(0, 998).map(({ content }) => content);
    expect(render(template, { messages })).toBe(`${expected.join('')}lastlast`);
  });
});
