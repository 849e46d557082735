/** The processes of this machine, by /proc. */
import { readFileSync, readdirSync } from 'node:fs';
import { waitFor } from '@rhizome/testkit';

/** A process; its start time distinguishes it from a later one with the same id. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: string;
  readonly commandLine: string;
}

/** All processes that have not ended. */
export function allProcesses(): readonly ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => factsOf(Number(name)) ?? []);
}

/** The process, and all that it has started, directly or by others. */
export function treeOf(pid: number): readonly ProcessFacts[] {
  const all = allProcesses();
  const tree = new Set([pid]);
  for (let before = 0; before !== tree.size;) {
    before = tree.size;
    for (const one of all) if (tree.has(one.parent)) tree.add(one.pid);
  }
  return all.filter((one) => tree.has(one.pid));
}

/** Processes that carry the text in their command line or in their environment. */
export function processesWith(text: string): readonly ProcessFacts[] {
  return allProcesses().filter(
    ({ pid, commandLine }) =>
      pid !== process.pid && (commandLine.includes(text) || read(pid, 'environ').includes(text)),
  );
}

/**
 * Processes by the value of a variable in their command line or in their environment, from one look at all of
 * them.
 */
export function processesBy(variable: string): ReadonlyMap<string, readonly ProcessFacts[]> {
  const assignment = new RegExp(`\\b${variable}=(\\w+)`, 'g');
  const found = new Map<string, ProcessFacts[]>();
  for (const one of allProcesses()) {
    const texts = `${one.commandLine}\n${read(one.pid, 'environ')}`;
    const values = new Set([...texts.matchAll(assignment)].map(([, value = '']) => value));
    for (const value of values) found.set(value, [...(found.get(value) ?? []), one]);
  }
  return found;
}

/** Processes that are still alive. */
export function alive(processes: readonly ProcessFacts[]): readonly ProcessFacts[] {
  return processes.filter(({ pid, startedAt }) => factsOf(pid)?.startedAt === startedAt);
}

/** Waits until none of the processes lives; names those that do when the time is over. */
export async function untilGone(processes: readonly ProcessFacts[], deadlineMs: number): Promise<void> {
  try {
    await waitFor(`the end of ${processes.length} processes`, () => alive(processes).length === 0, {
      deadlineMs,
    });
  } catch (error) {
    throw new Error(`${String(error)}; alive: ${describe(alive(processes))}`, { cause: error });
  }
}

/** For messages of failing tests. */
export function describe(processes: readonly ProcessFacts[]): string {
  return processes.map(({ pid, commandLine }) => `${pid} ${commandLine.slice(0, 200)}`).join('\n') || 'none';
}

/** Facts of a process; undefined when it has ended, also when nobody has reaped it yet. */
function factsOf(pid: number): ProcessFacts | undefined {
  const [state, parent, ...rest] = read(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const startedAt = rest[17];
  if (!state || startedAt === undefined || state === 'Z' || state === 'X') return undefined;
  return {
    pid,
    parent: Number(parent),
    startedAt,
    commandLine: read(pid, 'cmdline').replaceAll('\0', ' ').trim(),
  };
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
