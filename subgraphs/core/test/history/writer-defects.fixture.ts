/** Faults of the transition writer, of its store, and of the rules that call it. */
import { systemClock } from '@rhizome/clock';
import { plannedJobEnds, uncountedJobErrors } from '@rhizome/errors';
import { decideAfterFailure } from '../../src/jobs/transitions/retry-policy.js';
import type { TransitionGroup } from '../../src/jobs/transitions/transition-group.types.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import type { TransitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import type { Defect } from './defect.types.js';
import { alteredStore, type Faults, type GroupWrite, writerStory } from './writer-story.fixture.js';

const defect = (name: string, check: Defect['check'], faults: Faults): Defect => ({
  name,
  check,
  run: () => writerStory(faults),
});

/** Changes the groups that a test selects. */
const when = (
  selects: (group: TransitionGroup) => boolean,
  change: (write: GroupWrite) => GroupWrite,
): Faults['store'] => alteredStore((write, group) => (selects(group) ? change(write) : write));

const without = (fields: object, ...names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

/** Fields of the event in the update of a group. */
const inEvent = (set: GroupWrite['set'], fields: object): GroupWrite['set'] => ({
  ...set,
  last: { $mergeObjects: [set['last'], fields] },
});

/** Changes the shape of a group before its update is built. */
const reshaped =
  (change: (group: TransitionGroup) => TransitionGroup): NonNullable<Faults['store']> =>
  (store): TransitionStore => ({
    read: (ids) => store.read(ids),
    write: (group) => store.write(change(group)),
  });

const keepingFence = (selects: (group: TransitionGroup) => boolean): NonNullable<Faults['store']> =>
  reshaped((group) => (selects(group) ? { ...group, shape: { ...group.shape, raisesFence: false } } : group));

const isReport = ({ requests }: TransitionGroup): boolean => requests.some(({ by }) => by === 'worker');
const isLoss = ({ requests }: TransitionGroup): boolean => requests.some(({ by }) => by === 'lease');
const isTo =
  (state: string) =>
  ({ edge }: TransitionGroup): boolean =>
    edge.to === state;

/** Answers writes of a state as if they had been made. */
const pretended =
  (state: string): NonNullable<Faults['store']> =>
  (store) => ({
    read: (ids) => store.read(ids),
    write: async (group) => (group.edge.to === state ? group.requests.length : store.write(group)),
  });

const changedAdoption =
  (change: (adoption: NonNullable<NonNullable<TransitionRequest['change']>['adoption']>) => object) =>
  (request: TransitionRequest): TransitionRequest => {
    const adoption = request.change?.adoption;
    return adoption ? { ...request, change: { adoption: { ...adoption, ...change(adoption) } } } : request;
  };

/** Faults of grants and of the fences that they have. */
const grants: readonly Defect[] = [
  defect('accepts a report under a stale fence', 'reports-count-for-holders', {
    store: when(isReport, ({ filter, set }) => ({ filter: without(filter, 'fence'), set })),
  }),
  defect('grants a job twice', 'one-open-attempt', {
    store: when(isTo('SENT'), ({ filter, set }) => ({
      filter: { ...filter, state: { $in: ['ACTIVATED', 'SENT'] } },
      set,
    })),
  }),
  defect('answers a grant that is not written', 'grants-are-answered-once', { store: pretended('SENT') }),
  defect('gives one fence to several jobs', 'fences-are-unique', { fence: () => 8 }),
  defect('allocates fences from a stale counter', 'fences-rise', {
    fence: (fence) => 8000 - fence,
  }),
  defect('requeues a job under the fence of its lost worker', 'fences-rise', {
    store: keepingFence(isLoss),
  }),
  defect('sends a job to another worker with a report', 'workers-change-by-grants', {
    store: when(isReport, ({ filter, set }) => ({
      filter,
      set: inEvent({ ...set, workerId: 'worker_9' }, { workerId: 'worker_9' }),
    })),
  }),
  defect('leaves the attempt of a lost worker open', 'one-open-attempt', {
    store: when(isLoss, ({ filter, set }) => ({ filter, set: without(set, 'attempts') })),
  }),
];

/** Faults of transitions and of their events. */
const transitions: readonly Defect[] = [
  defect('moves a job that has ended', 'nothing-after-the-end', {
    store: when(isTo('FINISHED'), ({ filter, set }) => ({ filter: without(filter, 'state', 'fence'), set })),
  }),
  defect('grants a job from any state', 'legal-edges', {
    store: when(isTo('SENT'), ({ filter, set }) => ({ filter: without(filter, 'state'), set })),
  }),
  defect('writes transitions without events', 'events-of-every-change', {
    store: when(isTo('RUNNING'), ({ filter, set }) => ({ filter, set: without(set, 'last') })),
  }),
  defect('writes an event twice', 'revisions-without-gaps', {
    store: (store, jobs) => ({
      read: (ids) => store.read(ids),
      async write(group) {
        const written = await store.write(group);
        const twice = [{ $set: { last: { $mergeObjects: [{ twice: true }, '$last'] } } }];
        await jobs.updateMany({ _id: { $in: group.requests.map(({ jobId }) => jobId) } }, twice);
        return written;
      },
    }),
  }),
  defect('skips a revision', 'documents-match-events', {
    store: when(isTo('FINISHED'), ({ filter, set }) => ({
      filter,
      set: { ...set, revision: { $add: ['$revision', 2] } },
    })),
  }),
  defect('does not list a transition', 'revisions-without-gaps', {
    store: when(isTo('RUNNING'), ({ filter, set }) => ({ filter, set: without(set, 'transitions') })),
  }),
  defect('activates a job before its backoff ends', 'not-before-the-backoff-ends', {
    store: when(isTo('ACTIVATED'), ({ filter, set }) => ({ filter: without(filter, '$or'), set })),
  }),
  defect('loses an ended job', 'jobs-are-kept', {
    last: (jobs, { finished }) => jobs.deleteOne({ _id: finished }),
  }),
];

/** Faults of cancels, of attempts that must not count, and of re-adoption. */
const rules: readonly Defect[] = [
  defect('cancels a job and leaves its worker the fence', 'ends-void-fences', {
    store: keepingFence(isTo('CANCELLED')),
  }),
  defect('acknowledges a cancel and grants the job', 'no-grant-after-a-cancel', {
    store: pretended('CANCELLED'),
  }),
  ...[...plannedJobEnds, ...uncountedJobErrors].map((code) =>
    defect(`charges an attempt that ended with ${code}`, 'attempts-are-charged', {
      decide: (job, error, now) =>
        error.code === code ? { to: 'FAILED' } : decideAfterFailure(job, error, now),
    }),
  ),
  defect('does not record that an attempt ended as planned', 'attempts-are-charged', {
    store: when(
      ({ shape }) => shape.endsAsPlanned,
      ({ filter, set }) => ({ filter, set: without(set, 'plannedEnds') }),
    ),
  }),
  defect('does not count an attempt that costs none', 'attempts-are-charged', {
    store: when(
      ({ shape }) => shape.uncountedEnd === 'yes',
      ({ filter, set }) => ({ filter, set: without(set, 'uncountedEnds') }),
    ),
  }),
  defect('repeats a job more often than its policy allows', 'attempts-are-charged', {
    decide: () => ({ to: 'ACTIVATED' }),
  }),
  defect('counts a grant that a re-adoption replaces', 'adoptions-cost-nothing', {
    store: when(
      ({ shape }) => shape.adopts,
      ({ filter, set }) => {
        const attempt = { $add: ['$attempt', 1] };
        return { filter, set: inEvent({ ...set, attempt }, { attempt }) };
      },
    ),
  }),
  defect('re-adopts an attempt under a fence below that of the grant', 'adoptions-cost-nothing', {
    request: changedAdoption(({ earlierFence }) => ({ fence: earlierFence + 1 })),
  }),
  defect('lets a superseded attempt return', 'unreachable-attempts-have-ended', {
    supersede: async (jobs, jobId, fence) => {
      await jobs.updateOne(
        { _id: jobId, 'attempts.fence': fence },
        { $set: { 'attempts.$.lostSeconds': 5 } },
      );
    },
  }),
  defect('gives a job away before its time', 'not-given-away-early', {
    request: (request) => {
      if (!request.change?.unreachableSince) return request;
      return { ...request, change: { ...request.change, unreachableSince: systemClock.now() } };
    },
  }),
];

/** All of them. */
export const writerDefects: readonly Defect[] = [...grants, ...transitions, ...rules];
