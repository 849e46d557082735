/** Rules of queues: visibility and changes. */
import { assertCan, experimentsFor, type Action, type Principal } from '@rhizome/authz';
import { canonicalJson } from '@rhizome/digest';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { Clock, Ids } from '@rhizome/clock';
import type { KeysetPage } from '@rhizome/mongo';
import { mergeContinuityPolicy } from '../shared/continuity.js';
import { creationDigest } from '../shared/idempotency.js';
import { storedCanary } from './canary.js';
import { mergeExperimentLimits } from './experiment-limits.js';
import {
  checkCreate,
  checkReason,
  checkUpdate,
  defaultLimits,
  mergeLimits,
  type CreateQueue,
  type QueueProblemCode,
  type UpdateQueue,
} from './queue-input.js';
import { type QueueDocument, queueSchemaVersion, type QueueState } from './queue.document.js';
import type { QueuesRepository } from './queues.repository.js';

/** Dependencies of {@link QueuesService}. */
export interface QueuesOptions {
  readonly repository: QueuesRepository;
  /** Filters the names by those that are not experiments. */
  readonly missingExperiments: (names: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Paths of the shares of an experiment; null if it is not registered. */
  readonly sharesOf: (experiment: string) => Promise<readonly string[] | null>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Filter of queues. */
export interface QueueFilter {
  readonly names?: readonly string[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly states?: readonly QueueState[] | null | undefined;
  readonly experiments?: readonly string[] | null | undefined;
}

/** Requested state of a queue. */
export interface SetQueueState {
  readonly name: string;
  readonly state: QueueState;
  readonly reason: string;
}

/**
 * The queue, or the errors because of which it was refused. `C` lists the codes of the mutation in addition
 * to `INVALID_VALUE`.
 */
export interface QueueResult<C extends QueueProblemCode> {
  readonly queue: QueueDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

type CreateCode = 'QUEUE_NAME_TAKEN' | 'EXPERIMENT_NOT_FOUND' | 'IDEMPOTENCY_KEY_REUSED';
type ChangeCode = 'QUEUE_NOT_FOUND' | 'REVISION_CONFLICT';
type UpdateCode = ChangeCode | 'EXPERIMENT_NOT_FOUND' | 'SHARE_NOT_FOUND';

/** Number of attempts after which a change gives up because of concurrent changes of the same queue. */
const maxTries = 10;

/** Reads and changes queues. */
export class QueuesService {
  readonly #options: QueuesOptions;

  constructor(options: QueuesOptions) {
    this.#options = options;
  }

  /** All queues in memory. */
  all(): readonly QueueDocument[] {
    return this.#options.repository.directory.all();
  }

  /** Queues by id, one entry per id. */
  byIds(ids: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    return this.#options.repository.directory.find(ids);
  }

  /** All queues as stored now. */
  allFresh(): Promise<readonly QueueDocument[]> {
    return this.#options.repository.directory.fresh();
  }

  /** Queue by id, if it is in memory. */
  peek(id: string): QueueDocument | undefined {
    return this.#options.repository.directory.peek(id);
  }

  /** Queues by id as stored now, one entry per id. */
  fresh(ids: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    return this.#options.repository.directory.findFresh(ids);
  }

  /** Queues by name, one entry per name. */
  byNames(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    return this.#options.repository.byNames(names);
  }

  /** Queues by name as stored now, one entry per name. */
  freshByNames(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    return this.#options.repository.readMany(names);
  }

  /** Filters the names by queues that admit the experiment now. */
  async admitted(names: readonly string[], experiment: string): Promise<ReadonlySet<string>> {
    const found = await this.freshByNames(names);
    return new Set(found.flatMap((queue) => (queue && admits(queue, experiment) ? [queue.name] : [])));
  }

  /** Names of the queues in memory that admit the experiment, sorted. */
  admitting(experiment: string): readonly string[] {
    const found = this.all().filter((queue) => admits(queue, experiment));
    return found.map(({ name }) => name).sort();
  }

  /** Queues of a site in memory that the principal may see, by name. */
  ofSite(site: string, principal: Principal): readonly QueueDocument[] {
    const found = this.all().filter((queue) => queue.site === site && this.isVisible(queue, principal));
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Calls the listener with new and changed queues. @returns function that removes it */
  onChanged(listener: (changed: readonly QueueDocument[]) => void): () => void {
    return this.#options.repository.directory.onChanged(listener);
  }

  /** Returns true if a principal may see a queue: it admits every experiment, or one of the principal's. */
  isVisible(queue: QueueDocument, principal: Principal): boolean {
    const visible = experimentsFor(principal, 'queue:read');
    if (visible === '*') return true;
    if (visible.length === 0) return false;
    return queue.experiments.length === 0 || queue.experiments.some((name) => visible.includes(name));
  }

  /** Returns the queue if the principal may see it. Re-reads from the store before denying. */
  async visible(queue: QueueDocument | null, principal: Principal): Promise<QueueDocument | null> {
    if (!queue || this.isVisible(queue, principal)) return queue;
    const [now] = await this.fresh([queue._id]);
    return now && this.isVisible(now, principal) ? now : null;
  }

  /** @throws DomainError FORBIDDEN if the principal may not set the state of the queue */
  assertOperates(principal: Principal, { experiments }: QueueDocument): void {
    assertIn(principal, 'queue:setState', experiments);
  }

  /** Page of the queues that a principal may see, by name. */
  async page(
    filter: QueueFilter | null | undefined,
    page: { readonly first: number; readonly after?: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<QueueDocument>> {
    if ((filter?.names?.length ?? 0) > 1000)
      throw badInput('filter.names', filter?.names?.length, 'at most 1000 names');
    const visible = experimentsFor(principal, 'queue:read');
    const { experiments, ...rest } = filter ?? {};
    const admitting = [...(experiments ? [experiments] : []), ...(visible === '*' ? [] : [visible])];
    return this.#options.repository.page({ ...rest, admitting, ...page });
  }

  /** Creates a queue. A repetition with the same key returns the same queue. */
  async create(input: CreateQueue, principal: Principal): Promise<QueueResult<CreateCode>> {
    const errors: InputErrors<CreateCode> = checkCreate(input);
    if (errors.isEmpty) await this.#checkExperiments(errors, input);
    if (!errors.isEmpty) return refused(errors);
    const queue = this.#newQueue(input, principal);
    const result = await this.#options.repository.insert(queue);
    if ('inserted' in result) return { queue: result.inserted, userErrors: [] };
    if ('nameTaken' in result) {
      errors.report('QUEUE_NAME_TAKEN', ['name'], `Queue "${input.name}" already exists; use another name.`);
      return refused(errors);
    }
    if (result.repeated.creation?.digest === queue.creation?.digest)
      return { queue: result.repeated, userErrors: [] };
    const message = `idempotencyKey: "${input.idempotencyKey}" was used before for queue "${result.repeated.name}" with other content; use a new key`;
    errors.report('IDEMPOTENCY_KEY_REUSED', ['idempotencyKey'], message);
    return refused(errors);
  }

  /** Changes a queue. */
  async update(input: UpdateQueue, principal: Principal): Promise<QueueResult<UpdateCode>> {
    const { expectedRevision } = input;
    return this.#change<UpdateCode>(input.name, principal, 'queue:update', async (current, errors) => {
      if (typeof expectedRevision === 'number' && expectedRevision !== current.revision) {
        const message = `expectedRevision: ${expectedRevision} is outdated; the queue has revision ${current.revision}`;
        errors.report('REVISION_CONFLICT', ['expectedRevision'], message);
        return null;
      }
      errors.addAll(checkUpdate(input, current));
      if (errors.isEmpty) await this.#checkExperiments(errors, input);
      if (errors.isEmpty) await this.#checkCanaryShare(errors, input, current);
      // The caller needs permission in the experiments that the queue newly admits, too.
      if (input.experiments) assertIn(principal, 'queue:update', input.experiments);
      return errors.isEmpty ? changed(current, input) : null;
    });
  }

  /** Sets the state of a queue. */
  async setState(
    { name, state, reason }: SetQueueState,
    principal: Principal,
  ): Promise<QueueResult<ChangeCode>> {
    return this.#change<ChangeCode>(name, principal, 'queue:setState', (current, errors) => {
      errors.addAll(checkReason(reason));
      const { subject } = principal;
      return Promise.resolve(
        errors.isEmpty
          ? {
              ...current,
              state,
              stateReason: reason,
              stateChangedBy: subject,
              stateChangedAt: this.#options.clock.now(),
            }
          : null,
      );
    });
  }

  async #change<C extends QueueProblemCode>(
    name: string,
    principal: Principal,
    action: Action,
    decide: (current: QueueDocument, errors: InputErrors<C | ChangeCode>) => Promise<QueueDocument | null>,
  ): Promise<QueueResult<C | ChangeCode>> {
    const { repository, clock } = this.#options;
    for (let tries = 0; tries < maxTries; tries++) {
      const errors = new InputErrors<C | ChangeCode>();
      const current = await repository.read(name);
      if (!current || !this.isVisible(current, principal)) {
        errors.report('QUEUE_NOT_FOUND', ['name'], `Queue "${name}" not found, or you may not see it.`);
        return refused(errors);
      }
      assertIn(principal, action, current.experiments);
      const next = await decide(current, errors);
      if (!next) return refused(errors);
      if (next === current) return { queue: current, userErrors: [] };
      const written = { ...next, revision: current.revision + 1, updatedAt: clock.now() };
      if (await repository.replace(written)) return { queue: written, userErrors: [] };
    }
    const errors = new InputErrors<C | ChangeCode>();
    errors.report(
      'REVISION_CONFLICT',
      ['name'],
      `name: queue "${name}" is being changed by other calls; try again`,
    );
    return refused(errors);
  }

  async #checkExperiments(
    errors: InputErrors<CreateCode> | InputErrors<UpdateCode>,
    { experiments, experimentLimits }: Pick<UpdateQueue, 'experiments' | 'experimentLimits'>,
  ): Promise<void> {
    const named = [
      ...(experiments ?? []).map((name, index) => ({ name, path: ['experiments', index] })),
      ...(experimentLimits ?? []).map(({ experiment: name }, index) => ({
        name,
        path: ['experimentLimits', index, 'experiment'],
      })),
    ];
    const missing = await this.#options.missingExperiments(named.map(({ name }) => name));
    for (const { name, path } of named) {
      if (!missing.has(name)) continue;
      const message = `${path.join('.')}: "${name}" is not registered; register it first`;
      errors.report('EXPERIMENT_NOT_FOUND', path, message);
    }
  }

  /** Canary jobs are of an experiment that the queue admits after the change, and of a share that it has. */
  async #checkCanaryShare(
    errors: InputErrors<UpdateCode>,
    { canary: given, experiments }: UpdateQueue,
    current: QueueDocument,
  ): Promise<void> {
    const canary = given === undefined ? current.canary : given && storedCanary(given);
    if (!canary || (!given && !experiments)) return;
    const { experiment, share } = canary;
    const admitted = experiments ?? current.experiments;
    if (admitted.length > 0 && !admitted.includes(experiment)) {
      const path = given ? ['canary', 'experiment'] : ['experiments'];
      errors.add(
        path,
        given ? experiment : admitted,
        given
          ? 'an experiment that the queue admits'
          : `a list with "${experiment}", of which the canary jobs are`,
      );
      return;
    }
    const shares = given ? await this.#options.sharesOf(experiment) : undefined;
    if (shares === null) {
      const message = `canary.experiment: "${experiment}" is not registered; register it first`;
      errors.report('EXPERIMENT_NOT_FOUND', ['canary', 'experiment'], message);
    } else if (shares && !shares.includes(share)) {
      const named = shares.slice(0, 10).join(', ');
      const message = `canary.share: "${share}" does not exist; must be a share of ${experiment}: ${named}`;
      errors.report('SHARE_NOT_FOUND', ['canary', 'share'], message);
    }
  }

  #newQueue(input: CreateQueue, { subject }: Principal): QueueDocument {
    const now = this.#options.clock.now();
    const { name, site, idempotencyKey } = input;
    const continuity = mergeContinuityPolicy(undefined, input.continuity);
    const experimentLimits = mergeExperimentLimits(undefined, input.experimentLimits);
    return {
      _id: this.#options.ids.next('queue'),
      schemaVersion: queueSchemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      name,
      site,
      state: input.state ?? 'ONLINE',
      stateChangedBy: subject,
      stateChangedAt: now,
      experiments: [...(input.experiments ?? [])].sort(),
      executor: input.executor ?? 'DIRECT',
      limits: mergeLimits(defaultLimits, input.limits),
      ...(experimentLimits ? { experimentLimits } : {}),
      ...(continuity ? { continuity } : {}),
      isolation: input.isolation ?? 'NONE',
      labels: (input.labels ?? []).map(({ key, value }) => ({ key, value })),
      ...(idempotencyKey
        ? { creation: { by: subject, key: idempotencyKey, digest: creationDigest(input) } }
        : {}),
    };
  }
}

/** Returns true if no experiment is named, which admits every experiment. */
function admits({ experiments }: QueueDocument, experiment: string): boolean {
  return experiments.length === 0 || experiments.includes(experiment);
}

function refused<C extends QueueProblemCode>(errors: InputErrors<C>): QueueResult<C> {
  return { queue: null, userErrors: errors.all };
}

/**
 * A queue that admits every experiment may be changed only by principals with permission in all experiments.
 */
function assertIn(principal: Principal, action: Action, experiments: readonly string[]): void {
  if (experiments.length === 0) assertCan(principal, action, '*');
  for (const experiment of experiments) assertCan(principal, action, experiment);
}

function changed(queue: QueueDocument, input: UpdateQueue): QueueDocument {
  const { continuity: before, experimentLimits: limitsBefore, canary: canaryBefore, ...current } = queue;
  const canary = input.canary === undefined ? canaryBefore : input.canary && storedCanary(input.canary);
  const continuity = mergeContinuityPolicy(before, input.continuity);
  const experimentLimits = mergeExperimentLimits(limitsBefore, input.experimentLimits);
  const next: QueueDocument = {
    ...current,
    ...(continuity ? { continuity } : {}),
    site: input.site ?? current.site,
    experiments: input.experiments ? [...input.experiments].sort() : current.experiments,
    executor: input.executor ?? current.executor,
    ...(input.isolation ? { isolation: input.isolation } : {}),
    limits: mergeLimits(current.limits, input.limits),
    ...(experimentLimits ? { experimentLimits } : {}),
    ...(canary ? { canary } : {}),
    labels: input.labels ? input.labels.map(({ key, value }) => ({ key, value })) : current.labels,
  };
  return canonicalJson(next) === canonicalJson(queue) ? queue : next;
}
