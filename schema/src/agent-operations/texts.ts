/** Bounds of the texts that models read as instructions: descriptions of tools and of their inputs. */

/** Characters that are invisible, or that change the order in which a text is shown. */
const hidden = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** The error of a text, in words; undefined if there is none. */
export function textFault(text: string, most: number): string | undefined {
  if (text.length > most) return `${text.length} characters are too many; must be at most ${most}`;
  if (hidden.test(text)) return 'it has control or invisible characters';
  return /\bhttps?:|\bwww\./i.test(text) ? 'addresses of pages are not possible here' : undefined;
}
