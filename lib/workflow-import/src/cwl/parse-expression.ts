/** Expressions: references to parameters, and for conditions comparisons, logic and arithmetic. */
import { type Token, tokensOf } from './tokens.js';

/** A parsed expression. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: null | boolean | number | string }
  | { readonly kind: 'reference'; readonly root: string; readonly path: readonly (string | number)[] }
  | { readonly kind: 'unary'; readonly sign: '!' | '-'; readonly of: Expression }
  | {
      readonly kind: 'binary';
      readonly sign: string;
      readonly left: Expression;
      readonly right: Expression;
    };

/** Signs by how strongly they bind, the weakest first. */
const levels = [
  ['||'],
  ['&&'],
  ['===', '!==', '==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
] as const;

const words: ReadonlyMap<string, null | boolean> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/** Most brackets and signs within each other. */
const maxDepth = 50;

/** Parses an expression; undefined if it is something else, such as JavaScript with calls. */
export function parseExpression(text: string): Expression | undefined {
  const tokens = tokensOf(text);
  if (!tokens) return undefined;
  const parser = new Parser(tokens);
  const parsed = parser.level(0, 0);
  return parsed && parser.isAtEnd ? parsed : undefined;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#peek().kind === 'end';
  }

  level(index: number, depth: number): Expression | undefined {
    const signs: readonly string[] | undefined = levels[index];
    if (!signs) return this.#unary(depth);
    let left = this.level(index + 1, depth);
    while (left && this.#peek().kind === 'sign' && signs.includes(this.#peek().text)) {
      const sign = this.#next().text;
      const right = this.level(index + 1, depth);
      left = right && { kind: 'binary', sign, left, right };
    }
    return left;
  }

  #unary(depth: number): Expression | undefined {
    const { kind, text } = this.#peek();
    if (depth > maxDepth) return undefined;
    if (kind !== 'sign' || (text !== '!' && text !== '-')) return this.#primary(depth);
    this.#next();
    const of = this.#unary(depth + 1);
    return of && { kind: 'unary', sign: text, of };
  }

  #primary(depth: number): Expression | undefined {
    const { kind, text } = this.#next();
    if (kind === 'number') return { kind: 'literal', value: Number(text) };
    if (kind === 'string') return { kind: 'literal', value: text };
    if (kind === 'name') {
      const word = words.get(text);
      return word === undefined ? this.#reference(text) : { kind: 'literal', value: word };
    }
    if (text !== '(') return undefined;
    const inner = this.level(0, depth + 1);
    return this.#accept(')') ? inner : undefined;
  }

  #reference(root: string): Expression | undefined {
    const path: (string | number)[] = [];
    for (;;)
      if (this.#accept('.')) {
        const { kind, text } = this.#next();
        if (kind !== 'name') return undefined;
        path.push(text);
      } else if (this.#accept('[')) {
        const { kind, text } = this.#next();
        if (kind !== 'number' && kind !== 'string') return undefined;
        path.push(kind === 'number' ? Number(text) : text);
        if (!this.#accept(']')) return undefined;
      } else return this.#peek().text === '(' ? undefined : { kind: 'reference', root, path };
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '' };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #accept(sign: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== 'sign' || text !== sign) return false;
    this.#at += 1;
    return true;
  }
}
