/** From a sample to token ids: its questions one by one, and as turns of one conversation. */
import type { Message } from '../chat/messages.js';
import type { Engine } from '../engine.js';
import type { Question, Sample } from './tasks/task.js';

export type Mode = 'requests' | 'turns';
export const MODES: readonly Mode[] = ['requests', 'turns'];

/** The ids before each question's answer, by mode. */
export type Prompts = Record<Mode, number[][]>;

const BEFORE = 'Read this text, and answer a question about it.';

/**
 * With the model's chat template if it has one; else as plain text. Earlier turns of a conversation hold the right answers, so that all
 * settings are asked the same. The first turn is the first question alone, and is not asked twice.
 */
export async function promptsOf(engine: Engine, sample: Sample): Promise<Prompts> {
  const { questions } = sample;
  const asked = async (turns: readonly Question[]) => {
    const ids = engine.canChat
      ? await chatIds(engine, sample, turns)
      : plainIds(engine, sample, turns);
    return shortened(ids, engine.description.contextLength - answerTokens(engine, turns.at(-1)!));
  };
  const prompts: Prompts = { requests: [], turns: [] };
  for (const [i, question] of questions.entries()) {
    prompts.requests.push(await asked([question]));
    if (i > 0) prompts.turns.push(await asked(questions.slice(0, i + 1)));
  }
  return prompts;
}

/** The most tokens of an answer: half of a small context is left for the question. */
export function answerTokens(engine: Engine, { maxTokens }: Question): number {
  return Math.min(maxTokens, Math.floor(engine.description.contextLength / 2));
}

/** A prompt that does not fit loses its middle, as LongBench has it: the beginning and the question stay. */
function shortened(ids: number[], room: number): number[] {
  const half = Math.floor(room / 2);
  return ids.length <= room ? ids : [...ids.slice(0, half), ...ids.slice(ids.length - half)];
}

function chatIds(engine: Engine, { context }: Sample, turns: readonly Question[]) {
  const before = context === '' ? '' : `${BEFORE}\n\n${context}\n\n`;
  const messages = turns.flatMap(({ text, lead, gold }, i): Message[] => [
    { role: 'user', content: i === 0 ? `${before}${text}` : text },
    { role: 'assistant', content: i === turns.length - 1 ? lead : `${lead} ${gold}` },
  ]);
  return engine.tokenizeChat(turns.at(-1)!.lead === '' ? messages.slice(0, -1) : messages);
}

function plainIds(engine: Engine, { context }: Sample, turns: readonly Question[]) {
  const asked = turns.map(
    ({ text, lead, gold }, i) =>
      `Question: ${text}\nAnswer: ${lead}${i === turns.length - 1 ? '' : ` ${gold}\n\n`}`,
  );
  const text =
    context === '' ? `${turns[0]!.text}${turns[0]!.lead}` : `${context}\n\n${asked.join('')}`;
  return engine.tokenize(text.trimEnd(), { bos: true });
}
