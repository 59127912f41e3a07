/** str.format: "{}", "{0.field[key]!r:>8}", "{name}". */
import { joined } from './budget.js';
import { TemplateError, unsupported } from './errors.js';
import { formatSpec } from './percent-format.js';
import { print, represent } from './print.js';
import type { Arguments, Value } from './values.js';

const PIECE = /\{\{|\}\}|\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}|[{}]/g;

/** How a format reaches parts of values: by the same rules as a template. */
export interface Access {
  readonly attributeOf: (of: Value, name: string) => Value;
  readonly itemOf: (of: Value, key: Value) => Value;
}

export function formatText(form: string, given: Arguments, access: Access): string {
  const parts: string[] = [];
  let at = 0;
  const numbering = { next: 0, manual: false };
  for (const found of form.matchAll(PIECE)) {
    parts.push(form.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[0] === '{{' || found[0] === '}}') parts.push(found[0][0]!);
    else if (found[1] === undefined)
      throw new TemplateError(`single '${found[0]}' encountered in format string`);
    else parts.push(formatField(found[1], given, numbering, access));
  }
  parts.push(form.slice(at));
  return joined(parts);
}

interface Numbering {
  next: number;
  manual: boolean;
}

function formatField(
  field: string,
  given: Arguments,
  numbering: Numbering,
  { attributeOf, itemOf }: Access,
): string {
  const [, path, conversion, spec = ''] = /^([^!:]*)(?:!([^:]*))?(?::([^]*))?$/.exec(field) ?? [];
  if (path === undefined) throw new TemplateError(`the format field "${field}" is wrong`);
  const [, first = '', rest] = /^([^.[]*)([^]*)$/.exec(path)!;
  let value = firstValue(first, given, numbering);
  for (const [, name, key] of steps(rest!, field))
    value = name === undefined ? itemOf(value, keyOf(key!)) : attributeOf(value, name);
  if (spec.includes('{')) throw unsupported('a format within a format');
  if (conversion === undefined) return formatSpec(value, spec);
  if (conversion === 's') return formatSpec(print(value), spec);
  if (conversion === 'r') return formatSpec(represent(value), spec);
  throw unsupported(`"!${conversion}" in a format`);
}

function firstValue(name: string, { positional, named }: Arguments, numbering: Numbering): Value {
  if (name !== '' && !/^\d+$/.test(name)) {
    const value = named.get(name);
    if (value === undefined) throw new TemplateError(`the format's argument "${name}" is missing`);
    return value;
  }
  if (name === '' ? numbering.manual : numbering.next > 0)
    throw new TemplateError('a format cannot mix numbered and unnumbered fields');
  if (name !== '') numbering.manual = true;
  const value = positional[name === '' ? numbering.next++ : Number(name)];
  if (value === undefined) throw new TemplateError('the format has more fields than arguments');
  return value;
}

function steps(rest: string, field: string): RegExpExecArray[] {
  const found = Array.from(rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g));
  if (found.reduce((n, [text]) => n + text.length, 0) !== rest.length)
    throw new TemplateError(`the format field "${field}" is wrong`);
  return found;
}

const keyOf = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);
