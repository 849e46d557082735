/** Outputs by folder. */

/** A stored output. */
export interface StoredOutput {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A folder of outputs, and what is directly in it. */
export interface OutputFolder<File extends StoredOutput = StoredOutput> {
  /** Path without `/` at its end; empty for the output folder itself. */
  readonly path: string;
  readonly folders: readonly OutputFolder<File>[];
  readonly files: readonly File[];
  /** Files at any depth. */
  readonly count: number;
  /** Bytes of all of them. */
  readonly sizeBytes: number;
}

interface Draft<File> {
  readonly path: string;
  readonly folders: Map<string, Draft<File>>;
  readonly files: File[];
  count: number;
  sizeBytes: number;
}

const emptyDraft = <File>(path: string): Draft<File> => ({
  ...{ path, folders: new Map(), files: [] },
  ...{ count: 0, sizeBytes: 0 },
});

/** The tree of the folders of outputs, each sorted by name. */
export function foldersOf<File extends StoredOutput>(outputs: readonly File[]): OutputFolder<File> {
  const root = emptyDraft<File>('');
  const sorted = [...outputs].sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const output of sorted) {
    let folder = root;
    const add = (): void => {
      folder.count += 1;
      folder.sizeBytes += output.sizeBytes;
    };
    add();
    for (const part of output.name.split('/').slice(0, -1)) {
      const path = folder === root ? part : `${folder.path}/${part}`;
      const next: Draft<File> = folder.folders.get(part) ?? emptyDraft(path);
      folder.folders.set(part, next);
      folder = next;
      add();
    }
    folder.files.push(output);
  }
  return finished(root);
}

function finished<File extends StoredOutput>({ folders, ...draft }: Draft<File>): OutputFolder<File> {
  return { ...draft, folders: [...folders.values()].map((folder) => finished(folder)) };
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A size as people read it, such as `1.5 MiB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${units[unit] ?? ''}`;
}
