/** Hosts that are not healthy: pages, and what operators decide about them. */
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { EffectCause } from '../../policies/failure-policies.js';
import type { QueueDocument } from '../../queues/queue.document.js';
import type { QueuesService } from '../../queues/queues.service.js';
import type { HostState, QueueHost } from '../../scheduler/cache/host-standing.types.js';
import type { HostBook } from './host-book.js';
import type { HostDocument, HostEvidence, StoredHostPin } from './host.document.js';
import {
  checkDecision,
  checkHost,
  type ClearHost,
  type ExcludeHost,
  type HostProblemCode,
  type HostRef,
  type PinHost,
} from './host-input.js';
import { decided, type HostPlace, type HostView, pinAt, viewOf } from './host-state.js';
import type { HostsRepository } from './hosts.repository.js';

/** Workers and running jobs of a host. */
export interface HostLoad {
  readonly workerCount: number;
  readonly runningJobCount: number;
}

/** Dependencies of {@link HostsService}. */
export interface HostsOptions {
  readonly repository: HostsRepository;
  readonly book: HostBook;
  readonly queues: Pick<QueuesService, 'freshByNames' | 'allFresh' | 'isVisible' | 'assertOperates'>;
  readonly loadOf: (host: QueueHost) => HostLoad;
  readonly clock: Clock;
}

/** Filter of hosts. */
export interface HostFilter {
  readonly queues?: readonly string[] | null | undefined;
  readonly hosts?: readonly string[] | null | undefined;
  readonly states?: readonly HostState[] | null | undefined;
}

/** The host, and what the change concerns; or the errors because of which the call was refused. */
export interface HostResult extends HostLoad {
  readonly host: HostDocument | null;
  readonly userErrors: readonly InputError<HostProblemCode>[];
}

/** Exclusion of a host by a rule, with the attempt that caused it. */
export interface ExclusionByRule {
  readonly by: string;
  readonly reason: string;
  readonly until: Date;
  readonly cause: EffectCause;
}

type Decide = (place: HostPlace, before: HostDocument | undefined, now: Date) => HostDocument;

/** Number of attempts after which a change gives up because of concurrent changes. */
const maxTries = 10;
const noLoad: HostLoad = { workerCount: 0, runningJobCount: 0 };

/** Reads and changes hosts. */
export class HostsService {
  readonly #options: HostsOptions;

  constructor(options: HostsOptions) {
    this.#options = options;
  }

  /** State of a host now. */
  viewOf(host: HostDocument): HostView {
    return viewOf(host, this.#now().getTime());
  }

  /** The pin of a host that holds now; null if there is none. */
  pinOf(host: HostDocument): StoredHostPin | null {
    return pinAt(host, this.#now().getTime()) ?? null;
  }

  /** Record of a host, from memory; null if it was healthy for some time. */
  find(host: QueueHost): HostDocument | null {
    return this.#options.book.find(host, this.#now().getTime()) ?? null;
  }

  /** Page of the hosts of queues that a principal may see, by queue and name. */
  async page(
    filter: HostFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<HostDocument>> {
    const { queues: names, hosts, states } = filter ?? {};
    for (const [field, list] of Object.entries({ queues: names, hosts }))
      if ((list?.length ?? 0) > 1000) throw badInput(`filter.${field}`, list?.length, 'at most 1000 names');
    const { queues, repository } = this.#options;
    const request = {
      ...{ now: this.#now(), ...page },
      ...(hosts ? { hosts } : {}),
      ...(states && states.length > 0 ? { states } : {}),
    };
    if (experimentsFor(principal, 'queue:read') === '*')
      return repository.page({ ...request, ...(names ? { queues: names } : {}) });
    const visible = (await queues.allFresh()).filter((queue) => queues.isVisible(queue, principal));
    const chosen = visible.filter(({ name }) => !names || names.includes(name));
    return repository.page({ ...request, queues: chosen.map(({ name }) => name) });
  }

  /** Excludes a host until a time, after which it is tested. */
  exclude(input: ExcludeHost, principal: Principal): Promise<HostResult> {
    const { reason, until = null } = input;
    const by = principal.subject;
    return this.#change(input, principal, input, (place, before, now) => {
      const change = { state: 'EXCLUDED', until, reason, by, pin: null } as const;
      return { ...decided(place, before, change, now), since: now };
    });
  }

  /**
   * Excludes a host because of a rule. A pin, and an exclusion that ends later, stay as they are.
   * @returns false if nothing was changed
   */
  async excludeByRule(name: QueueHost, { by, reason, until, cause }: ExclusionByRule): Promise<boolean> {
    const { repository, queues } = this.#options;
    const [queue] = await queues.freshByNames([name.queue]);
    if (!queue) return false;
    for (let tries = 0; tries < maxTries; tries++) {
      const before = await repository.current(name);
      const now = this.#now();
      if (before && (pinAt(before, now.getTime()) || isExcludedUntil(before, until))) return false;
      const evidence: HostEvidence = {
        ...{ failures: 1, jobs: [cause.jobId], codes: [{ code: cause.code, count: 1 }] },
        ...{ firstAt: cause.at, lastAt: cause.at, lastedElsewhere: 0, failedElsewhere: 0 },
      };
      const text = `${reason}; attempt ${cause.attempt} of ${cause.jobId} failed (${cause.code})`;
      const change = { state: 'EXCLUDED', until, reason: text.slice(0, 500), by, evidence } as const;
      const next = { ...decided({ ...name, site: queue.site }, before, change, now), since: now };
      if (await repository.write([{ before, next }])) return true;
    }
    return false;
  }

  /** Keeps a host in or out, whatever core finds. */
  pin(input: PinHost, principal: Principal): Promise<HostResult> {
    const { to, reason, until = null } = input;
    return this.#change(input, principal, input, (place, before, now) => {
      const pin = { to, by: principal.subject, reason, at: now, until };
      const { state, until: end, ...rest } = before ?? healthy(principal.subject);
      return decided(place, before, { state, until: end, reason: rest.reason, by: rest.by, pin }, now);
    });
  }

  /** Ends the exclusion and the pin of a host, and forgets its failures. */
  clear(input: ClearHost, principal: Principal): Promise<HostResult> {
    return this.#change(input, principal, undefined, (place, before, now) => {
      const change = { ...healthy(principal.subject), pin: null, exclusions: 0, evidence: null };
      return decided(place, before, change, now);
    });
  }

  async #change(
    input: HostRef & { readonly isDryRun?: boolean | null | undefined },
    principal: Principal,
    decision: Pick<ExcludeHost, 'reason' | 'until'> | undefined,
    decide: Decide,
  ): Promise<HostResult> {
    const { repository, loadOf } = this.#options;
    const errors = new InputErrors<HostProblemCode>();
    const place = { queue: input.queue, host: input.host, site: '' };
    checkHost(errors, input);
    if (decision) checkDecision(errors, decision, this.#now());
    const queue = await this.#queueOf(errors, input, principal);
    if (!queue || !errors.isEmpty) return refused(errors);
    const load = loadOf(input);
    for (let tries = 0; tries < maxTries; tries++) {
      const before = await repository.current(place);
      const now = this.#now();
      const host = decide({ ...place, site: queue.site }, before ?? undefined, now);
      const isWritten = input.isDryRun === true || (await repository.write([{ before, next: host }]));
      if (isWritten) return { host, ...load, userErrors: [] };
    }
    errors.report(
      'REVISION_CONFLICT',
      ['host'],
      `host: "${input.host}" is being changed by other calls; try again`,
    );
    return refused(errors);
  }

  /** The queue of the host; undefined, and an error, if the principal does not see it. */
  async #queueOf(
    errors: InputErrors<HostProblemCode>,
    { queue: name }: HostRef,
    principal: Principal,
  ): Promise<QueueDocument | undefined> {
    const { queues } = this.#options;
    const [queue] = await queues.freshByNames([name]);
    if (!queue || !queues.isVisible(queue, principal)) {
      errors.report('QUEUE_NOT_FOUND', ['queue'], `Queue "${name}" not found, or you may not see it.`);
      return undefined;
    }
    queues.assertOperates(principal, queue);
    return queue;
  }

  #now(): Date {
    return this.#options.clock.now();
  }
}

function isExcludedUntil({ state, until }: HostDocument, time: Date): boolean {
  return state === 'EXCLUDED' && (until === null || until >= time);
}

function healthy(by: string) {
  return { state: 'HEALTHY', until: null, reason: 'An operator decided so', by } as const;
}

function refused(errors: InputErrors<HostProblemCode>): HostResult {
  return { host: null, ...noLoad, userErrors: errors.all };
}
