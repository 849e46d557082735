/** Tasks of iDDS: a job for each entry of the dependency map. */
import type { DraftNode } from '../graph/draft.js';
import { attemptsOf, priorityOf, wholeNumber } from '../numbers.js';
import { type Refusals, shortJson } from '../refusals.js';
import type { Located } from '../text/located.js';
import { withoutAbsent } from '../without-absent.js';
import type { JobPart, Payload, Requirements } from '../workflow.types.js';
import { jobsOf } from './dependency-map.js';

/** Name of the only input of a task without jobs. */
const onlyInput = 'pseudo_file';
/** Names that mean the same to a shell and to PanDA, which replaces them without quotes. */
const plainName = /^[\w@%+=:,./#~-]+$/;
const maxShownName = 120;

/** A job that another depends on. */
export interface NamedJob {
  readonly at: Located;
  readonly task: string;
  readonly name: string;
}

/** A task with its nodes. */
export interface IddsTask {
  readonly name: string;
  readonly at: Located;
  readonly nodes: readonly DraftNode[];
  readonly nodeOf: ReadonlyMap<string, DraftNode>;
  /** Jobs on which nodes depend. */
  readonly needs: ReadonlyMap<DraftNode, readonly NamedJob[]>;
}

/** Reads a task; undefined if it is refused. */
export function readTask(work: Located, refusals: Refusals): IddsTask | undefined {
  const kind = work.member('class');
  const at = work.member('attributes');
  if (kind?.text !== 'DomaPanDAWork' || !at) {
    const advice = 'only DomaPanDAWork is, with a dependency map';
    refusals.refuse(kind ?? work, `the work ${shortJson(kind?.value)} is not supported`, advice);
    return undefined;
  }
  const name = at.member('task_name')?.text ?? at.member('orig_task_name')?.text ?? 'task';
  const executable = at.member('executable');
  if (executable?.text === undefined) refusals.refuse(at.place('executable'), 'is missing');
  const jobs = jobsOf(at, refusals);
  if (!jobs || executable?.text === undefined) return undefined;
  const part = partOf(at, refusals);
  const nodeOf = new Map<string, DraftNode>();
  const needs = new Map<DraftNode, readonly NamedJob[]>();
  const add = (job: Located, input: string, index: number): DraftNode | undefined => {
    if (nodeOf.has(input)) refusals.refuse(job, `a second job has the name ${shortJson(input)}`);
    const payload = payloadOf(executable, input, job, refusals);
    if (!payload) return undefined;
    const shown = input.length > maxShownName ? `${input.slice(0, maxShownName)}… ${index}` : input;
    const node: DraftNode = {
      ...{ at: job, name: `${name}:${shown}`, label: name, edges: [], job: { ...part, payload } },
    };
    nodeOf.set(input, node);
    return node;
  };
  for (const [index, job] of jobs.entries().entries()) {
    if (refusals.isFull) break;
    const input = job.member('name')?.text;
    if (input === undefined) refusals.invalid(job.place('name'), 'a text');
    const node = input === undefined ? undefined : add(job, input, index);
    if (node) needs.set(node, needsOf(job, refusals));
  }
  if (jobs.entries().length === 0) add(at, onlyInput, 0);
  return { name, at, nodes: [...nodeOf.values()], nodeOf, needs };
}

function needsOf(job: Located, refusals: Refusals): readonly NamedJob[] {
  const given = job.member('dependencies');
  if (given && !given.isList) refusals.invalid(given, 'a list of dependencies');
  return (given?.entries() ?? []).flatMap((at) => {
    const [task, name] = [at.member('task')?.text, at.member('inputname')?.text];
    if (task === undefined || name === undefined) refusals.invalid(at, 'a map with task and inputname');
    return task === undefined || name === undefined ? [] : [{ at, task, name }];
  });
}

/** The command of a job. PanDA runs the text of a task with bash, with the name of the job in it. */
function payloadOf(
  executable: Located,
  input: string,
  job: Located,
  refusals: Refusals,
): Payload | undefined {
  const text = executable.text ?? '';
  const hasInput = /\$\{IN(\/L)?\}/.test(text);
  if (hasInput && !plainName.test(input)) {
    refusals.refuse(job, `the name ${shortJson(input)} has characters that a shell interprets`);
    return undefined;
  }
  return { command: '/bin/bash', arguments: ['-c', text.replaceAll(/\$\{IN(?:\/L)?\}/g, () => input)] };
}

function partOf(at: Located, refusals: Refusals): JobPart {
  const amount = (key: string): number | undefined =>
    at.member(key)?.value === 0 ? undefined : wholeNumber(at.member(key), refusals, { min: 1 });
  const queue = at.member('task_queue')?.text ?? at.member('queue')?.text;
  const [cores, memoryMiB, walltimeSeconds] = [
    ...['core_count', 'task_rss', 'maxWalltime'].map((key) => amount(key)),
  ];
  const requirements: Requirements = withoutAbsent({
    ...{ cores, memoryMiB, walltimeSeconds },
    queue: queue === '' ? undefined : queue,
  });
  noteUnused(at, refusals);
  return withoutAbsent({
    priority: priorityOf(at.member('task_priority'), refusals),
    retry: attemptsOf(at.member('maxAttempt') ?? at.member('num_retries'), refusals),
    requirements: Object.keys(requirements).length > 0 ? requirements : undefined,
  });
}

function noteUnused(at: Located, refusals: Refusals): void {
  for (const key of ['task_rss_retry_step', 'task_rss_retry_offset'] as const) {
    const given = at.member(key);
    if (given && given.value !== 0)
      refusals.note(given, 'has no effect; a policy of the experiment can give failed jobs more memory');
  }
  if (at.member('es')?.value === true)
    refusals.note(at.place('es'), 'jobs are not packed together: each payload is a job');
}
