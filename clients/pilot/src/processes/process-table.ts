import { closeSync, openSync, readSync, readdirSync } from 'node:fs';

/**
 * One process as /proc shows it. Process ids are reused: only id and start time together identify a process.
 */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it started, in ticks since boot. */
  readonly startTicks: number;
  /** Ended, and not yet waited for by its parent. */
  readonly isZombie: boolean;
  /** User and system time of its own, in ticks. */
  readonly ownTicks: number;
  /** The same for all children that it waited for, and for theirs, in ticks. */
  readonly childTicks: number;
}

/** All processes of a host at one moment, by process id. */
export type ProcessTable = ReadonlyMap<number, ProcessEntry>;

/** Ticks per second of times in /proc: fixed in Linux's interface, independent of the kernel's clock. */
export const ticksPerSecond = 100;

/** Reads all processes, without those that end meanwhile. */
export function readProcessTable(): ProcessTable {
  const table = new Map<number, ProcessEntry>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const entry = readProcess(Number(name));
    if (entry !== undefined) table.set(entry.pid, entry);
  }
  return table;
}

/** Reads one process; undefined if it has ended. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Parses /proc/<pid>/stat. The program's name is in brackets and may itself contain spaces and brackets. */
export function parseStat(text: string): ProcessEntry | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  // Field 3 of the manual page, the state, is the first after the name.
  const fields = text.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid: Number(text.slice(0, open)),
    parent: field(4),
    group: field(5),
    session: field(6),
    startTicks: field(22),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    ownTicks: field(14) + field(15),
    childTicks: field(16) + field(17),
  };
}

/** Memory of a process, in bytes. */
export interface ProcessMemory {
  readonly bytes: number;
  /** The part in files of memory file systems, System V segments and shared anonymous mappings. */
  readonly sharedBytes: number;
}

/** The resident set of a process; 0 when the process has ended. */
export function residentMemory(pid: number): ProcessMemory {
  const text = textOf(`/proc/${pid}/status`) ?? '';
  return { bytes: kilobytes(text, 'VmRSS') ?? 0, sharedBytes: kilobytes(text, 'RssShmem') ?? 0 };
}

/**
 * The proportional set of a process: a page that n processes share counts as 1/n. Undefined when it may not
 * be read.
 */
export function proportionalMemory(pid: number): ProcessMemory | undefined {
  const text = textOf(`/proc/${pid}/smaps_rollup`) ?? '';
  const bytes = kilobytes(text, 'Pss');
  return bytes === undefined ? undefined : { bytes, sharedBytes: kilobytes(text, 'Pss_Shmem') ?? 0 };
}

function kilobytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

/** Bytes that reached or left storage, of the process and of all children that it waited for. */
export interface StorageTraffic {
  readonly readBytes: number;
  readonly writeBytes: number;
}

/** Storage traffic of a process; undefined if it may not be read or the process has ended. */
export function storageTraffic(pid: number): StorageTraffic | undefined {
  return trafficIn(`/proc/${pid}/io`);
}

/** Storage traffic of one thread of this process, without that of children. */
export function threadTraffic(thread: number): StorageTraffic | undefined {
  return trafficIn(`/proc/self/task/${thread}/io`);
}

function trafficIn(path: string): StorageTraffic | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { readBytes: field('read_bytes'), writeBytes: field('write_bytes') };
}

/**
 * The value of a variable in the environment with which a process was started; undefined if it has none or
 * may not be read.
 */
export function environmentValue(pid: number, name: string): string | undefined {
  const text = textOf(`/proc/${pid}/environ`);
  const start = text === undefined ? -1 : `\0${text}`.indexOf(`\0${name}=`);
  return text?.slice(start + name.length + 1, start < 0 ? 0 : text.indexOf('\0', start)) || undefined;
}

/** One buffer for all: Node allocates a new one of 64 KiB for each file of unknown size. */
let buffer = Buffer.allocUnsafe(64 * 1024);

function textOf(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    return buffer.toString('latin1', 0, length);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
