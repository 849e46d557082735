/** Answers to PROPFIND (RFC 4918). */
import { DOMParser, type Element } from '@xmldom/xmldom';
import { StorageError } from '../storage-error.js';

/** A file or collection of an answer. */
export interface DavEntry {
  /** As the server wrote it: an absolute URL, or a path. */
  readonly href: string;
  readonly isCollection: boolean;
  readonly sizeBytes: number;
  readonly modifiedAt: Date | null;
}

/** The properties that are asked for. */
export const propertiesBody =
  '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>';

/** Entries of an answer. @throws StorageError INVALID if it is not well-formed */
export function parseMultistatus(text: string): readonly DavEntry[] {
  // The parser does not load entities; an answer that declares some is hostile.
  if (text.includes('<!DOCTYPE'))
    throw new StorageError('INVALID', 'The list of the server declares a document type');
  const document = parse(text);
  return elements(document, 'response').flatMap((response) => {
    const href = elements(response, 'href')[0]?.textContent?.trim();
    if (href === undefined || href === '') return [];
    const valueOf = (name: string): string => elements(response, name)[0]?.textContent?.trim() ?? '';
    const modifiedAt = new Date(valueOf('getlastmodified'));
    const isCollection = elements(response, 'collection').length > 0;
    return [
      {
        href,
        isCollection,
        sizeBytes: Number(valueOf('getcontentlength')) || 0,
        modifiedAt: Number.isNaN(modifiedAt.getTime()) ? null : modifiedAt,
      },
    ];
  });
}

function parse(text: string): Element {
  try {
    const root = new DOMParser({ onError: refuse }).parseFromString(text, 'text/xml').documentElement;
    if (root !== null) return root;
  } catch (cause) {
    throw new StorageError('INVALID', 'The list of the server is not valid XML', { cause });
  }
  throw new StorageError('INVALID', 'The list of the server is empty');
}

function refuse(level: string, message: string): void {
  if (level !== 'warning') throw new Error(message);
}

function elements(parent: Element, name: string): readonly Element[] {
  return [...parent.getElementsByTagNameNS('DAV:', name)];
}
