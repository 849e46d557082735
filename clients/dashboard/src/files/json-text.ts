import { maxCharacters } from '../pages/log.js';

/** Deepest level that is indented: deeper ones would multiply the length of the text. */
const deepestIndent = 16;

/**
 * Valid JSON with one value on each line, or as it is written if that is too long for a page. Numbers and
 * strings stay as they are written: a parsed number may have lost digits.
 */
export function indentJson(text: string): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  const parts: string[] = [];
  let depth = 0;
  const newLine = (): void => void parts.push('\n', '  '.repeat(Math.min(depth, deepestIndent)));
  for (const [at, token] of tokens.entries()) {
    if (token === '{' || token === '[') {
      parts.push(token);
      depth += 1;
      if (!isClosing(tokens[at + 1])) newLine();
    } else if (isClosing(token)) {
      depth -= 1;
      if (!isOpening(tokens[at - 1])) newLine();
      parts.push(token);
    } else if (token === ',') {
      parts.push(token);
      newLine();
    } else parts.push(token === ':' ? ': ' : token);
  }
  const indented = parts.join('');
  return indented.length > maxCharacters ? text : indented;
}

const isOpening = (token: string | undefined): boolean => token === '{' || token === '[';
const isClosing = (token: string | undefined): boolean => token === '}' || token === ']';
