/** Rules of downtimes: declaration, changes and import. */
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { creationDigest } from '../../shared/idempotency.js';
import type { QueueDocument } from '../queue.document.js';
import type { QueuesService } from '../queues.service.js';
import {
  type DowntimeDocument,
  downtimeSchemaVersion,
  type DowntimeState,
  type DowntimeTarget,
  stateOf,
} from './downtime.document.js';
import {
  type ChangeDowntime,
  checkDeclare,
  checkImport,
  checkWindow,
  type DeclareDowntime,
  type DowntimeProblemCode,
  type ImportDowntimes,
} from './downtime-input.js';
import { DowntimeTargets } from './downtime-targets.js';
import type { DowntimeWindow } from './downtime-window.js';
import type { DowntimesRepository } from './downtimes.repository.js';
import { type ImportPlan, planImport } from './import-plan.js';

/** Dependencies of {@link DowntimesService}. */
export interface DowntimesOptions {
  readonly repository: DowntimesRepository;
  readonly queues: QueuesService;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Filter of downtimes. */
export interface DowntimeFilter {
  readonly queues?: readonly string[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly states?: readonly DowntimeState[] | null | undefined;
}

/** The downtime with the queues that are down, or the errors because of which the call was refused. */
export interface DowntimeResult<C extends DowntimeProblemCode> {
  readonly downtime: DowntimeDocument | null;
  readonly queues: readonly QueueDocument[];
  readonly userErrors: readonly InputError<C>[];
}

/** Changes of an import, or the errors because of which it was refused. */
export interface ImportResult extends ImportPlan {
  readonly userErrors: readonly InputError<TargetCode | 'REVISION_CONFLICT'>[];
}

type TargetCode = 'QUEUE_NOT_FOUND' | 'SITE_NOT_FOUND';
type DeclareCode = TargetCode | 'IDEMPOTENCY_KEY_REUSED';
type ChangeCode = 'DOWNTIME_NOT_FOUND' | 'DOWNTIME_OVER' | 'REVISION_CONFLICT';

/** Number of attempts after which a change gives up because of concurrent changes. */
const maxTries = 10;
const upcoming: readonly DowntimeState[] = ['PLANNED', 'ACTIVE'];

/** Reads and changes downtimes. */
export class DowntimesService {
  readonly #options: DowntimesOptions;
  /** Windows that count, by target, in the order of their starts; undefined after a change. */
  #windows: ReadonlyMap<string, readonly DowntimeDocument[]> | undefined;

  constructor(options: DowntimesOptions) {
    this.#options = options;
    options.repository.directory.onChanged(() => (this.#windows = undefined));
  }

  /** Calls the listener when downtimes change. @returns function that removes it */
  onChanged(listener: () => void): () => void {
    return this.#options.repository.directory.onChanged(listener);
  }

  /** Downtimes in memory of a queue and of its site that are not over, by their start. */
  ofQueue({ name, site }: Pick<QueueDocument, 'name' | 'site'>): readonly DowntimeDocument[] {
    this.#windows ??= windowsOf(this.#options.repository.directory.values());
    const [own, ofSite] = [this.#windows.get(`queue ${name}`), this.#windows.get(`site ${site}`)];
    if (!own && !ofSite) return [];
    const now = this.#options.clock.now();
    return [...(own ?? []), ...(ofSite ?? [])].filter(({ endsAt }) => endsAt > now).sort(byStart);
  }

  /** Windows of {@link ofQueue}; undefined if there are none. */
  windowsOf(queue: Pick<QueueDocument, 'name' | 'site'>): readonly DowntimeWindow[] | undefined {
    const found = this.ofQueue(queue);
    if (found.length === 0) return undefined;
    return found.map(({ startsAt, endsAt, reason }) => ({ startsAt, endsAt, reason }));
  }

  /** State of a downtime now. */
  stateOf(downtime: DowntimeDocument): DowntimeState {
    return stateOf(downtime, this.#options.clock.now());
  }

  /** Page of the downtimes of queues that a principal may see, by their start. */
  async page(
    filter: DowntimeFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<DowntimeDocument>> {
    const { queues: names, sites, states } = filter ?? {};
    for (const [field, list] of Object.entries({ queues: names, sites }))
      if ((list?.length ?? 0) > 1000) throw badInput(`filter.${field}`, list?.length, 'at most 1000 names');
    const { queues, repository, clock } = this.#options;
    const now = clock.now();
    const request = { states: states && states.length > 0 ? states : upcoming, now, ...page };
    if (!names && !sites && experimentsFor(principal, 'queue:read') === '*') return repository.page(request);
    const visible = (await queues.allFresh()).filter((queue) => queues.isVisible(queue, principal));
    const chosen = visible.filter(
      ({ name, site }) => (!names || names.includes(name)) && (!sites || sites.includes(site)),
    );
    const targets = {
      queues: chosen.map(({ name }) => name),
      sites: [...new Set(chosen.map(({ site }) => site))],
    };
    return repository.page({ ...request, targets });
  }

  /** Declares a downtime. A repetition with the same key returns the same one. */
  async declare(input: DeclareDowntime, principal: Principal): Promise<DowntimeResult<DeclareCode>> {
    const { repository, queues, clock, ids } = this.#options;
    const errors = new InputErrors<DowntimeProblemCode>();
    const now = clock.now();
    checkDeclare(errors, input, now);
    const targets = await DowntimeTargets.read(queues, principal);
    const target = targets.named(errors, [], input.target);
    if (!target || !errors.isEmpty) return refused(errors);
    const { startsAt, endsAt, reason, idempotencyKey: key } = input;
    const { subject } = principal;
    const downtime: DowntimeDocument = {
      ...newDowntime(ids.next('downtime'), target, { startsAt, endsAt, reason }, subject, now),
      ...(key
        ? { creation: { by: subject, key, digest: creationDigest({ ...input, isDryRun: null }) } }
        : {}),
    };
    if (input.isDryRun) return accepted(downtime, targets);
    const stored = await repository.insert(downtime);
    if (stored.creation?.digest === downtime.creation?.digest) return accepted(stored, targets);
    const message = `idempotencyKey: "${key}" was used before for downtime "${stored._id}" with other content; use a new key`;
    errors.report('IDEMPOTENCY_KEY_REUSED', ['idempotencyKey'], message);
    return refused(errors);
  }

  /** Changes the window or the reason of a downtime that is not over. */
  async change(input: ChangeDowntime, principal: Principal): Promise<DowntimeResult<ChangeCode>> {
    const { expectedRevision, id, isDryRun } = input;
    return this.#edit(id, principal, isDryRun === true, (current, errors) => {
      if (typeof expectedRevision === 'number' && expectedRevision !== current.revision) {
        const message = `expectedRevision: ${expectedRevision} is outdated; the downtime has revision ${current.revision}`;
        errors.report('REVISION_CONFLICT', ['expectedRevision'], message);
      }
      const startsAt = input.startsAt ?? current.startsAt;
      const endsAt = input.endsAt ?? current.endsAt;
      const window = { startsAt, endsAt, reason: input.reason ?? current.reason };
      checkWindow(errors, [], window);
      return { ...current, ...window };
    });
  }

  /** Cancels a downtime: it ends now, or never begins. One that is cancelled already stays as it is. */
  async cancel(
    { id, isDryRun }: { readonly id: string; readonly isDryRun?: boolean | null | undefined },
    principal: Principal,
  ): Promise<DowntimeResult<ChangeCode>> {
    return this.#edit(
      id,
      principal,
      isDryRun === true,
      (current) => cancelled(current, principal, this.#now()),
      {
        mayBeCancelled: true,
      },
    );
  }

  /**
   * Takes over the list of another system: entries are known by their ids there. Downtimes of the list that
   * it no longer has are cancelled.
   */
  async import(input: ImportDowntimes, principal: Principal): Promise<ImportResult> {
    const { repository, queues, ids } = this.#options;
    for (let tries = 0; tries < maxTries; tries++) {
      const errors = new InputErrors<DowntimeProblemCode>();
      checkImport(errors, input);
      const targets = await DowntimeTargets.read(queues, principal);
      const wanted = input.downtimes.slice(0, errors.isEmpty ? undefined : 0).map((entry, index) => ({
        entry,
        target: targets.named(errors, ['downtimes', index], entry.target),
      }));
      if (!errors.isEmpty) return { ...nothing, userErrors: errors.all as ImportResult['userErrors'] };
      const now = this.#now();
      const known = await repository.ofSource(input.source);
      const plan = planImport({
        source: input.source,
        wanted: wanted.flatMap(({ entry, target }) => (target ? [{ entry, target }] : [])),
        known,
        now,
        create: (target, entry) => newDowntime(ids.next('downtime'), target, entry, principal.subject, now),
        cancel: (downtime) => cancelled(downtime, principal, now),
      });
      const changes = [...plan.changed, ...plan.cancelled];
      const changedIds = new Set(changes.map(({ _id }) => _id));
      for (const one of known) if (changedIds.has(one._id)) targets.assertOperates(one);
      const count = plan.created.length + changes.length;
      if (input.isDryRun || (await repository.writeMany(plan.created, changes)) === count)
        return { ...plan, userErrors: [] };
    }
    const message = 'source: the list is being imported by other calls; try again';
    return { ...nothing, userErrors: [{ code: 'REVISION_CONFLICT', path: ['source'], message }] };
  }

  async #edit(
    id: string,
    principal: Principal,
    isDryRun: boolean,
    decide: (current: DowntimeDocument, errors: InputErrors<DowntimeProblemCode>) => DowntimeDocument,
    { mayBeCancelled = false } = {},
  ): Promise<DowntimeResult<ChangeCode>> {
    const { repository, queues } = this.#options;
    for (let tries = 0; tries < maxTries; tries++) {
      const errors = new InputErrors<DowntimeProblemCode>();
      const [current, targets] = await Promise.all([
        repository.find(id),
        DowntimeTargets.read(queues, principal),
      ]);
      if (!current || !targets.isVisible(current)) {
        errors.report('DOWNTIME_NOT_FOUND', ['id'], `Downtime "${id}" not found, or you may not see it.`);
        return refused(errors);
      }
      targets.assertOperates(current);
      const state = this.stateOf(current);
      if (state === 'CANCELLED' && mayBeCancelled) return accepted(current, targets);
      if (state === 'CANCELLED' || state === 'ENDED') {
        errors.report('DOWNTIME_OVER', ['id'], `Downtime "${id}" is ${state}; declare another one.`);
        return refused(errors);
      }
      const next = decide(current, errors);
      if (!errors.isEmpty) return refused(errors);
      const written = { ...next, revision: current.revision + 1, updatedAt: this.#now() };
      if (isDryRun || (await repository.replace(written))) return accepted(written, targets);
    }
    const errors = new InputErrors<DowntimeProblemCode>();
    errors.report(
      'REVISION_CONFLICT',
      ['id'],
      `id: downtime "${id}" is being changed by other calls; try again`,
    );
    return refused(errors);
  }

  #now(): Date {
    return this.#options.clock.now();
  }
}

const nothing: ImportPlan = { created: [], changed: [], cancelled: [], unchangedCount: 0 };
const byStart = (a: DowntimeWindow, b: DowntimeWindow): number => a.startsAt.getTime() - b.startsAt.getTime();

function newDowntime(
  id: string,
  { queue, site }: DowntimeTarget,
  { startsAt, endsAt, reason }: DowntimeWindow,
  declaredBy: string,
  now: Date,
): DowntimeDocument {
  return {
    ...{ _id: id, schemaVersion: downtimeSchemaVersion, revision: 1, createdAt: now, updatedAt: now },
    ...{ queue, site, startsAt, endsAt, reason, declaredBy, cancelledAt: null, cancelledBy: null },
  };
}

function cancelled(downtime: DowntimeDocument, { subject }: Principal, now: Date): DowntimeDocument {
  return { ...downtime, cancelledAt: now, cancelledBy: subject };
}

function windowsOf(all: Iterable<DowntimeDocument>): ReadonlyMap<string, readonly DowntimeDocument[]> {
  const found = new Map<string, DowntimeDocument[]>();
  for (const downtime of all) {
    if (downtime.cancelledAt) continue;
    const key = downtime.queue === null ? `site ${downtime.site}` : `queue ${downtime.queue}`;
    found.set(key, [...(found.get(key) ?? []), downtime]);
  }
  return found;
}

function accepted<C extends DowntimeProblemCode>(
  downtime: DowntimeDocument,
  targets: DowntimeTargets,
): DowntimeResult<C> {
  return { downtime, queues: targets.of(downtime), userErrors: [] };
}

function refused<C extends DowntimeProblemCode>(errors: InputErrors<DowntimeProblemCode>): DowntimeResult<C> {
  return { downtime: null, queues: [], userErrors: errors.all as readonly InputError<C>[] };
}
