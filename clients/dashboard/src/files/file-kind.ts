/** Kinds of files that the dashboard shows, found by content. */

/** A file as it can be shown. */
export type FileKind =
  | { readonly kind: 'IMAGE'; readonly mediaType: string }
  | { readonly kind: 'JSON' | 'MARKDOWN' | 'TEXT'; readonly text: string }
  /** Cannot be shown. */
  | { readonly kind: 'BINARY'; readonly name: string };

const startsWith = (bytes: Uint8Array, magic: readonly number[], at = 0): boolean =>
  magic.every((byte, index) => bytes[at + index] === byte);

const ascii = (text: string): readonly number[] => [...text].map((character) => character.charCodeAt(0));

/** Images that browsers decode without running anything in them. */
const images: readonly (readonly [mediaType: string, matches: (bytes: Uint8Array) => boolean])[] = [
  ['image/png', (bytes) => startsWith(bytes, [0x89, ...ascii('PNG\r\n'), 0x1a, 0x0a])],
  ['image/jpeg', (bytes) => startsWith(bytes, [0xff, 0xd8, 0xff])],
  ['image/gif', (bytes) => startsWith(bytes, ascii('GIF87a')) || startsWith(bytes, ascii('GIF89a'))],
  ['image/webp', (bytes) => startsWith(bytes, ascii('RIFF')) && startsWith(bytes, ascii('WEBP'), 8)],
];

/** Well-known formats without a preview. */
const binaries: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['a ROOT file', ascii('root')],
  ['a PDF document', ascii('%PDF-')],
  ['an HDF5 file', [0x89, ...ascii('HDF\r\n')]],
  ['a FITS file', ascii('SIMPLE  =')],
  ['a ZIP archive', ascii('PK\u0003\u0004')],
  ['a gzip file', [0x1f, 0x8b]],
];

/**
 * Kind of a file by its first bytes. The name only separates Markdown from other text: nothing in either of
 * them is run.
 * @param isWhole true if these are all bytes of the file; JSON is formatted only as a whole
 */
export function kindOf(bytes: Uint8Array, { name, isWhole }: { name: string; isWhole: boolean }): FileKind {
  const image = images.find(([, matches]) => matches(bytes));
  if (image) return { kind: 'IMAGE', mediaType: image[0] };
  const text = textOf(bytes, isWhole);
  // "root" and "SIMPLE" are words of texts, too.
  const binary = binaries.find(([, magic]) => startsWith(bytes, magic));
  if (text === null || (binary && !isPlain(text)))
    return { kind: 'BINARY', name: binary?.[0] ?? 'a binary file' };
  // The page itself lays out SVG, so large images of this kind stay text.
  if (isWhole && isSvg(text)) return { kind: 'IMAGE', mediaType: 'image/svg+xml' };
  if (isWhole && isJson(text)) return { kind: 'JSON', text };
  if (/\.(?:md|markdown)$/i.test(name)) return { kind: 'MARKDOWN', text };
  return { kind: 'TEXT', text };
}

/** The text of UTF-8; null for other content. A character that the end of the bytes cuts is left out. */
function textOf(bytes: Uint8Array, isWhole: boolean): string | null {
  if (bytes.includes(0)) return null;
  try {
    // A streaming decoder keeps an incomplete last character back.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !isWhole });
  } catch {
    return null;
  }
}

/** True if a text has no controls other than white space. */
function isPlain(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  return !/[\u0000-\u0008\u000e-\u001f]/.test(text);
}

/** Most characters before the root element of an SVG image: declarations and comments. */
const mostPrologue = 4096;

function isSvg(text: string): boolean {
  let rest = text.slice(0, mostPrologue).trimStart();
  for (;;) {
    const skipped = /^(?:<\?[^>]*>|<!--[^]*?-->|<!DOCTYPE\s+svg[^>[]*>)\s*/i.exec(rest)?.[0];
    if (skipped === undefined) return /^<svg[\s>]/.test(rest);
    rest = rest.slice(skipped.length);
  }
}

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
