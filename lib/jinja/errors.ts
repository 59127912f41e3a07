/** What a template can fail with. */

/** The template is wrong, raises, or uses what is not supported: the message says what. */
export class TemplateError extends Error {}

/** The template makes more than it may. */
export class TooLargeError extends Error {}

/** The template does more than it may. */
export class TooLongError extends Error {}

/** The template itself says that it does not take what it was given. */
export class RaisedError extends Error {}

/** What Python has and we do not: refused by name, because an answer that is only nearly right would go unnoticed. */
export function unsupported(what: string): TemplateError {
  return new TemplateError(`${what} is not supported`);
}
