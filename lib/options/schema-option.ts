/** Schemas as users give them: JSON Schema, or the object of a library that can say what its schema is in JSON Schema. */
import { CachalotError, invalidArgument } from '../errors.js';
import type { InferJson } from './infer-json.js';

/** A JSON Schema: an object of keywords, or true or false. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** A schema of zod (4.2 or later), valibot, arktype and others: standardschema.dev. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: number;
    readonly vendor: string;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: string }) => Record<string, unknown>;
    };
    readonly validate?: (
      value: unknown,
    ) => StandardOutcome<Output> | Promise<StandardOutcome<Output>>;
  };
}

export type StandardOutcome<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

export type SchemaInput = JsonSchema | StandardSchema;

/** The type of the values that fit a schema, as far as TypeScript can tell; `unknown` if it cannot. */
export type Infer<S> = S extends {
  readonly '~standard': { readonly types?: { readonly output: infer Output } | undefined };
}
  ? Output
  : S extends { readonly static: infer Static } // typebox
    ? Static
    : InferJson<S>;

/** Options with a schema whose type is known. */
export type WithSchema<Options, S> = Omit<Options, 'schema'> & { schema: S };

/** A schema as it is used. */
export interface Schema {
  json: string;
  /** What a library makes of a value that fits: it may check more, and change it. */
  parse?: (value: unknown) => Promise<unknown>;
}

const TARGET = { target: 'draft-2020-12' };

export function isSchema(name: string, value: unknown): Schema {
  if (typeof value === 'boolean') return { json: String(value) };
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const isCallable = typeof value === 'function'; // arktype's are
  const standard =
    isObject || isCallable ? (value as Partial<StandardSchema>)['~standard'] : undefined;
  if (standard) return standardSchema(name, standard);
  if (!isObject) throw invalidArgument(name, 'a JSON Schema, or a schema of a library', value);
  return { json: jsonOf(name, value) };
}

function standardSchema(name: string, standard: StandardSchema['~standard']): Schema {
  const { vendor, jsonSchema, validate } = standard;
  if (!jsonSchema)
    throw new CachalotError(
      'invalid_argument',
      `\`${name}\` is a schema of ${vendor} that does not say what it is in JSON Schema; convert it first (zod: use 4.2 or later, or z.toJSONSchema)`,
    );
  const json = jsonOf(name, closed(jsonSchema.input(TARGET)) as object);
  if (!validate) return { json };
  const parse = async (value: unknown) => {
    const outcome = await validate(value);
    if (!outcome.issues) return outcome.value;
    const why = outcome.issues.map(({ message }) => message).join('; ');
    throw new CachalotError(
      'object_refused',
      `the answer fits \`${name}\`, but ${vendor} refuses it: ${why}`,
    );
  };
  return { json, parse };
}

/** Keywords whose schemas are about one value together: a closed one would forbid what the others name. */
const TOGETHER = ['allOf', 'not', 'if', 'then', 'else'];

/** Libraries drop properties that an object does not name, unless it says so: a model need not write them. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.entries(schema).map(([key, value]: [string, unknown]) => [
    key,
    TOGETHER.includes(key) || key === 'const' || key === 'enum' ? value : closed(value),
  ]);
  const isOpen =
    Object.hasOwn(schema, 'properties') && !Object.hasOwn(schema, 'additionalProperties');
  const isAlone = !TOGETHER.some((key) => Object.hasOwn(schema, key));
  const isObject = (schema as { type?: unknown }).type === 'object';
  const more = isOpen && isAlone && isObject ? [['additionalProperties', false]] : [];
  return Object.fromEntries([...parts, ...more]) as unknown;
}

/** Whatever cannot be JSON is refused here, and not lost. */
function jsonOf(name: string, value: object): string {
  try {
    return JSON.stringify(value, (key, part: unknown) => {
      if (typeof part === 'number' && !Number.isFinite(part))
        throw new TypeError(`"${key}" is ${part}`);
      if (typeof part === 'function' || typeof part === 'bigint' || typeof part === 'symbol')
        throw new TypeError(`"${key}" is a ${typeof part}`);
      return part;
    });
  } catch (error) {
    throw new CachalotError(
      'invalid_argument',
      `\`${name}\` is not JSON: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
