/** Tokens of expressions. */

/** A part of an expression. */
export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'sign' | 'end';
  readonly text: string;
}

const forms =
  /\s*(?:([A-Za-z_$][\w$]*)|(\d+(?:\.\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(===|!==|==|!=|<=|>=|&&|\|\||[-+*/%<>!().[\]]))/y;

/** Tokens of a text; undefined if it has something else. */
export function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  forms.lastIndex = 0;
  while (text.slice(forms.lastIndex).trim() !== '') {
    const match = forms.exec(text);
    if (!match) return undefined;
    const [, name, number, quoted, sign] = match;
    if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (quoted !== undefined) tokens.push({ kind: 'string', text: unquoted(quoted) });
    else tokens.push({ kind: 'sign', text: sign ?? '' });
    if (tokens.length > 1000) return undefined;
  }
  return [...tokens, { kind: 'end', text: '' }];
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_all, character: string) => {
    if (character === 'n') return '\n';
    return character === 't' ? '\t' : character;
  });
}
