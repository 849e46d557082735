/** Loads what a preview shows. */
import type { Root } from 'mdast';
import { type FileKind, kindOf } from './file-kind.js';
import { indentJson } from './json-text.js';
import type { StoredOutput } from './output-folders.js';
import { parsedMarkdown } from './parse-markdown.js';
import { type AddressSource, readStored } from './stored-file.js';
import { visibleText } from '../components/visible-text.js';

/** Bytes of a text that are shown. */
export const mostTextBytes = 256 * 1024;
/** Size of the largest image that is shown, in bytes. */
export const mostImageBytes = 20 * 1024 * 1024;
/** Length of the longest Markdown that is rendered: it may become as many elements. */
const mostMarkdown = 64 * 1024;

/** Content of a preview. */
export type Shown =
  | { readonly as: 'IMAGE'; readonly address: string }
  | { readonly as: 'MARKDOWN'; readonly tree: Root }
  | { readonly as: 'TEXT'; readonly text: string; readonly isJson: boolean }
  /** The reason why the file has no preview. */
  | { readonly as: 'NOTHING'; readonly reason: string };

/** A preview. */
export interface Preview {
  readonly shown: Shown;
  /** True if the file is shown whole. */
  readonly isWhole: boolean;
  /** True if the SHA-256 of the file was compared. */
  readonly isVerified: boolean;
}

/** Reads what the preview of a file needs. @throws ReadError */
export async function loadPreview(
  output: StoredOutput,
  { addressOf, signal }: { readonly addressOf: AddressSource; readonly signal: AbortSignal },
): Promise<Preview> {
  if (output.sizeBytes === 0) return nothing('The file is empty.');
  let read = await readStored(output, { addressOf, signal, mostBytes: mostTextBytes });
  const kind = kindOf(read.bytes, { name: output.name, isWhole: read.isWhole });
  if (kind.kind === 'BINARY') return nothing(`There is no preview of ${kind.name}.`);
  if (kind.kind !== 'IMAGE')
    return { ...read, shown: await shownText(kind, { isWhole: read.isWhole, signal }) };
  if (output.sizeBytes > mostImageBytes) return nothing('The image is larger than 20 MiB.');
  if (!read.isWhole) read = await readStored(output, { addressOf, signal, mostBytes: mostImageBytes });
  return { ...read, shown: { as: 'IMAGE', address: await dataAddress(read.bytes, kind.mediaType) } };
}

const nothing = (reason: string): Preview => ({
  shown: { as: 'NOTHING', reason },
  isWhole: true,
  isVerified: false,
});

async function shownText(
  { kind, text }: Extract<FileKind, { readonly text: string }>,
  { isWhole, signal }: { readonly isWhole: boolean; readonly signal: AbortSignal },
): Promise<Shown> {
  if (kind === 'MARKDOWN' && isWhole && text.length <= mostMarkdown) {
    const tree = await parsedMarkdown(text, signal);
    if (tree) return { as: 'MARKDOWN', tree };
  }
  const isJson = kind === 'JSON';
  return { as: 'TEXT', isJson, text: visibleText(isJson ? indentJson(text) : text) };
}

/**
 * An image as a `data:` address. Unlike one of a blob, it has no origin: an SVG image that is opened in a tab
 * of its own is no page of the dashboard.
 */
async function dataAddress(bytes: Uint8Array<ArrayBuffer>, mediaType: string): Promise<string> {
  const reader = new FileReader();
  const read = new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(reader.error ?? new Error('The image cannot be read'));
  });
  reader.readAsDataURL(new Blob([bytes], { type: mediaType }));
  await read;
  return reader.result as string;
}
