import { ChatLines } from '../../lib/cli/chat-lines.js';
import type { Said } from '../../lib/cli/chat-lines.js';

/** A line that is typed, or with `pasted` one of several that are pasted. */
type Line = string | { pasted: string };

function said(...lines: Line[]): Said[] {
  const chat = new ChatLines();
  return lines.flatMap((line) => {
    const isPasted = typeof line !== 'string';
    return chat.push(isPasted ? line.pasted : line, isPasted) ?? [];
  });
}

const text = (...messages: string[]) => messages.map((each) => ({ text: each, isCommand: false }));
const pasted = (line: string) => ({ pasted: line });

describe('lines of a chat', () => {
  test('are a message each, as typed; blank ones are none; "/" begins a command', () => {
    expect(said('a', '', '  b ', ' /save x ')).toEqual([
      ...text('a', '  b '),
      { text: '/save x', isCommand: true },
    ]);
  });

  test('that are pasted are one message, whatever they begin with', () => {
    expect(said(pasted('/etc is'), pasted(''), pasted('"""'), 'what?', 'b')).toEqual(
      text('/etc is\n\n"""\nwhat?', 'b'),
    );
    expect(said(pasted('a'), pasted('b'), '')).toEqual(text('a\nb')); // the paste ended with a new line
    expect(said(pasted(''), '')).toEqual([]);
  });

  test.each([
    [['"""', 'a', '', '  b', '"""'], 'a\n\n  b'],
    [['"""a', 'b"""'], 'a\nb'],
    [['"""/etc/passwd"""'], '/etc/passwd'],
    [['  """ ', ' a', ' """ '], ' a'],
    [['"""', '/exit', '"""'], '/exit'],
    [
      ['"""', { pasted: 'def f():' }, { pasted: '  """Doc."""' }, '', '"""'],
      'def f():\n  """Doc."""\n',
    ],
  ])('between quotes (%j) are one message', (lines: Line[], message) => {
    expect(said(...lines, 'next')).toEqual(text(message, 'next'));
  });

  test('a block is open until it ends or is dropped', () => {
    const chat = new ChatLines();
    chat.push('"""', false);
    chat.push('a', false);
    expect([chat.isOpen, chat.isBlock]).toEqual([true, true]);
    chat.clear();
    expect([chat.isOpen, chat.push('b', false)]).toEqual([false, text('b')[0]]);
    expect(said('""""""', '"""', '"""')).toEqual([]);
  });
});
