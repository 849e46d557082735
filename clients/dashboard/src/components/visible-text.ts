// Variation selectors of emoji stay: they hide nothing.
const hidden = /(?![\ufe0e\ufe0f])[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Text with its invisible characters made visible: controls as their pictures, and characters that change the
 * direction of the text or have no width as their code points. Otherwise a file could show other text than it
 * contains.
 */
export function visibleText(text: string): string {
  return (
    text
      .replace(/\r\n/g, '\n')
      // eslint-disable-next-line no-control-regex -- that is what is looked for
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (control) =>
        String.fromCharCode(0x2400 + control.charCodeAt(0)),
      )
      .replace(hidden, (character) => `⟨U+${numberOf(character)}⟩`)
  );
}

/** Code point of a character, as Unicode writes it. */
const numberOf = (character: string): string =>
  (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
