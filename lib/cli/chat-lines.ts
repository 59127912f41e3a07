/** Turns lines into messages of a chat: pasted lines are one message, and so are the lines between two `"""`. */

/** Messages, or commands: lines that begin with "/". */
export interface Said {
  text: string;
  isCommand: boolean;
}

const QUOTES = '"""';

export class ChatLines {
  /** Lines of a block that has no end yet. */
  #block: string[] | undefined;
  /** Pasted text that was not sent yet. */
  #pasted: string[] = [];

  /** Whether the message is incomplete. */
  get isOpen(): boolean {
    return this.isBlock || this.#pasted.length > 0;
  }

  /** Whether a block that began with `"""` is still open. */
  get isBlock(): boolean {
    return this.#block !== undefined;
  }

  /** Drops the incomplete message. */
  clear(): void {
    this.#block = undefined;
    this.#pasted = [];
  }

  /** Undefined while more lines have to come, and for a blank line. `isPasted`: the line was pasted, with its end. */
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

  /** Pasted text may contain the quotes itself. */
  private pushToBlock(block: string[], line: string, isPasted: boolean): Said | undefined {
    const end = line.trimEnd();
    const isEnd = !isPasted && end.endsWith(QUOTES);
    block.push(isEnd ? end.slice(0, -QUOTES.length) : line);
    if (!isEnd) return undefined;
    this.#block = undefined;
    // The quotes may stand on lines of their own.
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
