/** Bounds of the texts that models read as instructions: descriptions of tools and of their inputs. */

/** Characters that are invisible, or that change the order in which a text is shown. */
const hidden =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

/** The error of a text, in words; undefined if there is none. */
export function textFault(text: string, most: number): string | undefined {
  if (text.length > most) return `${text.length} characters are too many; must be at most ${most}`;
  if (hidden.test(text)) return 'it has control or invisible characters';
  return /\bhttps?:|\bwww\./i.test(text) ? 'addresses of pages are not possible here' : undefined;
}
