/** Lines of `cachalot batch` in the format of OpenAI's batch files: `{ custom_id, method, url, body }`. */
import { isBoolean, isIntegerList, integerIn } from '../checks/check-options.js';
import { CachalotError } from '../errors.js';
import { generateChecks } from '../options/generate-options.js';
import type { GenerateOptions } from '../options/generate-options.js';
import { isSchema } from '../options/schema-option.js';
import type { SchemaInput } from '../options/schema-option.js';

/** The request in a body. */
export interface OpenAiRequest {
  isChat: boolean;
  /** The model in the body; the command line decides which model answers. */
  model: string | undefined;
  /** Completions of the prompt. */
  n: number;
  prompt: string | unknown[] | undefined;
  tokens: number[] | undefined;
  options: GenerateOptions;
}

type Body = Record<string, unknown>;

/** Whether a JSON object is such a line: it has a `body`. */
export function isOpenAi(value: object): boolean {
  return Object.hasOwn(value, 'body') || Object.hasOwn(value, 'custom_id');
}

const LINE_KEYS = ['custom_id', 'method', 'url', 'body'];
const CHAT_URLS = ['/v1/chat/completions', '/chat/completions'];
const TEXT_URLS = ['/v1/completions', '/completions'];

/** By the names in the body; null means that a field is absent. */
const OPTIONS: Record<string, keyof GenerateOptions> = {
  max_tokens: 'maxTokens',
  max_completion_tokens: 'maxTokens',
  temperature: 'temperature',
  top_p: 'topP',
  top_k: 'topK',
  min_p: 'minP',
  typical_p: 'typicalP',
  seed: 'seed',
  stop: 'stop',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
  repetition_penalty: 'repetitionPenalty',
  logit_bias: 'logitBias',
};

/** For the service's own records: they change no answer. */
const LABELS = [
  'user',
  'metadata',
  'store',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
];

/** Features that are not supported, with the values that switch them off, as JSON. */
const MISSING: Record<string, string[]> = {
  stream: ['false'],
  tools: ['[]'],
  tool_choice: ['"none"', '"auto"'],
  parallel_tool_calls: ['true', 'false'],
  functions: ['[]'],
  function_call: ['"none"', '"auto"'],
  modalities: ['["text"]'],
  audio: [],
  reasoning_effort: [],
  verbosity: [],
  web_search_options: [],
  stream_options: [],
  best_of: ['1'],
  echo: ['false'],
  suffix: ['""'],
};

/** Throws invalid_argument or not_supported, which names the field. */
export function readOpenAi(line: object): OpenAiRequest {
  for (const key of Object.keys(line)) if (!LINE_KEYS.includes(key)) throw unknown(key, LINE_KEYS);
  const {
    method = 'POST',
    url,
    body,
  } = line as { method?: unknown; url?: unknown; body?: unknown };
  if (method !== 'POST') throw wrong('`method` is not "POST"');
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw wrong('`body` is no object');
  const given: Body = Object.fromEntries(
    Object.entries(body).filter(([, value]) => value !== null),
  );
  const isChat = isChatUrl(url) ?? Object.hasOwn(given, 'messages');
  const { model, messages, prompt, n = 1, logprobs, top_logprobs, prediction, ...more } = given;
  const { response_format, ...rest } = more;
  if (model !== undefined && typeof model !== 'string') throw wrong('`body.model` is no string');
  if ((isChat ? prompt : messages) !== undefined)
    throw wrong(
      isChat
        ? '`body.prompt` goes to /v1/completions'
        : '`body.messages` go to /v1/chat/completions',
    );
  return {
    isChat,
    model,
    n: integerIn(1, 128)('body.n', n),
    ...(isChat ? chatPrompt(messages) : textPrompt(prompt)),
    options: {
      ...readOptions(rest),
      ...readLogprobs(isChat, logprobs, top_logprobs),
      ...readPrediction(prediction),
      ...readFormat(response_format),
    },
  };
}

/** Undefined if the line does not say. */
function isChatUrl(url: unknown): boolean | undefined {
  if (url === undefined) return undefined;
  if (CHAT_URLS.includes(url as string)) return true;
  if (TEXT_URLS.includes(url as string)) return false;
  throw new CachalotError(
    'not_supported',
    `\`url\` ${JSON.stringify(url)} is not supported; ${CHAT_URLS[0]} and ${TEXT_URLS[0]} are`,
  );
}

function chatPrompt(messages: unknown): Pick<OpenAiRequest, 'prompt' | 'tokens'> {
  if (!Array.isArray(messages)) throw wrong('`body.messages` is no array of messages');
  return { prompt: messages, tokens: undefined };
}

/** A string, or token ids. */
function textPrompt(given: unknown): Pick<OpenAiRequest, 'prompt' | 'tokens'> {
  const list: unknown[] = Array.isArray(given) ? given : [];
  const prompt = list.length === 1 && typeof list[0] === 'string' ? list[0] : given;
  if (typeof prompt === 'string') return { prompt, tokens: undefined };
  if (!Array.isArray(prompt)) throw wrong('`body` has no `messages` and no `prompt`');
  if (prompt.some((item) => typeof item !== 'number'))
    throw wrong('`body.prompt` is no string and no array of token ids; give each prompt a line');
  return {
    prompt: undefined,
    tokens: Array.from(isIntegerList('body.prompt', prompt)),
  };
}

function readOptions(body: Body): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const name = Object.hasOwn(OPTIONS, key) ? OPTIONS[key] : undefined;
    if (name !== undefined) {
      if (Object.hasOwn(options, name) && options[name] !== value)
        throw wrong('`body.max_tokens` and `body.max_completion_tokens` differ');
      options[name] = generateChecks[name](`body.${key}`, value);
    } else if (!LABELS.includes(key)) refuseFeature(key, value);
  }
  return options;
}

function refuseFeature(key: string, value: unknown): void {
  const idle = Object.hasOwn(MISSING, key) ? MISSING[key]! : undefined;
  if (!idle)
    throw unknown(`body.${key}`, [
      'model',
      'messages',
      'prompt',
      'n',
      'logprobs',
      ...Object.keys(OPTIONS),
    ]);
  if (!idle.includes(JSON.stringify(value)))
    throw new CachalotError('not_supported', `\`body.${key}\` is not supported yet`);
}

/** For chat: true, with a number beside it; for text: the number itself. */
function readLogprobs(isChat: boolean, logprobs: unknown, top: unknown): GenerateOptions {
  const count = (name: string, value: unknown) => integerIn(0, 20)(name, value);
  if (!isChat) {
    if (top !== undefined) throw wrong('`body.top_logprobs` goes to /v1/chat/completions');
    return logprobs === undefined ? {} : { topLogprobs: count('body.logprobs', logprobs) };
  }
  const isWanted = logprobs !== undefined && isBoolean('body.logprobs', logprobs);
  if (isWanted) return { topLogprobs: top === undefined ? 0 : count('body.top_logprobs', top) };
  if (top !== undefined && top !== 0) throw wrong('`body.top_logprobs` needs `body.logprobs`');
  return {};
}

/** `{ type: "content", content: "..." }`, or `content` as a list of texts. */
function readPrediction(given: unknown): GenerateOptions {
  if (given === undefined) return {};
  const { type, content } = Object(given) as { type?: unknown; content?: unknown };
  if (type !== 'content') throw wrong('`body.prediction.type` is not "content"');
  const parts: unknown[] = Array.isArray(content) ? content : [{ type: 'text', text: content }];
  const texts = parts.map((part) => (Object(part) as { text?: unknown }).text);
  if (texts.some((text) => typeof text !== 'string'))
    throw wrong('`body.prediction.content` is no text');
  return { prediction: generateChecks.prediction('body.prediction.content', texts.join('')) };
}

/** `{ type: "json_schema", json_schema: { schema } }`, "json_object" or "text". */
function readFormat(given: unknown): GenerateOptions {
  const { type, json_schema: named } = Object(given) as { type?: unknown; json_schema?: unknown };
  if (given === undefined || type === 'text') return {};
  if (type === 'json_object') return { schema: { type: 'object' } };
  if (type !== 'json_schema')
    throw wrong('`body.response_format.type` is not "text", "json_object" or "json_schema"');
  const { schema } = Object(named) as { schema?: unknown };
  if (schema === undefined) throw wrong('`body.response_format.json_schema` has no `schema`');
  isSchema('body.response_format.json_schema.schema', schema);
  return { schema: schema as SchemaInput };
}

function unknown(key: string, known: readonly string[]): CachalotError {
  return wrong(`unknown field \`${key}\`; known are ${known.join(', ')}`);
}

function wrong(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}
