/**
 * A text in which invisible characters are escaped. They could make the text read differently from what it
 * is: direction marks change the order of characters, and others have no width.
 */
export function visible(text: string): string {
  return text.replaceAll(/\p{Cf}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}
