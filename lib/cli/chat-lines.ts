/** How lines become messages in a chat: pasted ones are one message, and so is what stands between two `"""`. */

/** What somebody says, or commands with a line that begins with "/". */
export interface Said {
  text: string;
  isCommand: boolean;
}

const QUOTES = '"""';

export class ChatLines {
  /** Of a block that has no end yet. */
  #block: string[] | undefined;
  /** Pasted, and not sent yet. */
  #pasted: string[] = [];

  /** Whether more lines belong to what has come so far. */
  get isOpen(): boolean {
    return this.isBlock || this.#pasted.length > 0;
  }

  /** Whether a `"""` waits for the other. */
  get isBlock(): boolean {
    return this.#block !== undefined;
  }

  /** Forgets what is open. */
  clear(): void {
    this.#block = undefined;
    this.#pasted = [];
  }

  /** Undefined while more lines have to come, and for a blank line. `isPasted`: somebody has pasted it, its end included. */
  push(line: string, isPasted: boolean): Said | undefined {
    if (this.#block) return this.pushToBlock(this.#block, line, isPasted);
    this.#pasted.push(line);
    if (isPasted) return undefined;
    const lines = this.#pasted;
    this.#pasted = [];
    if (lines.length > 1) return message(lines.join('\n').replace(/\n$/, ''));
    const text = line.trim();
    if (text.startsWith(QUOTES)) {
      this.#block = [];
      return this.pushToBlock(this.#block, line.trimStart().slice(QUOTES.length), false);
    }
    return text.startsWith('/') ? { text, isCommand: true } : message(line);
  }

  /** What is pasted may hold the quotes itself. */
  private pushToBlock(block: string[], line: string, isPasted: boolean): Said | undefined {
    const end = line.trimEnd();
    const isEnd = !isPasted && end.endsWith(QUOTES);
    block.push(isEnd ? end.slice(0, -QUOTES.length) : line);
    if (!isEnd) return undefined;
    this.#block = undefined;
    // Quotes may have lines of their own.
    if (isBlank(block[0])) block.shift();
    if (isBlank(block.at(-1))) block.pop();
    return message(block.join('\n'));
  }
}

function isBlank(line: string | undefined): boolean {
  return line !== undefined && !/\S/.test(line);
}

function message(text: string): Said | undefined {
  return isBlank(text) ? undefined : { text, isCommand: false };
}
