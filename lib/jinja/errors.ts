/** The errors of a template. */

/** The template is invalid, raises, or uses an unsupported feature; the message says which. */
export class TemplateError extends Error {}

/** The template makes more than it may. */
export class TooLargeError extends Error {}

/** The template does more than it may. */
export class TooLongError extends Error {}

/** The template itself refuses its input. */
export class RaisedError extends Error {}

/** A feature of Python that we lack. It is refused by name, because a result that is only nearly right would go unnoticed. */
export function unsupported(what: string): TemplateError {
  return new TemplateError(`${what} is not supported`);
}
