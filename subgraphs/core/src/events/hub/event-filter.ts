/** Filter of events, limited to what the subscriber may see. */
import { assertCan, experimentsFor, type Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { FeedConditions } from '../feed/change-feed.repository.js';
import type { JobFilterSpec } from '../../jobs/jobs.service.js';
import { assertFilterSize } from '../../jobs/model/job-filter-size.js';
import { searchFields } from '../../jobs/model/job-search.js';
import { lowestIdAt } from '../../jobs/model/job-ids.js';
import type { JobState } from '../../jobs/model/job-state.js';
import { listableQueues } from '../../jobs/model/job-visibility.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** A prepared filter. An undefined condition does not limit; an empty set matches nothing. */
export interface EventFilter {
  readonly jobIds?: ReadonlySet<string> | undefined;
  readonly taskIds?: ReadonlySet<string> | undefined;
  readonly experiments?: ReadonlySet<string> | undefined;
  readonly queues?: ReadonlySet<string> | undefined;
  readonly shares?: ReadonlySet<string> | undefined;
  readonly owners?: ReadonlySet<string> | undefined;
  readonly gpuModels?: ReadonlySet<string> | undefined;
  /** Ids are ordered by the time of submission. */
  readonly lowestId?: string | undefined;
  /** Exclusive. */
  readonly highestId?: string | undefined;
  readonly states?: ReadonlySet<JobState> | undefined;
  /** Labels as `key=value`; an event needs one of them. */
  readonly labels?: ReadonlySet<string> | undefined;
}

/**
 * Prepares the filter of a subscriber, limited to what the principal may see.
 * @throws DomainError FORBIDDEN for an experiment that is named and not theirs, BAD_USER_INPUT for lists that
 *   are too long, and for conditions that events do not know
 */
export function compileFilter(input: JobFilterSpec | null | undefined, principal: Principal): EventFilter {
  const { ids, experiments, labels, createdFrom, createdBefore } = input ?? {};
  assertFilterSize(input);
  for (const name of searchFields)
    if (input?.[name] != null)
      throw badInput(`filter.${name}`, input[name], 'left out: only lists of jobs can be searched by it');
  for (const experiment of experiments ?? []) {
    assertCan(principal, 'events:read', experiment);
    assertCan(principal, 'job:read', experiment);
  }
  return {
    ...(ids ? { jobIds: new Set(ids) } : {}),
    ...sets(input ?? {}),
    ...(createdFrom ? { lowestId: lowestIdAt(createdFrom) } : {}),
    ...(createdBefore ? { highestId: lowestIdAt(createdBefore) } : {}),
    ...(labels ? { labels: new Set(labels.flatMap(labelText)) } : {}),
    experiments: experiments ? new Set(experiments) : visibleExperiments(principal),
    ...ofOwnQueue(input?.queues, principal),
  };
}

/**
 * Returns a label in the form of events. A key with a `=` exists nowhere: such a label matches nothing, and
 * not a shorter key with a longer value.
 */
function labelText({ key, value }: { readonly key: string; readonly value: string }): string | [] {
  return key.includes('=') ? [] : `${key}=${value}`;
}

const setFields = ['taskIds', 'queues', 'shares', 'owners', 'gpuModels', 'states'] as const;

/** The lists of a filter as sets. */
function sets(input: JobFilterSpec): Pick<EventFilter, (typeof setFields)[number]> {
  return Object.fromEntries(
    setFields.flatMap((name) => {
      const values = input[name];
      return values ? [[name, new Set<string>(values)]] : [];
    }),
  );
}

/** Limits a filter to the queues whose jobs the principal may follow. */
function ofOwnQueue(
  queues: readonly string[] | null | undefined,
  principal: Principal,
): Partial<EventFilter> {
  const own = listableQueues(principal)?.filter((name) => !queues || queues.includes(name));
  if (own === undefined) return {};
  return own.length > 0 ? { queues: new Set(own) } : { experiments: new Set() };
}

/** Experiments whose events a principal may read; undefined for all. */
export function visibleExperiments(principal: Principal): ReadonlySet<string> | undefined {
  const events = experimentsFor(principal, 'events:read');
  const jobs = experimentsFor(principal, 'job:read');
  if (events === '*') return jobs === '*' ? undefined : new Set(jobs);
  return new Set(jobs === '*' ? events : events.filter((name) => jobs.includes(name)));
}

/** Checks that an event matches the filter. */
export function matches(filter: EventFilter, { jobId, last }: StreamedJobEvent): boolean {
  return (
    (filter.experiments === undefined || filter.experiments.has(last.experiment)) &&
    (filter.jobIds === undefined || filter.jobIds.has(jobId)) &&
    has(filter.taskIds, last.taskId) &&
    has(filter.queues, last.queue) &&
    has(filter.shares, last.share) &&
    has(filter.owners, last.owner) &&
    has(filter.gpuModels, last.gpu?.model) &&
    (filter.lowestId === undefined || jobId >= filter.lowestId) &&
    (filter.highestId === undefined || jobId < filter.highestId) &&
    (filter.states === undefined || filter.states.has(last.to)) &&
    (filter.labels === undefined || last.labels.some((label) => filter.labels?.has(label)))
  );
}

function has(set: ReadonlySet<string> | undefined, value: string | undefined): boolean {
  return set === undefined || (value !== undefined && set.has(value));
}

/**
 * The filter in the syntax of the server, so that a replay reads only matching events; undefined if it
 * matches all.
 */
export function storedFilter(filter: EventFilter): FeedConditions | undefined {
  const { jobIds, lowestId, highestId } = filter;
  const conditions: FeedConditions = {
    ...(jobIds || lowestId || highestId
      ? {
          id: {
            ...(jobIds ? { $in: [...jobIds] } : {}),
            ...(lowestId ? { $gte: lowestId } : {}),
            ...(highestId ? { $lt: highestId } : {}),
          },
        }
      : {}),
    ...anyOf('last.taskId', filter.taskIds),
    ...anyOf('last.experiment', filter.experiments),
    ...anyOf('last.queue', filter.queues),
    ...anyOf('last.share', filter.shares),
    ...anyOf('last.owner', filter.owners),
    ...anyOf('last.to', filter.states),
    ...anyOf('last.labels', filter.labels),
    ...anyOf('last.gpu.model', filter.gpuModels),
  };
  return Object.keys(conditions).length > 0 ? conditions : undefined;
}

function anyOf(field: string, values: ReadonlySet<string> | undefined): FeedConditions {
  return values ? { [field]: { $in: [...values] } } : {};
}
