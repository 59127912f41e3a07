// A conversation through LangChain, one turn for each question: what was said before is in the cache.
//
//   node chat.mjs "Name three colours." "Which one is the warmest?" [--model tinyllama-1.1b-chat] [--max-tokens 256]
import { parseArgs } from 'node:util';

import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { Engine } from 'cachalot';

import { ChatCachalot } from './chat-model.mjs';

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
  const model = new ChatCachalot({ engine, options: { maxTokens: Number(values['max-tokens']) } });
  /** @type {import('@langchain/core/messages').BaseMessage[]} */
  const messages = [new SystemMessage('You are terse.')];
  for (const question of questions) {
    messages.push(new HumanMessage(question));
    /** @type {import('@langchain/core/messages').AIMessageChunk | undefined} */
    let answer;
    for await (const chunk of await model.stream(messages)) {
      process.stdout.write(chunk.text);
      answer = answer ? answer.concat(chunk) : chunk;
    }
    if (!answer) throw new Error('the stream was empty');
    messages.push(answer);
    const { input_tokens, output_tokens, input_token_details } = answer.usage_metadata ?? {};
    const cached = input_token_details?.cache_read;
    console.error(`\n(${input_tokens} tokens, ${cached} from the cache; ${output_tokens} new)`);
  }
} finally {
  await engine.dispose();
}
