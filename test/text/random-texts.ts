/**
 * Texts that hit what tokenizers cut by: digits of all scripts, all white space, contractions in odd case, marks, emoji, code,
 * names of special tokens as text. Every character is in Unicode 15, as later ones are letters in some programs and not in others.
 */
import { Random } from '../random.js';

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i));

const WORDS =
  'the The THE a I it We don can you they function return const naïve café Ångström straße ÆSIR ĲSSEL ﬁne ǅungla Ελλάς σίγμα ΣΑΣ привет Ёлка Жук'.split(
    ' ',
  );
const ENDS =
  "'s 'S 't 'T 're 'RE 'rE 've 'VE 'm 'M 'll 'LL 'lL 'd 'D 'ſ 'ſT 'x 'K ’s ʼs ' '' `s".split(' ');
const DIGITS = [
  ...range(0x30, 0x39),
  ...[0x660, 0x6f0, 0x966, 0x9e6, 0xbe6, 0xe50, 0x1040, 0xff10, 0x1d7d8, 0x1fbf0].flatMap((zero) =>
    range(zero, zero + 9),
  ),
  ...'²³¹¼½¾⁰⁴₁₂①②⑩⒈Ⅰ ⅷⅫↀ〇〡㈠㊀㆒一十百𐄇𒐀'.replace(' ', ''),
];
/** All of Unicode's white space, and what only some take for it. */
const SPACES = [
  ...range(9, 13),
  ...'\u0020\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000',
  ...range(0x2000, 0x200a),
  ...'\ufeff\u180e\u200b\u200c\u200d\u2060\u001c\u001f\u0000',
];
const BREAKS = ['\n', '\r\n', '\r', '\n\n', '\n\n\n', ' \n', '\n ', '\n\t', '\r\n\r\n', '\n  \n'];
const EAST_ASIAN = [
  ...'日本語文中人大上漢字龥龦㐀𠀀々〆ひらがなカタカナﾊﾝｶｸーゞ・、。「」！？（）한국어가힣ㄱㆎ',
  '\u1112\u1161\u11ab',
  '\u304b\u3099',
];
const MARKS = [
  '\u0301',
  '\u0308',
  '\u0323',
  '\u094d',
  '\u0345',
  '\u20dd',
  '\ufe0f',
  '\u0e33',
  '\u05b0',
  '\u064b',
];
const SCRIPTS = [...'مرحباשלוםनमस्तेไทยქართულიհայერენአማርኛবাংলাதமிழ្ខ្មែរབོད་ʕʔªºᵃⁿℂK'];
/** What normal forms change. */
const COMPOSED = [...'éÅÅΩﬁ①ｅ㌀\u0958\u2adc\u1e9b\u0340\uf900豈ẛ̣'];
const EMOJI = ['👍🏽', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '❤️', '😶‍🌫️', '1️⃣', '🤔', '\u{1fae8}'];
const SYMBOLS = [
  ...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~¡§«»¿‘’“”…—–•€£¥©®™×÷±≠∑→←░▁Ġ、',
  ...[
    '...',
    '!!',
    '->',
    '=>',
    '/*',
    '*/',
    '//',
    '</',
    '&&',
    '::',
    '\ue000',
    '\u{10ffff}',
    '\ufffd',
  ],
];
const CODE = [
  'for (let i = 0; i < n; i++) {\n    a[i] += "b";\n}',
  'def f(x):\n\treturn x**2  # done\n',
  'https://example.com/a?q=1&r=2#f',
  '<div class="x">\n  </div>',
  'x_1 = 3.14e-10;',
  '\tif err != nil {\r\n\t\treturn 0xFF\r\n\t}',
];

export function randomText(random: Random, names: readonly string[]): string {
  const pick = (list: readonly string[]) => list[random.below(list.length)]!;
  const some = (list: readonly string[], most: number) =>
    Array.from({ length: 1 + random.below(most) }, () => pick(list)).join('');
  const parts: (() => string)[] = [
    () => pick(WORDS),
    () => pick(WORDS) + pick(ENDS),
    () => ' ' + pick(WORDS),
    () => some(DIGITS, 7),
    () => ' ' + some(DIGITS, 3),
    () => some(SPACES, 4),
    () => ' '.repeat(1 + random.below(6)),
    () => pick(BREAKS),
    () => some(EAST_ASIAN, 6),
    () => pick(WORDS) + some(MARKS, 2),
    () => some(SCRIPTS, 5) + some(MARKS, 1),
    () => some(COMPOSED, 2),
    () => some(EMOJI, 2),
    () => some(SYMBOLS, 4),
    () => some(range(0x20, 0x7e), 8),
    () => pick(CODE),
    () => pick(names.length > 0 ? names : WORDS),
    () => pick(names.length > 0 ? names : WORDS).slice(0, -1),
  ];
  const text = Array.from({ length: 1 + random.below(14) }, () =>
    parts[random.below(parts.length)]!(),
  );
  return text.join('');
}
