/** Values that are given in texts: in the job order, and as defaults. */
import type { Refusals } from '../refusals.js';
import { shortJson } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { CwlFiles } from './files.js';
import { FileValue, type Value } from './values.js';

/** Where files may be. */
export interface Places {
  readonly files: CwlFiles;
  readonly refusals: Refusals;
  /** Folders that all workers have. */
  readonly readableFolders: readonly string[];
}

/** The value; undefined if it is refused. */
export function valueAt(at: Located, places: Places, depth = 0): Value | undefined {
  const { value } = at;
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (depth > 20) places.refusals.refuse(at, 'is nested too deeply');
  else if (at.isList) {
    const entries = at.entries().map((entry) => valueAt(entry, places, depth + 1));
    return entries.every((entry) => entry !== undefined) ? entries : undefined;
  } else {
    const kind = at.member('class')?.text;
    if (kind === 'File' || kind === 'Directory') return fileAt(at, kind, places);
    places.refusals.refuse(at, `${shortJson(value)} is a record`, 'records are not supported');
  }
  return undefined;
}

function fileAt(at: Located, kind: 'File' | 'Directory', places: Places): FileValue | undefined {
  const { refusals } = places;
  const given = at.member('location') ?? at.member('path');
  if (given?.text === undefined) {
    refusals.refuse(given ?? at, `has no location`, 'contents of files are not supported');
    return undefined;
  }
  const secondary = (at.member('secondaryFiles')?.entries() ?? []).flatMap((one) => {
    const file = valueAt(one, places);
    return file instanceof FileValue ? [file] : [];
  });
  const text = /^file:\/\//.test(given.text) ? decoded(given.text.slice('file://'.length)) : given.text;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  const name = (scheme === undefined ? text : text.replace(/[?#].*$/, '')).replace(/\/+$/, '');
  const basename = at.member('basename')?.text ?? name.slice(name.lastIndexOf('/') + 1);
  if (basename === '' || basename.includes('/')) {
    refusals.refuse(given, 'has no name', 'give it as basename');
    return undefined;
  }
  if (scheme === undefined) return localFile(given, { kind, basename, secondary }, text, places);
  if (kind === 'File' && /^https?$/i.test(scheme))
    return new FileValue({ kind, basename, secondary, path: basename, location: text });
  const advice = 'workers fetch files from http(s) URLs, or find them in a --readable-folder';
  refusals.refuse(given, `${kind} at ${scheme}:// cannot be fetched`, advice);
  return undefined;
}

/** The path of a URL. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A file of this machine: workers have it only if it is in a folder that they all have. */
function localFile(
  at: Located,
  file: Pick<FileValue, 'kind' | 'basename' | 'secondary'>,
  text: string,
  { files, refusals, readableFolders }: Places,
): FileValue | undefined {
  const path = files.absolute(text, at.source);
  if (!path.endsWith(`/${file.basename}`)) {
    refusals.refuse(at, `is not named ${shortJson(file.basename)}`, 'files in folders cannot be renamed');
    return undefined;
  }
  if (readableFolders.some((folder) => path.startsWith(`${folder}/`)))
    return new FileValue({ ...file, path });
  refusals.refuse(
    at,
    `${shortJson(text)} is a file of this machine`,
    'give an http(s) URL, or a path in a folder that all workers can read (--readable-folder)',
  );
  return undefined;
}
