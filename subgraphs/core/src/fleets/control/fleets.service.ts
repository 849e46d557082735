/** Fleets: creating, listing. */
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { listed, shareOf } from '../../jobs/submit/submit.service.js';
import { visibilityOf } from '../../shared/visibility.js';
import { maySeePool, reportUnknown } from '../../units/pools/pool-access.js';
import type { PoolsRepository } from '../../units/pools/pools.repository.js';
import type { FleetDecisionDocument } from '../model/decision.document.js';
import { type FleetDocument, fleetSchemaVersion } from '../model/fleet.document.js';
import { type FleetJobCounts, jobCountsOf } from '../model/job-counts.js';
import type { DecisionsRepository } from '../store/decisions.repository.js';
import type { FleetFilter, FleetsRepository } from '../store/fleets.repository.js';
import { maySeeFleet } from './fleet-access.js';
import { checkName, type CreateFleet, type FleetInputCode, settingsOf } from './fleet-input.js';
import type { FleetTemplates } from './fleet-templates.js';
import { memberStates } from './member-states.js';

/** Dependencies of {@link FleetsService}. */
export interface FleetsOptions {
  readonly fleets: FleetsRepository;
  readonly decisions: DecisionsRepository;
  readonly pools: Pick<PoolsRepository, 'find'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly templates: FleetTemplates;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Codes of `createFleet` in addition to INVALID_VALUE. */
export type CreateFleetCode = FleetInputCode | 'POOL_NOT_FOUND' | 'POOL_CLOSED' | 'FLEET_NAME_TAKEN';

/** The fleet, or the errors because of which the call was refused. */
export interface FleetResult<C extends string> {
  readonly fleet: FleetDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

const maxNamed = 1000;

/** Fleets of jobs. */
export class FleetsService {
  readonly #options: FleetsOptions;

  constructor(options: FleetsOptions) {
    this.#options = options;
  }

  /**
   * Creates a fleet. A repeated call with the same input returns the fleet. With `isDryRun`, checks only.
   * @throws DomainError FORBIDDEN
   */
  async create(
    principal: Principal,
    { isDryRun, ...input }: CreateFleet & { readonly isDryRun?: boolean | null | undefined },
  ): Promise<FleetResult<CreateFleetCode>> {
    const { fleets, pools, templates, clock, ids } = this.#options;
    const errors = new InputErrors<CreateFleetCode>();
    const pool = await pools.find(input.poolId);
    if (!pool || !maySeePool(principal, pool)) {
      reportUnknown(errors, input.poolId);
      return { fleet: null, userErrors: errors.all };
    }
    const { experiment } = pool;
    assertCan(principal, 'job:submit', experiment);
    const digest = digestOf(JSON.parse(JSON.stringify(input)) as object);
    const known = await fleets.named(experiment, input.name);
    if (known && known.owner === principal.subject && known.digest === digest)
      return { fleet: known, userErrors: [] };
    const settings = settingsOf(input.settings);
    checkName(errors, input.name);
    if (known) reportTaken(errors, input.name);
    if (pool.state === 'CLOSED')
      errors.report('POOL_CLOSED', ['poolId'], `Pool "${pool._id}" is closed; must be open.`);
    if (pool.taskId !== undefined) errors.add(['poolId'], input.poolId, 'a pool that belongs to no task');
    const request = { principal, experiment, settings, job: input.job };
    for (const { code, path, message } of await templates.check(request)) errors.report(code, path, message);
    const share = await this.#shareOf(errors, experiment, input.share);
    if (share === undefined || !errors.isEmpty) return { fleet: null, userErrors: errors.all };
    if (isDryRun === true) return { fleet: null, userErrors: [] };
    const now = clock.now();
    const fleet: FleetDocument = {
      _id: ids.next('fleet'),
      schemaVersion: fleetSchemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      experiment,
      name: input.name,
      owner: principal.subject,
      poolId: pool._id,
      share,
      state: 'RUNNING',
      settings,
      template: await templates.template(request, 1, now),
      // The first decision wants `min` jobs.
      target: 0,
      // The lag need not wait for it.
      targetAt: new Date(0),
      members: [],
      step: 0,
      digest,
    };
    if (await fleets.insert(fleet)) return { fleet, userErrors: [] };
    const other = await fleets.named(experiment, input.name);
    if (other?.owner === fleet.owner && other.digest === digest) return { fleet: other, userErrors: [] };
    reportTaken(errors, input.name);
    return { fleet: null, userErrors: errors.all };
  }

  async #shareOf(
    errors: InputErrors<CreateFleetCode>,
    name: string,
    wanted: string | null | undefined,
  ): Promise<string | undefined> {
    const experiment = await this.#options.templates.experiment(name);
    const shares = experiment?.shares ?? [];
    const share = wanted == null ? shares[0] : shareOf(wanted, { name });
    if (share !== undefined && shares.includes(share)) return share;
    const expected = `a share of ${name}: ${listed(shares)}`;
    errors.add(['share'], wanted ?? null, expected, 'SHARE_NOT_FOUND');
    return undefined;
  }

  /** Fleets by id, in the same order; null for those that the principal may not see. */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (FleetDocument | null)[]> {
    const found = await this.#options.fleets.findMany(ids);
    const visible = new Map(found.map((fleet) => [fleet._id, maySeeFleet(principal, fleet) ? fleet : null]));
    return ids.map((id) => visible.get(id) ?? null);
  }

  /** A page of fleets that the principal may see, the newest first. @throws DomainError BAD_USER_INPUT */
  page(
    filter: FleetFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<FleetDocument>> {
    for (const [field, values] of Object.entries(filter ?? {}) as [string, readonly unknown[] | null][])
      if ((values?.length ?? 0) > maxNamed)
        throw badInput(`filter.${field}`, values?.length, `at most ${maxNamed} values`);
    return this.#options.fleets.page(filter ?? {}, visibilityOf(principal, 'pool:read'), page);
  }

  /** A page of the decisions about a fleet, the newest first. */
  decisions(
    { _id }: Pick<FleetDocument, '_id'>,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<FleetDecisionDocument>> {
    return this.#options.decisions.page(_id, page);
  }

  /** Decisions by id, in the same order; null for those that are no longer kept. */
  async decisionsOf(ids: readonly string[]): Promise<readonly (FleetDecisionDocument | null)[]> {
    const found = await this.#options.decisions.findMany(ids);
    const byId = new Map(found.map((decision) => [decision._id, decision]));
    return ids.map((id) => byId.get(id) ?? null);
  }

  /** Numbers of the jobs of a fleet that have not ended, by state. */
  async jobCounts(fleet: Pick<FleetDocument, 'members' | 'template'>): Promise<FleetJobCounts> {
    const states = await memberStates(this.#options.jobs, fleet);
    return jobCountsOf(fleet.members, states, fleet.template.version);
  }
}

function reportTaken(errors: InputErrors<CreateFleetCode>, name: string): void {
  const text = `name: ${JSON.stringify(name.slice(0, 100))} is the name of another fleet of the experiment; must be unique`;
  errors.report('FLEET_NAME_TAKEN', ['name'], text);
}
