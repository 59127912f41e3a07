/** From a sample to token ids: its questions one by one, and as turns of one conversation. */
import type { Message } from '../chat/messages.js';
import type { Engine } from '../engine.js';
import type { Question, Sample } from './tasks/task.js';

export type Mode = 'requests' | 'turns';
export const MODES: readonly Mode[] = ['requests', 'turns'];

export interface Prompts {
  /** The ids before each question's answer. A single question has no turns. */
  ids: Record<Mode, number[][]>;
  /** How many first ids say nothing of any question: where a context is compressed. */
  shared: number;
}

const BEFORE = 'Read this text, and answer a question about it.';
/** A question that is never asked: what it has in common with the others is the context. */
const OTHER: Question = { text: '0?', answers: [], lead: '0', gold: '', maxTokens: 1 };

/** With the model's chat template if it has one; else as plain text. Earlier turns of a conversation hold the right answers, so that all settings are asked the same. */
export async function promptsOf(engine: Engine, sample: Sample): Promise<Prompts> {
  const { questions } = sample;
  const asked = async (turns: readonly Question[]) => {
    const ids = engine.canChat
      ? await chatIds(engine, sample, turns)
      : plainIds(engine, sample, turns);
    return shortened(ids, engine.description.contextLength - turns.at(-1)!.maxTokens);
  };
  const requests: number[][] = [];
  const turns: number[][] = [];
  for (const [i, question] of questions.entries()) {
    requests.push(await asked([question]));
    if (questions.length > 1)
      turns.push(i === 0 ? requests[0]! : await asked(questions.slice(0, i + 1)));
  }
  const others = [await asked([OTHER]), ...requests.slice(1)];
  const shared = Math.min(...others.map((ids) => commonLength(ids, requests[0]!)));
  return { ids: { requests, turns }, shared };
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

function commonLength(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return i;
  return end;
}
