/**
 * Manifest of an upload: the files of a folder. Their contents one after another, in the order of `files`,
 * are the contents of the parts one after another.
 */

/** A file of an upload. */
export interface ManifestFile {
  /** Relative path with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
  readonly isExecutable: boolean;
}

/** A symbolic link. */
export interface ManifestLink {
  readonly path: string;
  /** Relative to the folder of the link; leads to no place outside the upload. */
  readonly target: string;
}

/** A part of the content. */
export interface ManifestPart {
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** The manifest. */
export interface UploadManifest {
  readonly version: 1;
  readonly files: readonly ManifestFile[];
  /** Folders without files. */
  readonly folders: readonly string[];
  readonly links: readonly ManifestLink[];
  readonly parts: readonly ManifestPart[];
}

/** Largest number of files, folders and links. */
export const mostManifestEntries = 100_000;
const mostParts = 1000;
/** Less than what Linux accepts: the path of the working folder comes before it. */
const longestPathBytes = 3000;
const longestNameBytes = 255;

/**
 * Reason why a path cannot be in an upload; undefined if it can. A valid path stays below the folder in which
 * the upload is unpacked.
 */
export function problemOfPath(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (/\p{Surrogate}/u.test(path)) return 'is not valid Unicode';
  if (path.includes('\0')) return 'contains NUL';
  if (path.startsWith('/')) return 'is an absolute path; must be a relative one';
  if (Buffer.byteLength(path) > longestPathBytes) return `has more than ${longestPathBytes} bytes`;
  for (const name of path.split('/')) {
    if (name === '') return 'has an empty part';
    if (name === '.' || name === '..') return `has ${JSON.stringify(name)} as a part`;
    if (Buffer.byteLength(name) > longestNameBytes)
      return `has a part of more than ${longestNameBytes} bytes`;
  }
  return undefined;
}

/**
 * Reason why a link could lead out of an upload; undefined if it cannot. `..` is accepted only at the
 * beginning: after a name, which may be a link itself, it leads to a place that the text does not show.
 */
export function problemOfLink({ path, target }: ManifestLink): string | undefined {
  if (target === '') return 'has no target';
  if (/\p{Surrogate}/u.test(target) || target.includes('\0')) return 'has a target that is not valid';
  if (target.startsWith('/')) return 'leads to an absolute path';
  if (Buffer.byteLength(target) > longestPathBytes)
    return `has a target of more than ${longestPathBytes} bytes`;
  const names = target.split('/').filter((name) => name !== '' && name !== '.');
  const up = names.findIndex((name) => name !== '..');
  const steps = up < 0 ? names.length : up;
  if (steps > path.split('/').length - 1) return 'leads out of the folder';
  if (names.slice(steps).includes('..')) return 'has ".." after a name in its target';
  return undefined;
}

/** Reads a manifest. @throws Error that says what is wrong with it */
export function parseManifest(text: string): UploadManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('The manifest is not JSON');
  }
  if (!isRecord(value) || value['version'] !== 1) throw new Error('The manifest is not of version 1');
  const manifest: UploadManifest = {
    version: 1,
    files: listOf(value, 'files', mostManifestEntries, isFile),
    folders: listOf(value, 'folders', mostManifestEntries, isText),
    links: listOf(value, 'links', mostManifestEntries, isLink),
    parts: listOf(value, 'parts', mostParts, isPart),
  };
  checkManifest(manifest);
  return manifest;
}

/** Checks what a manifest says. @throws Error that says what is wrong with it */
export function checkManifest({ files, folders, links, parts }: UploadManifest): void {
  const paths = [...files, ...links].map(({ path }) => path).concat(folders);
  if (paths.length > mostManifestEntries)
    throw new Error(`${paths.length} files are too many; must be at most ${mostManifestEntries}`);
  for (const path of paths) {
    const problem = problemOfPath(path);
    if (problem !== undefined) throw new Error(`${shown(path)} ${problem}`);
  }
  checkDistinct(paths);
  for (const link of links) {
    const problem = problemOfLink(link);
    if (problem !== undefined) throw new Error(`The link ${shown(link.path)} ${problem}`);
  }
  const [declared, sent] = [bytesOf(files), bytesOf(parts)];
  if (declared !== sent) throw new Error(`The files have ${declared} bytes together, but the parts ${sent}`);
}

/** No entry twice, and none below a file or a link. */
function checkDistinct(paths: readonly string[]): void {
  const known = new Set(paths);
  if (known.size < paths.length) {
    const seen = new Set<string>();
    const twice = paths.find((path) => seen.size === seen.add(path).size);
    throw new Error(`${shown(twice ?? '')} occurs twice`);
  }
  for (const path of paths)
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
      if (known.has(path.slice(0, at)))
        throw new Error(`${shown(path)} is below ${shown(path.slice(0, at))}, which is an entry itself`);
}

const bytesOf = (entries: readonly { readonly sizeBytes: number }[]): number =>
  entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

const shown = (path: string): string => JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);

function listOf<T>(
  record: Readonly<Record<string, unknown>>,
  name: string,
  most: number,
  isEntry: (value: unknown) => value is T,
): readonly T[] {
  const list = record[name];
  if (!Array.isArray(list)) throw new Error(`The manifest has no list ${name}`);
  if (list.length > most)
    throw new Error(`${name}: ${list.length} entries are too many; must be at most ${most}`);
  list.forEach((entry, at) => {
    if (!isEntry(entry)) throw new Error(`${name}.${at} is not valid`);
  });
  return list as readonly T[];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === 'string';

const isPart = (value: unknown): value is ManifestPart =>
  isRecord(value) &&
  Number.isSafeInteger(value['sizeBytes']) &&
  Number(value['sizeBytes']) >= 0 &&
  isText(value['sha256']) &&
  /^[0-9a-f]{64}$/.test(value['sha256']);

const isFile = (value: unknown): value is ManifestFile =>
  isPart(value) &&
  'path' in value &&
  isText(value.path) &&
  'isExecutable' in value &&
  typeof value.isExecutable === 'boolean';

const isLink = (value: unknown): value is ManifestLink =>
  isRecord(value) && isText(value['path']) && isText(value['target']);
