/** Finds the white space, if any, that a template writes before an answer and that the prompt for an answer leaves to the model. */
import { fromNative } from '../errors.js';
import type { TokenizerThread } from '../text/tokenizer-thread.js';
import type { SaidMessage } from './guard-names.js';

const ANSWER = 'cachalot-answer';

/** As the template writes it, and as tokens say it: some tokenizers add a space. */
export interface Gap {
  text: string;
  said: string;
}

const NO_GAP: Gap = { text: '', said: '' };

/** `render`: makes the text that asks a model to answer a conversation. */
export async function findGap(
  render: (messages: readonly SaidMessage[]) => Promise<{ text: string }>,
  thread: TokenizerThread,
): Promise<Gap> {
  const user = { role: 'user', content: 'x' } as const;
  const answered = [user, { role: 'assistant', content: ANSWER } as const, user];
  try {
    const [before, all] = await Promise.all([render([user]), render(answered)]);
    const until = all.text.slice(0, all.text.indexOf(ANSWER) + ANSWER.length);
    const encode = async (text: string) =>
      thread.table.decode(await thread.encode(text, { special: true }));
    const [saidBefore, saidUntil] = await Promise.all([encode(before.text), encode(until)]);
    const text = blankBetween(before.text, until);
    const said = blankBetween(saidBefore, saidUntil);
    return text === undefined || said === undefined ? NO_GAP : { text, said };
  } catch (error) {
    if (fromNative(error).code !== 'template_failed') throw error;
    return NO_GAP; // the template needs something else; the real rendering will report it
  }
}

function blankBetween(before: string, whole: string): string | undefined {
  if (!whole.startsWith(before) || !whole.endsWith(ANSWER)) return undefined;
  const between = whole.slice(before.length, -ANSWER.length);
  return between.trim() === '' ? between : undefined;
}
