import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  statSync,
  unlinkSync,
  type Stats,
} from 'node:fs';
import { readProcessTable } from '../processes/process-table.js';

/** The file system in memory that all processes of a host share. */
export const sharedMemoryFolder = '/dev/shm';

const blockBytes = 512;
/** Clocks of file systems tick more coarsely than the process's own. */
const clockSlackMs = 20;

interface OwnFile {
  /** Undefined if it is deleted and still open. */
  readonly path: string | undefined;
  readonly bytes: number;
  /** True if it was certainly created during the attempt. */
  readonly isRemovable: boolean;
}

/** Files in memory of one attempt. */
export interface SharedMemory {
  /** Size of the files at the latest look. */
  readonly bytes: number;
  /** Looks at the files of these processes. */
  observe(pids: readonly number[]): void;
  /** Removes what the processes have left. */
  remove(): void;
}

/**
 * The files in `/dev/shm` that an attempt's processes have created: they use memory, and stay when the
 * processes end. A file belongs to the attempt once one of its processes was seen with the file open or
 * mapped, if the file is younger than the attempt.
 */
export class SharedMemoryFiles implements SharedMemory {
  readonly #sinceMs: number;
  readonly #folder: string;
  /** By inode. */
  #files = new Map<number, OwnFile>();
  #usedBefore = 0;

  constructor(sinceMs = Date.now() - clockSlackMs, folder = sharedMemoryFolder) {
    this.#sinceMs = sinceMs;
    this.#folder = folder;
  }

  /** Size of the files at the latest look. */
  get bytes(): number {
    return [...this.#files.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Finds files of these processes. Costs one system call while nothing in `/dev/shm` grows or shrinks. */
  observe(pids: readonly number[]): void {
    const used = usedBytes(this.#folder);
    if (used === this.#usedBefore) return;
    this.#usedBefore = used;
    const device = statOf(this.#folder)?.dev;
    const files = new Map<number, OwnFile>();
    const keep = (path: string, stats: Stats | undefined): void => {
      if (stats?.dev !== device || stats === undefined || !stats.isFile()) return;
      const isOwn = this.#files.has(stats.ino) || bornMs(stats) >= this.#sinceMs;
      if (!isOwn) return;
      files.set(stats.ino, {
        path: stats.nlink === 0 ? undefined : path,
        bytes: stats.blocks * blockBytes,
        isRemovable: stats.birthtimeMs > 0,
      });
    };
    for (const { path } of this.#files.values()) if (path !== undefined) keep(path, statOf(path));
    for (const pid of pids) for (const { path, stats } of this.#filesOf(pid)) keep(path, stats());
    // An inode number is reused only after its file is gone.
    this.#files = files;
  }

  /** Removes the files that no process has open or mapped any more. */
  remove(): void {
    const paths = new Map<string, number>();
    for (const [inode, { path, isRemovable }] of this.#files)
      if (path !== undefined && isRemovable) paths.set(path, inode);
    if (paths.size === 0) return;
    for (const pid of readProcessTable().keys())
      for (const { path } of this.#filesOf(pid)) paths.delete(path);
    for (const [path, inode] of paths) {
      if (statOf(path)?.ino !== inode) continue;
      try {
        unlinkSync(path);
      } catch {
        // It is gone meanwhile, or its folder may not be changed.
      }
    }
    this.#files.clear();
  }

  /** Files below the folder that a process has open or mapped. */
  #filesOf(pid: number): readonly { readonly path: string; readonly stats: () => Stats | undefined }[] {
    const prefix = `${this.#folder}/`;
    const open = namesIn(`/proc/${pid}/fd`).flatMap((name) => {
      const link = `/proc/${pid}/fd/${name}`;
      const path = targetOf(link)?.replace(/ \(deleted\)$/, '');
      return path?.startsWith(prefix) === true ? [{ path, stats: () => statOf(link, true) }] : [];
    });
    const mapped = mappedFiles(pid).flatMap((path) =>
      path.startsWith(prefix) ? [{ path, stats: () => statOf(path) }] : [],
    );
    return [...open, ...mapped];
  }
}

function usedBytes(folder: string): number {
  try {
    const { blocks, bfree, bsize } = statfsSync(folder);
    return (blocks - bfree) * bsize;
  } catch {
    return 0;
  }
}

/** Creation time of a file; if the file system does not have it, the time of its last change. */
function bornMs({ birthtimeMs, ctimeMs }: Stats): number {
  return birthtimeMs > 0 ? birthtimeMs : ctimeMs;
}

function statOf(path: string, follow = false): Stats | undefined {
  try {
    return follow ? statSync(path) : lstatSync(path);
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function mappedFiles(pid: number): readonly string[] {
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
    return [
      ...new Set([...maps.matchAll(/^\S+ \S+ \S+ \S+ [1-9]\d* +(\/.*)$/gm)].map(([, path = '']) => path)),
    ];
  } catch {
    return [];
  }
}
