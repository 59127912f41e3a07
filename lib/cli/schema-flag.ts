/** `--schema` and `--grammar`: files with what an answer has to fit. */
import { readFileSync } from 'node:fs';

import { InvalidArgumentError } from 'commander';

import { isSchema } from '../options/schema-option.js';
import type { JsonSchema } from '../options/schema-option.js';
import { parseJson } from '../text/parse-json.js';

export const SCHEMA_HELP = 'a file with a JSON Schema: each answer is JSON that fits it';

export const GRAMMAR_HELP = 'a file with a grammar (GBNF): each answer is a text of it';

export function grammarFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

export function schemaFile(path: string): JsonSchema {
  try {
    const text = readFileSync(path, 'utf8').replace(/^\ufeff/, '');
    const schema = parseJson(text, `'${path}'`, 'invalid_argument') as JsonSchema;
    isSchema('schema', schema);
    return schema;
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}
