import type { ControlGroup } from './control-group.js';
import { attemptByLimit } from './lock-limit.js';
import { environmentValue, type ProcessEntry, type ProcessTable } from './process-table.js';

/** The variable that every process of an attempt inherits; its value is the attempt's id. */
export const attemptVariable = 'RHIZOME_ATTEMPT_ID';

/** Properties that distinguish the processes of one attempt from all others. */
export interface AttemptMark {
  readonly attemptId: string;
  /** The payload's first process, which leads its own session and group; absent before it was started. */
  readonly leader?: { readonly pid: number; readonly startTicks: number } | undefined;
  /** Its control group, where the host has any. */
  readonly group?: ControlGroup | undefined;
}

/** Returns the attempt id in a process's environment, if there is one. */
export type AttemptOf = (entry: ProcessEntry) => string | undefined;

/**
 * Reads the mark of the process each time: the one that it cannot remove, if it has one, otherwise the one in
 * its environment.
 */
export const readAttemptId: AttemptOf = ({ pid }) =>
  attemptByLimit(pid) ?? environmentValue(pid, attemptVariable);

/**
 * The processes of an attempt, including zombies: those in its control group, in the leader's group or
 * session, those with the attempt's id in their environment, and all descendants of these. A process that
 * leaves the session keeps the environment; one that clears its environment stays in the group or has a
 * parent here. This process itself is never among them.
 */
export function processesOf(
  mark: AttemptMark,
  table: ProcessTable,
  attemptOf: AttemptOf = readAttemptId,
): readonly ProcessEntry[] {
  const found = new Map<number, ProcessEntry>();
  const isOurGroup = groupTest(mark, table);
  for (const entry of table.values()) {
    if (isOurGroup(entry) || attemptOf(entry) === mark.attemptId) found.set(entry.pid, entry);
  }
  for (const pid of mark.group?.pids() ?? []) {
    const entry = table.get(pid);
    if (entry !== undefined) found.set(pid, entry);
  }
  if (found.size > 0) addDescendants(found, table);
  found.delete(process.pid);
  found.delete(1);
  return [...found.values()];
}

/**
 * The id of a group may be reused after all its processes have ended: then its leader has another start time.
 */
function groupTest({ leader }: AttemptMark, table: ProcessTable): (entry: ProcessEntry) => boolean {
  if (leader === undefined) return () => false;
  const holder = table.get(leader.pid);
  if (holder !== undefined && holder.startTicks !== leader.startTicks) return () => false;
  return (entry) => entry.group === leader.pid || entry.session === leader.pid;
}

function addDescendants(found: Map<number, ProcessEntry>, table: ProcessTable): void {
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const entry of table.values()) {
      if (found.has(entry.parent)) found.set(entry.pid, entry);
    }
  }
}
