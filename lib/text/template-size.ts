/** Characters of one conversation, rendered or not: far beyond any context. */
export const MAX_TEXT = 4 << 20;
