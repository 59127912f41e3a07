// A conversation through the AI SDK, one turn for each question: what was said before is in the cache.
//
//   node chat.mjs "Name three colours." "Which one is the warmest?" [--model tinyllama-1.1b-chat] [--max-tokens 256]
import { parseArgs } from 'node:util';

import { streamText } from 'ai';
import { Engine } from 'cachalot';

import { cachalot } from './provider.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'tinyllama-1.1b-chat' },
    'max-tokens': { type: 'string', default: '256' },
  },
});
const questions = positionals.length > 0 ? positionals : ['Why is the sky blue?'];

const engine = await Engine.load(values.model);
try {
  /** @type {import('ai').ModelMessage[]} */
  const messages = [];
  for (const content of questions) {
    messages.push({ role: 'user', content });
    const answer = streamText({
      model: cachalot(engine),
      system: 'You are terse.',
      messages,
      maxOutputTokens: Number(values['max-tokens']),
    });
    for await (const text of answer.textStream) process.stdout.write(text);
    messages.push(...(await answer.response).messages);
    const { inputTokens, inputTokenDetails, outputTokens } = await answer.usage;
    const cached = inputTokenDetails.cacheReadTokens;
    console.error(`\n(${inputTokens} tokens, ${cached} from the cache; ${outputTokens} new)`);
  }
} finally {
  await engine.dispose();
}
