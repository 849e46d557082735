/**
 * Translates a group of transitions over one edge into one guarded pipeline update. Pure, without I/O.
 *
 * All jobs of a group share the source state, the target state and the changed fields. If their values
 * differ, a literal array holds them in the order of the group, and each document selects its own by the
 * position of its id, or of its fence if the edge is guarded by it. A fence belongs to a single job, so this
 * look-up is also exact as a guard.
 */
import { isPlannedEnd } from '@rhizome/errors';
import { findEdge, isHeld, isTerminal, isWaiting, type JobEdge, type JobState } from '../model/job-state.js';
import type { StoredTransition } from '../model/job.types.js';
import { shareKey } from '../model/new-job.js';
import { adopting, granting } from './attempt-updates.js';
import { bumpsGeneration, moving, nextGeneration } from './waiting-changes.js';
import { failureOf, revokedOf, runOf } from './failure-event.js';
import type { Plain, TransitionGroup, TransitionShape } from './transition-group.types.js';
import type { TransitionRequest } from './transition.types.js';
import { countingUncounted, uncountedEndOf } from './uncounted-ends.js';

/** Maximum number of transitions kept in the document. */
export const keptTransitions = 64;

/**
 * Edge of a request. @throws Error if the machine has no such edge, the actor may not use it, or its guard is
 * missing: a bug of the caller
 */
export function edgeOf(request: TransitionRequest): JobEdge {
  const { from, to, by, jobId, fence, change } = request;
  const edge = findEdge(from, to);
  if (!edge) throw new Error(`job ${jobId}: the state machine has no edge from ${from} to ${to}`);
  if (!edge.actors.includes(by))
    throw new Error(`job ${jobId}: ${by} may not use the edge from ${from} to ${to}`);
  if (edge.guard === 'fence' && fence === undefined)
    throw new Error(`job ${jobId}: ${from} to ${to} needs a fence`);
  if (from === to && isHeld(from) && by === 'broker' && !change?.preemption)
    throw new Error(`job ${jobId}: the broker changes a held job only to preempt it`);
  if ((by === 'adoption') !== (change?.adoption !== undefined))
    throw new Error(`job ${jobId}: only an adoption makes an attempt valid again`);
  if ((to === 'SENT') !== (change?.grant !== undefined))
    throw new Error(`job ${jobId}: SENT requires a grant, and a grant requires SENT`);
  return edge;
}

/** Values of the request other than the state. */
export function shapeOf(request: TransitionRequest): TransitionShape {
  const { from, to, by, change, generation, uncountedEnds } = request;
  const setsFence = by === 'worker' || by === 'broker' || by === 'adoption';
  const adopts = change?.adoption !== undefined;
  const leavesWaiting = from === 'PENDING' && (to === 'ACTIVATED' || isTerminal(to) || adopts);
  const mode = (value: object | null | undefined, clears: boolean) =>
    value === null || (value === undefined && clears) ? 'clear' : value === undefined ? 'keep' : 'set';
  return {
    raisesFence: !setsFence && (isHeld(from) || isTerminal(to)),
    grants: change?.grant !== undefined,
    adopts,
    losesContact: change?.unreachableSince !== undefined,
    limitsMemory: change?.memoryLimit !== undefined,
    preempts: change?.preemption !== undefined,
    reportsEnd: change?.attemptEnd !== undefined,
    endsAsPlanned: change?.attemptEnd?.error !== undefined && isPlannedEnd(change.attemptEnd.error),
    uncountedEnd: uncountedEndOf(change?.attemptEnd?.error),
    outputs: change?.outputs !== undefined,
    hold: mode(change?.hold, from === 'PENDING' && (isTerminal(to) || adopts)),
    notBefore: mode(change?.notBefore, leavesWaiting),
    priority: change?.priority !== undefined,
    avoids: change?.avoid !== undefined,
    changesRequirements: change?.requirements !== undefined,
    movesShare: change?.share !== undefined,
    changesAttempts: change?.maxAttempts !== undefined,
    generation,
    uncountedEnds,
  };
}

/** Key that is equal for requests that one update can write. */
export function groupKey(request: TransitionRequest, shape: TransitionShape): string {
  return [request.from, request.to, ...Object.values(shape)].join(' ');
}

/** Filter for the documents that the group may change: by id, state and the other guards of the edge. */
export function groupFilter({ edge, shape, requests, at }: TransitionGroup): Plain {
  const filter: Record<string, unknown> = { _id: { $in: requests.map((r) => r.jobId) }, state: edge.from };
  if (shape.generation !== undefined) filter['generation'] = shape.generation || { $exists: false };
  if (shape.uncountedEnds !== undefined) filter['uncountedEnds'] = shape.uncountedEnds ?? { $exists: false };
  const due = { $or: [{ notBefore: { $exists: false } }, { notBefore: { $lte: at } }] };
  if (edge.guard === 'fence') filter['fence'] = { $in: requests.map((r) => r.fence) };
  if (edge.guard === 'ready') {
    // A FINISHED parent is FINISHED for every child: the union of the group is exact for each job.
    const finished = [...new Set(requests.flatMap((r) => r.change?.finishedParents ?? []))];
    filter['waitingFor'] = finished.length === 0 ? [] : { $not: { $elemMatch: { $nin: finished } } };
    if (shape.hold !== 'clear') filter['hold'] = { $exists: false };
    Object.assign(filter, due);
  }
  if (edge.from === 'PENDING' && edge.to === 'PENDING' && shape.hold === 'clear') {
    // A release may leave the job PENDING only while it waits for something else; otherwise nothing would
    // activate it.
    filter['$or'] = [{ 'waitingFor.0': { $exists: true } }, { notBefore: { $gt: at } }];
  }
  return filter;
}

/** Update of the group. Each job has one transition per write: it must not be in a group twice. */
export function groupPipeline(group: TransitionGroup): Plain[] {
  const values = group.requests.map((request) => valuesOf(request, group.at));
  const same = allEqual(values);
  const value = same ? literals(values[0] ?? {}) : (name: string) => `$ownValues.${name}`;
  const set = {
    $set: {
      ...core(group, value),
      ...ending(group, value),
      ...granting(group, value),
      ...adopting(group, value),
      ...countingUncounted(group, value('attempt')),
      ...waiting(group, value),
      ...moving(group, value),
    },
  };
  if (same) return [set];
  return [{ $set: { ownValues: pick(group, values) } }, set, { $unset: 'ownValues' }];
}

/**
 * Returns true if a document shows that this request was carried out, by its history or, for grants, by the
 * fence of an attempt.
 */
export function isMarkOf(
  request: TransitionRequest,
  at: Date,
  found: {
    readonly transitions: readonly StoredTransition[];
    readonly attempts: readonly { readonly fence: number }[];
  },
): boolean {
  const { grant, adoption } = request.change ?? {};
  const newFence = (grant ?? adoption)?.fence;
  if (newFence !== undefined) return found.attempts.some(({ fence }) => fence === newFence);
  return found.transitions.some(
    (t) =>
      t.at.getTime() === at.getTime() &&
      t.from === request.from &&
      t.to === request.to &&
      t.actor === request.actor &&
      t.reason === request.reason &&
      t.operation === request.operation,
  );
}

/** Look-up key of the end of a backoff; sorts by time. */
export function backoffKey(notBefore: Date): string {
  return `b:${notBefore.toISOString()}`;
}

type Value = (name: string) => unknown;

function valuesOf({ actor, reason, operation, change }: TransitionRequest, at: Date): Plain {
  const { grant, adoption, unreachableSince, attemptEnd, outputs, hold, notBefore, priority } = change ?? {};
  const { avoid, requirements, memoryLimit, share, maxAttempts, preemption } = change ?? {};
  return {
    actor,
    ...(reason === undefined ? {} : { reason }),
    ...(operation === undefined ? {} : { operation }),
    ...grant,
    ...adoption,
    ...(unreachableSince === undefined ? {} : { unreachableSince }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(preemption === undefined ? {} : { preemption }),
    ...attemptEnd,
    ...(attemptEnd?.error ? { errorFamily: attemptEnd.error.family, errorCode: attemptEnd.error.code } : {}),
    ...(outputs === undefined ? {} : { outputs }),
    ...(hold ? { hold: { by: hold.by, reason: hold.reason, at } } : {}),
    ...(notBefore ? { notBefore, backoff: backoffKey(notBefore) } : {}),
    ...(priority === undefined ? {} : { priority }),
    ...(avoid === undefined ? {} : { avoid }),
    ...requirements,
    ...(share === undefined ? {} : { share, shareKey: shareKey(share) }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
}

function allEqual(values: readonly Plain[]): boolean {
  const [first, ...rest] = values;
  if (rest.length === 0) return true;
  const text = JSON.stringify(first);
  return rest.every((value) => JSON.stringify(value) === text);
}

function literals(values: Plain): Value {
  return (name) => (values[name] === undefined ? '$$REMOVE' : { $literal: values[name] });
}

function pick({ edge, requests }: TransitionGroup, values: readonly Plain[]): Plain {
  const [keys, key] =
    edge.guard === 'fence'
      ? [requests.map((r) => r.fence), '$fence']
      : [requests.map((r) => r.jobId), '$_id'];
  return { $arrayElemAt: [{ $literal: values }, { $indexOfArray: [{ $literal: keys }, key] }] };
}

/** Fields that every transition writes: state, revision, times, event and history. */
function core(group: TransitionGroup, value: Value): Plain {
  const { edge, shape, at } = group;
  const { from, to } = edge;
  const revision = { $add: ['$revision', 1] };
  const attempt = shape.grants ? { $add: ['$attempt', 1] } : shape.adopts ? value('attempt') : '$attempt';
  const entry = { revision, from, to, at, actor: value('actor'), reason: value('reason'), attempt };
  const history = { ...entry, operation: value('operation') };
  return {
    revision,
    updatedAt: at,
    ...(from === to ? {} : { state: to, [`stateTimes.${to}`]: at }),
    ...(shape.raisesFence ? { fence: { $add: ['$fence', 1] } } : {}),
    ...(shape.priority ? { priority: value('priority') } : {}),
    ...(shape.avoids ? { avoid: value('avoid') } : {}),
    ...(shape.changesRequirements ? { requirements: value('requirements'), classId: value('classId') } : {}),
    ...(bumpsGeneration(shape) ? { generation: nextGeneration } : {}),
    transitions: { $slice: [{ $concatArrays: ['$transitions', [history]] }, -keptTransitions] },
    last: {
      $mergeObjects: [
        alternating,
        {
          ...entry,
          ...keysOfEvent(group, value),
          ...failureOf(group, value),
          ...runOf(group, value),
          ...revokedOf(group, value),
        },
      ],
    },
  };
}

/** Value of {@link StoredLastEvent.odd}. */
const alternating = {
  $cond: [
    { $eq: [{ $mod: ['$revision', 2] }, 1] },
    { $literal: { odd: true } },
    { $literal: { even: true } },
  ],
};

/** Fields that subscribers and counters filter by; absent values are left out. */
function keysOfEvent({ edge, shape }: TransitionGroup, value: Value): Plain {
  const assigns = shape.grants || shape.adopts;
  const changedOr = (name: string, changed: unknown) => ({
    $cond: [{ $ne: [`$${name}`, changed] }, `$${name}`, '$$REMOVE'],
  });
  return {
    experiment: '$experiment',
    taskId: '$taskId',
    taskIndex: '$taskIndex',
    workflow: '$workflow',
    fleet: '$fleet',
    queue: assigns ? value('queue') : '$queue',
    ...(assigns ? { previousQueue: changedOr('queue', value('queue')) } : {}),
    gpu: assigns ? value('gpu') : '$gpu',
    ...(assigns ? { previousGpu: previousGpu(value('gpu')) } : {}),
    share: shape.movesShare ? value('share') : '$share',
    ...(shape.movesShare ? { previousShare: changedOr('share', value('share')) } : {}),
    owner: '$owner',
    labels: '$last.labels',
    classId: shape.changesRequirements ? value('classId') : '$classId',
    ...(shape.changesRequirements && isWaiting(edge.from)
      ? { previousClassId: changedOr('classId', value('classId')) }
      : {}),
    generation: bumpsGeneration(shape) ? nextGeneration : '$generation',
    priority: shape.priority ? value('priority') : '$priority',
    ...(shape.priority ? { previousPriority: changedOr('priority', value('priority')) } : {}),
    notBefore:
      shape.notBefore === 'set' ? value('notBefore') : shape.notBefore === 'keep' ? '$notBefore' : '$$REMOVE',
    avoid: shape.avoids ? value('avoid') : '$avoid',
    ...(isTerminal(edge.to) ? { hasOutputDatasets: namesDatasets } : {}),
    ...(shape.preempts ? { preemption: value('preemption') } : {}),
    workerId: assigns ? value('workerId') : '$workerId',
    fence: assigns ? value('fence') : shape.raisesFence ? { $add: ['$fence', 1] } : '$fence',
  };
}

/** Absent for a job whose outputs are added to no dataset. */
const namesDatasets = { $cond: [{ $gt: ['$payload.outputDatasets', null] }, { $literal: true }, '$$REMOVE'] };

/** Previous GPUs: null if there were none, absent if they are the same. */
function previousGpu(granted: unknown): Plain {
  return { $cond: [{ $ne: ['$gpu', granted] }, { $ifNull: ['$gpu', null] }, '$$REMOVE'] };
}

/** Changes of the open attempt and of the job's copies of its values. */
function ending({ edge, shape, at }: TransitionGroup, value: Value): Plain {
  const { from, to } = edge;
  if (shape.adopts) return {};
  const ends = isHeld(from) && !isHeld(to);
  const patch = {
    ...(to === 'RUNNING' && from !== to ? { startedAt: at } : {}),
    ...(shape.preempts ? { preemption: { $mergeObjects: [value('preemption'), { at }] } } : {}),
    ...(shape.limitsMemory ? { memoryLimit: value('memoryLimit') } : {}),
    ...(ends ? { endedAt: at, outcome: outcomeOf(to) } : {}),
    ...(shape.losesContact
      ? {
          unreachable: {
            since: value('unreachableSince'),
            state: { $literal: from },
            queue: '$queue',
            gpu: '$gpu',
          },
        }
      : {}),
    ...(shape.reportsEnd
      ? {
          exitCode: value('exitCode'),
          signal: value('signal'),
          error: value('error'),
          metrics: value('metrics'),
          decision: value('decision'),
          keptOutputs: value('keptOutputs'),
        }
      : {}),
  };
  return {
    ...(Object.keys(patch).length > 0 && isHeld(from) ? { attempts: withPatchedLast(patch) } : {}),
    ...(shape.reportsEnd
      ? { exitCode: value('exitCode'), error: value('error'), metrics: value('metrics') }
      : {}),
    ...(shape.endsAsPlanned ? { plannedEnds: { $add: [{ $ifNull: ['$plannedEnds', 0] }, 1] } } : {}),
    ...(shape.outputs ? { outputs: value('outputs') } : {}),
  };
}

/** The attempt of a retried job has failed. */
function outcomeOf(to: JobState): JobState {
  return isTerminal(to) ? to : 'FAILED';
}

function withPatchedLast(patch: Plain): Plain {
  const earlier = { $filter: { input: '$attempts', cond: { $lt: ['$$this.number', '$attempt'] } } };
  return { $concatArrays: [earlier, [{ $mergeObjects: [{ $last: '$attempts' }, patch] }]] };
}

/** Reasons for which a job waits, and the look-up keys meanwhile. */
function waiting({ edge, shape }: TransitionGroup, value: Value): Plain {
  const activates = edge.from === 'PENDING' && edge.to === 'ACTIVATED';
  const touchesBackoff = shape.notBefore !== 'keep' || shape.hold !== 'keep';
  return {
    ...(shape.hold === 'keep' ? {} : { hold: shape.hold === 'set' ? value('hold') : '$$REMOVE' }),
    ...(shape.notBefore === 'keep'
      ? {}
      : { notBefore: shape.notBefore === 'set' ? value('notBefore') : '$$REMOVE' }),
    ...(activates ? { waitingFor: [] } : {}),
    ...(activates || touchesBackoff ? { lookup: lookupOf(shape, activates, value) } : {}),
  };
}

function lookupOf({ hold, notBefore }: TransitionShape, activates: boolean, value: Value): Plain {
  const dropped = activates ? ['b:', 'p:'] : ['b:'];
  const kept = {
    $filter: { input: '$lookup', cond: { $not: [{ $in: [{ $substrBytes: ['$$this', 0, 2] }, dropped] }] } },
  };
  if (hold === 'set' || (notBefore === 'clear' && hold !== 'clear')) return kept;
  if (notBefore === 'set') return { $concatArrays: [kept, [value('backoff')]] };
  if (activates || notBefore === 'clear') return kept;
  // A released job in its backoff gets the look-up key of the backoff again.
  const format = 'b:%Y-%m-%dT%H:%M:%S.%LZ';
  const repeat = [{ $dateToString: { date: '$notBefore', format } }];
  return { $concatArrays: [kept, { $cond: [{ $gt: ['$notBefore', null] }, repeat, []] }] };
}
