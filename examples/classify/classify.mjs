// Sorts texts into classes by examples. The instructions and examples are computed once and shared by all texts, however many.
//
//   node examples/classify/classify.mjs [model] < texts     (one a line; JSON lines come out)
//   printf 'I want my money back.\nHow do I log in?\n' | node examples/classify/classify.mjs
import { createInterface } from 'node:readline';

import { Engine } from 'cachalot';

const CLASSES = ['billing', 'account', 'praise'];
const EXAMPLES = `Each message to our shop belongs to one class: ${CLASSES.join(', ')}.

Message: You charged my card twice for one order.
Class: billing

Message: I cannot remember my password.
Class: account

Message: The new version is wonderful, thank you!
Class: praise

Message: Please send me the invoice of May.
Class: billing

Message: How can I change my e-mail address?
Class: account
`;

const texts = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== '') texts.push(line.trim());
}

const engine = await Engine.load(process.argv[2] ?? 'tinyllama-1.1b-chat');
const examples = await engine.cache.add(EXAMPLES, { pin: true });
const batch = engine.createBatch(
  texts.map((text) => ({ context: examples, prompt: `\nMessage: ${text}\nClass:` })),
  { maxTokens: 6, stop: '\n', order: 'input' },
);
for await (const { index, text, error } of batch) {
  const answer = error ? undefined : CLASSES.find((name) => text.trim().startsWith(name));
  const result = {
    text: texts[index],
    class: answer ?? null,
    ...(error && { error: error.message }),
  };
  console.log(JSON.stringify(result));
}
const { promptTokens, sharedTokens, tokensPerSecond } = batch.stats;
console.error(
  `${texts.length} texts; ${promptTokens} tokens of prompts, ${sharedTokens} of them shared; ${tokensPerSecond.toFixed(1)} tokens/s`,
);
await engine.dispose();
