/** Variables that a user gives a chat template. */
import type { Check } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { MAX_TEXT } from '../jinja/budget.js';
import { copyJsonObject, textLength } from './json-value.js';
import type { JsonValue } from './json-value.js';

/** Variables that a template reads beside the messages, such as `enable_thinking`. */
export type TemplateOptions = Readonly<Record<string, JsonValue>>;

/** Variables that the engine sets itself. */
const OURS = new Set([
  'messages',
  'tools',
  'documents',
  'add_generation_prompt',
  'continue_final_message',
  'bos_token',
  'eos_token',
]);

export const isTemplateOptions: Check<TemplateOptions> = (name, value) => {
  const options = copyJsonObject(name, value);
  const ours = Object.keys(options).find((key) => OURS.has(key));
  if (ours !== undefined)
    throw new CachalotError(
      'invalid_argument',
      `\`${name}.${ours}\` cannot be given: the engine sets it for every template`,
    );
  if (textLength(options) > MAX_TEXT)
    throw invalidArgument(name, `at most ${MAX_TEXT} characters of JSON`, options);
  return options;
};
