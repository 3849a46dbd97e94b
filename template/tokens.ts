/** The tokens of a template with look-ahead: what was read too far is put back. */
import type { Lexer, Token, TokenType } from './lex.ts';

const NUMBERS: ReadonlySet<TokenType> = new Set(['number', 'complex', 'charConstant']);
const TOKENS_A_NUMBER = 8;

export class Tokens {
  readonly #lexer: Lexer;
  /** Tokens that were put back; the last is the next. */
  readonly #pending: Token[] = [];
  /** The token that came from the lexer last: its line stands in Go's errors. */
  latest: Token = { type: 'eof', position: 0, text: '', line: 0 };

  readonly #limit: number;
  readonly #refuse: () => never;
  #count = 0;

  /**
   * @param limit how many tokens there may be; a number counts as eight, for the exact arithmetic that it takes
   * @param refuse called when there are more
   */
  constructor(lexer: Lexer, limit: number, refuse: () => never) {
    this.#lexer = lexer;
    this.#limit = limit;
    this.#refuse = refuse;
  }

  next(): Token {
    const pending = this.#pending.pop();
    if (pending !== undefined) return pending;
    this.latest = this.#lexer.next();
    this.#count += NUMBERS.has(this.latest.type) ? TOKENS_A_NUMBER : 1;
    if (this.#count > this.#limit) this.#refuse();
    return this.latest;
  }

  /** Puts tokens back: the last of them is the next. */
  back(...tokens: readonly Token[]): void {
    this.#pending.push(...tokens);
  }

  peek(): Token {
    const token = this.next();
    this.#pending.push(token);
    return token;
  }

  nextNonSpace(): Token {
    for (;;) {
      const token = this.next();
      if (token.type !== 'space') return token;
    }
  }

  /** Spaces before the token are gone for good. */
  peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.#pending.push(token);
    return token;
  }
}
