/** Which events a subscriber wants, and may see. */
import { assertCan, experimentsFor, type Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { FeedConditions } from '../feed/change-feed.repository.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** The filter as it is given; what is left out or null does not narrow. */
export interface JobEventFilterInput {
  readonly jobIds?: readonly string[] | null | undefined;
  readonly taskId?: string | null | undefined;
  readonly experiments?: readonly string[] | null | undefined;
  readonly queue?: string | null | undefined;
  readonly share?: string | null | undefined;
  readonly owner?: string | null | undefined;
  readonly states?: readonly JobState[] | null | undefined;
  readonly labels?: readonly { readonly key: string; readonly value: string }[] | null | undefined;
}

/** A filter, ready to be used. Undefined does not narrow; an empty set matches nothing. */
export interface EventFilter {
  readonly jobIds?: ReadonlySet<string> | undefined;
  readonly taskId?: string | undefined;
  readonly experiments?: ReadonlySet<string> | undefined;
  readonly queue?: string | undefined;
  readonly share?: string | undefined;
  readonly owner?: string | undefined;
  readonly states?: ReadonlySet<JobState> | undefined;
  /** `key=value`; one of them is enough. */
  readonly labels?: ReadonlySet<string> | undefined;
}

/** Jobs in a filter at most. */
const maxJobIds = 1000;
/** Labels in a filter at most. */
const maxLabels = 32;

/**
 * The filter of a subscriber, narrowed to what the principal may see.
 * @throws DomainError FORBIDDEN for an experiment that is named and not theirs, BAD_USER_INPUT for too many jobs or labels
 */
export function compileFilter(
  input: JobEventFilterInput | null | undefined,
  principal: Principal,
): EventFilter {
  const { jobIds, taskId, experiments, queue, share, owner, states, labels } = input ?? {};
  if (jobIds && jobIds.length > maxJobIds)
    throw badInput('filter.jobIds', `${jobIds.length} ids`, `at most ${maxJobIds}`);
  if (labels && labels.length > maxLabels)
    throw badInput('filter.labels', `${labels.length} labels`, `at most ${maxLabels}`);
  for (const experiment of experiments ?? []) {
    assertCan(principal, 'events:read', experiment);
    assertCan(principal, 'job:read', experiment);
  }
  return {
    ...(jobIds ? { jobIds: new Set(jobIds) } : {}),
    // An empty word is a word that nothing has: it narrows to nothing.
    ...(isGiven(taskId) ? { taskId } : {}),
    ...(isGiven(queue) ? { queue } : {}),
    ...(isGiven(share) ? { share } : {}),
    ...(isGiven(owner) ? { owner } : {}),
    ...(states ? { states: new Set(states) } : {}),
    ...(labels ? { labels: new Set(labels.flatMap(labelText)) } : {}),
    experiments: experiments ? new Set(experiments) : visibleExperiments(principal),
    ...ofOwnQueue(queue, principal),
  };
}

/** A label as events have it. No key has a `=`: one that does narrows to nothing, and is not the key before it with a longer value. */
function labelText({ key, value }: { readonly key: string; readonly value: string }): string | [] {
  return key.includes('=') ? [] : `${key}=${value}`;
}

function isGiven(word: string | null | undefined): word is string {
  return word !== null && word !== undefined;
}

/** A pilot follows jobs of its queue alone. */
function ofOwnQueue(queue: string | null | undefined, principal: Principal): Partial<EventFilter> {
  if (principal.kind !== 'PILOT') return {};
  const own = principal.queue;
  return own === undefined || (queue ?? own) !== own ? { experiments: new Set() } : { queue: own };
}

/** Experiments whose events a principal may read; undefined for all. */
export function visibleExperiments(principal: Principal): ReadonlySet<string> | undefined {
  const events = experimentsFor(principal, 'events:read');
  const jobs = experimentsFor(principal, 'job:read');
  if (events === '*') return jobs === '*' ? undefined : new Set(jobs);
  return new Set(jobs === '*' ? events : events.filter((name) => jobs.includes(name)));
}

/** Whether an event meets the filter. */
export function matches(filter: EventFilter, { jobId, last }: StreamedJobEvent): boolean {
  return (
    (filter.experiments === undefined || filter.experiments.has(last.experiment)) &&
    (filter.jobIds === undefined || filter.jobIds.has(jobId)) &&
    (filter.taskId === undefined || filter.taskId === last.taskId) &&
    (filter.queue === undefined || filter.queue === last.queue) &&
    (filter.share === undefined || filter.share === last.share) &&
    (filter.owner === undefined || filter.owner === last.owner) &&
    (filter.states === undefined || filter.states.has(last.to)) &&
    (filter.labels === undefined || last.labels.some((label) => filter.labels?.has(label)))
  );
}

/** The same filter for the server, so that a replay reads only what is wanted; undefined where all is wanted. */
export function storedFilter(filter: EventFilter): FeedConditions | undefined {
  const { jobIds, taskId, experiments, queue, share, owner, states, labels } = filter;
  const conditions: FeedConditions = {
    ...(jobIds ? { id: { $in: [...jobIds] } } : {}),
    ...(isGiven(taskId) ? { 'last.taskId': taskId } : {}),
    ...(experiments ? { 'last.experiment': { $in: [...experiments] } } : {}),
    ...(isGiven(queue) ? { 'last.queue': queue } : {}),
    ...(isGiven(share) ? { 'last.share': share } : {}),
    ...(isGiven(owner) ? { 'last.owner': owner } : {}),
    ...(states ? { 'last.to': { $in: [...states] } } : {}),
    ...(labels ? { 'last.labels': { $in: [...labels] } } : {}),
  };
  return Object.keys(conditions).length > 0 ? conditions : undefined;
}
