/**
 * Whether a value is an AbortSignal. It may be one of another realm, or of a library: jsdom has a class of its own, and so has each
 * `vm` context. An object that only looks like one could change its answers. So its class is asked, and a
 * class is trusted if it tells its own objects from others.
 */
import { types } from 'node:util';

const OWN_NEVER = ['aborted', 'reason', 'addEventListener', 'removeEventListener'];

export function isRealSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  if (OWN_NEVER.some((key) => Object.hasOwn(value, key))) return false;
  const owner = prototypeWith(value, 'aborted');
  if (owner === undefined) return false;
  const aborted = Object.getOwnPropertyDescriptor(owner, 'aborted');
  if (!isBoolean(aborted, value) || isBoolean(aborted, Object.create(owner) as object))
    return false;
  const { addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function';
}

function prototypeWith(value: object, key: string): object | undefined {
  let owner = Object.getPrototypeOf(value) as object | null;
  while (owner !== null) {
    if (types.isProxy(owner)) return undefined; // it may give any answer, or throw
    if (Object.hasOwn(owner, key)) return owner;
    owner = Object.getPrototypeOf(owner) as object | null;
  }
  return undefined;
}

/** Whether a getter gives a boolean for an object, rather than throwing because it does not know the object. */
function isBoolean(property: PropertyDescriptor | undefined, of: object): boolean {
  try {
    return typeof property?.get?.call(of) === 'boolean';
  } catch {
    return false;
  }
}
