/** Assigns the arguments of a call to a macro's parameters. */
import { chargeItems } from './budget.js';
import type { Evaluate, Used } from './compile-expression.js';
import { TemplateError } from './errors.js';
import type { Scope } from './scope.js';
import { Dict, Tuple, Undefined } from './values.js';
import type { Arguments } from './values.js';

export interface MacroParameter {
  name: string;
  make: Evaluate | null;
}

export function bindMacro(
  macro: string,
  parameters: MacroParameter[],
  used: Used,
  { positional, named }: Arguments,
  scope: Scope,
): void {
  const rest = new Map(named);
  const unset: MacroParameter[] = [];
  parameters.forEach((parameter, i) => {
    const value = i < positional.length ? positional[i] : rest.get(parameter.name);
    if (i >= positional.length) rest.delete(parameter.name);
    if (value === undefined) unset.push(parameter);
    else scope.set(parameter.name, value);
  });
  if (used.has('caller')) {
    scope.set('caller', rest.get('caller') ?? new Undefined('No caller defined'));
    rest.delete('caller');
  }
  if (used.has('kwargs')) scope.set('kwargs', Dict.of(rest));
  else
    for (const name of rest.keys())
      throw new TemplateError(`macro '${macro}' takes no keyword argument '${name}'`);
  const more = positional.slice(parameters.length);
  chargeItems(more.length);
  if (used.has('varargs')) scope.set('varargs', new Tuple(more));
  else if (more.length > 0)
    throw new TemplateError(
      `macro '${macro}' takes not more than ${parameters.length} argument(s)`,
    );
  // A default value sees the parameters after its own as empty, not the outer variables of these names.
  for (const { name } of unset) scope.set(name, new Undefined(`'${name}' is undefined`));
  for (const { name, make } of unset)
    scope.set(name, make ? make(scope) : new Undefined(`parameter '${name}' was not provided`));
}
