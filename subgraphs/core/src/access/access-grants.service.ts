/** Rules of access grants: an owner lets people and groups see or change its jobs, for some time. */
import { can, experimentsFor, limitedTo, owns, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type CodedInputError, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { AccessedJobs, AccessGrantDocument, AccessKey, AccessLevel } from './access-grant.document.js';
import type { AccessGrantsRepository } from './access-grants.repository.js';
import { type AccessedJob, HeldGrants } from './held-grants.js';

/** Owner and experiment of an object; null if there is none. */
type OwnerOf = (id: string) => Promise<{ readonly owner: string; readonly experiment: string } | null>;

/** Dependencies of {@link AccessGrantsService}. */
export interface AccessGrantsOptions {
  readonly repository: AccessGrantsRepository;
  readonly jobOf: OwnerOf;
  readonly taskOf: OwnerOf;
  /** Experiment of the share with this path; null if there is none. */
  readonly shareOf: (path: string) => Promise<string | null>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Access to grant. At most one of job, task and share is set, and one of grantee and group. */
export interface AccessRequest extends AccessKey {
  readonly level: AccessLevel;
  readonly days: number;
  readonly reason: string | null;
}

/** Reasons to refuse a grant, besides invalid values. */
export type AccessCode = 'TARGET_NOT_FOUND' | 'TOO_MANY_GRANTS';

/** The grant, or the errors because of which it was refused. */
export interface AccessResult {
  readonly access: AccessGrantDocument | null;
  readonly userErrors: readonly InputError<AccessCode>[];
}

/** The grant that was ended, or the reason why not. */
export interface AccessRevoked {
  readonly access: AccessGrantDocument | null;
  readonly userErrors: readonly CodedInputError<'ACCESS_NOT_FOUND'>[];
}

const dayMs = 86_400_000;
const maxDays = 400;
/** Grants for the jobs of one owner in an experiment at one time. */
const maxGrants = 200;
/** Time for which grants that have ended stay in memory, in milliseconds. */
const keptEndedMs = 600_000;
const groupId = /^grp_[0-9A-Z]{26}$/;

/** Access grants. */
export class AccessGrantsService {
  readonly #options: AccessGrantsOptions;
  readonly #held = new HeldGrants();
  #forgetAt = new Date(0);

  constructor(options: AccessGrantsOptions) {
    this.#options = options;
    options.repository.directory.onChanged((changed) => changed.forEach((grant) => this.#remember(grant)));
  }

  /**
   * Returns true if a grant gives the principal this access to the job now. Decided in memory: it costs no
   * read. It gives no permission: the caller needs that by its roles.
   */
  allows(principal: Principal, job: AccessedJob, level: AccessLevel): boolean {
    const { kind, attempt } = principal;
    if ((kind !== 'HUMAN' && kind !== 'SERVICE') || attempt) return false;
    return this.#current(job).some(
      (grant) => isHolder(principal, grant) && (level === 'READ' || grant.level === 'MANAGE'),
    );
  }

  /** Grants for a job that the caller may see: all for its owner and those who manage it, else its own. */
  ofJob(principal: Principal, job: AccessedJob): readonly AccessGrantDocument[] {
    const found = this.#current(job);
    if (found.length === 0) return found;
    const seesAll = owns(principal, job.owner) || can(principal, 'job:manageAny', job.experiment);
    return seesAll ? found : found.filter((grant) => isHolder(principal, grant));
  }

  /** Grants access to jobs of the caller; for those of another owner it needs `job:manageAny`. */
  async grant(request: AccessRequest, by: Principal): Promise<AccessResult> {
    const { repository, clock, ids } = this.#options;
    const errors = checked(request);
    if (!errors.isEmpty) return { access: null, userErrors: errors.all };
    const owner = await this.#ownerOf(request, by);
    if (owner === undefined) return refused('TARGET_NOT_FOUND', ['jobs'], notFound(request));
    if (owner !== null && owner === request.grantee) {
      errors.add(['grantee', 'subject'], owner, 'another person than the owner');
      return { access: null, userErrors: errors.all };
    }
    const { experiment, jobId, taskId, share, grantee, groupId: group, level, reason } = request;
    const key: AccessKey = { experiment, owner, jobId, taskId, share, grantee, groupId: group };
    const now = clock.now();
    const wanted: AccessGrantDocument = {
      _id: ids.next('access'),
      ...{ schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
      ...{ ...key, level, reason, grantedBy: by.subject },
      expiresAt: endOf(request, owner, by, now),
    };
    const access = await repository.put(wanted, maxGrants);
    if (access) return { access, userErrors: [] };
    return refused('TOO_MANY_GRANTS', ['jobs'], `There are ${maxGrants} grants already; revoke one first`);
  }

  /** Ends a grant of the caller's jobs, or to the caller, or in an experiment whose jobs it manages. */
  async revoke(id: string, by: Principal): Promise<AccessRevoked> {
    const { repository, clock } = this.#options;
    const found = await repository.find(id);
    const access = found && mayEnd(by, found) ? await repository.end(id, clock.now()) : null;
    if (access) return { access, userErrors: [] };
    const message = `Access "${id}" not found, or it has ended, or you may not end it.`;
    return { access: null, userErrors: [{ code: 'ACCESS_NOT_FOUND', path: ['id'], message }] };
  }

  /** Grants of and to the caller and its groups, and those in experiments whose jobs it manages. */
  page(
    by: Principal,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<AccessGrantDocument>> {
    const { subject, groups = [], linked = [] } = by;
    const managed = experimentsFor(by, 'job:manageAny');
    const seen = { subject, owners: [subject, ...linked], groups, managed };
    return this.#options.repository.page(seen, this.#options.clock.now(), page);
  }

  /**
   * Owner of the jobs; null for all owners of a share. Undefined if there are no such jobs, or the caller may
   * not grant access to them: it learns the same in both cases.
   */
  async #ownerOf(request: AccessRequest, by: Principal): Promise<string | null | undefined> {
    const { experiment, jobId, taskId, share } = request;
    const { jobOf, taskOf, shareOf } = this.#options;
    const found =
      jobId !== null ? await jobOf(jobId) : taskId !== null ? await taskOf(taskId) : { experiment };
    const isThere = share === null || (await shareOf(share)) === experiment;
    if (!isThere || found?.experiment !== experiment) return undefined;
    const stored = 'owner' in found ? found.owner : null;
    const owner = request.owner ?? stored ?? (share === null ? by.subject : null);
    if (stored !== null && owner !== stored) return undefined;
    return owns(by, owner) || can(by, 'job:manageAny', experiment) ? owner : undefined;
  }

  #current(job: AccessedJob): readonly AccessGrantDocument[] {
    const found = this.#held.of(job);
    if (found.length === 0) return found;
    const now = this.#options.clock.now();
    return found.filter(({ expiresAt }) => expiresAt > now);
  }

  #remember(grant: AccessGrantDocument): void {
    const now = this.#options.clock.now();
    if (grant.expiresAt > now) this.#held.set(grant);
    else this.#held.delete(grant);
    if (now >= this.#forgetAt) this.#forgetEnded(now);
  }

  /**
   * Grants that have ended stay in memory for some time: an older revision of one, which was read before its
   * end and arrives late, must not make it valid again.
   */
  #forgetEnded(now: Date): void {
    const { directory } = this.#options.repository;
    const before = new Date(now.getTime() - keptEndedMs);
    for (const grant of directory.values()) {
      if (grant.expiresAt > now) continue;
      this.#held.delete(grant);
      if (grant.expiresAt <= before) directory.drop(grant._id);
    }
    this.#forgetAt = new Date(now.getTime() + keptEndedMs);
  }
}

/** End of a grant. One for other owners by an elevation ends with that at the latest. */
function endOf({ experiment, days }: AccessRequest, owner: string | null, by: Principal, now: Date): Date {
  const wanted = new Date(now.getTime() + days * dayMs);
  const { elevation } = by;
  if (owns(by, owner) || !elevation || elevation.until >= wanted) return wanted;
  const afterwards = limitedTo(by, { grants: undefined }, elevation.until);
  return can(afterwards, 'job:manageAny', experiment) ? wanted : elevation.until;
}

/** A token that is limited to some actions ends no more than it could grant; an agent changes nothing. */
function mayEnd(by: Principal, { owner, grantee, experiment }: AccessGrantDocument): boolean {
  if (by.kind !== 'HUMAN' && by.kind !== 'SERVICE') return false;
  if (by.actions !== undefined && !can(by, 'job:grantAccess', experiment)) return false;
  return owns(by, owner) || grantee === by.subject || can(by, 'job:manageAny', experiment);
}

function isHolder({ subject, groups = [] }: Principal, { grantee, groupId: group }: AccessKey): boolean {
  return grantee === subject || (group !== null && groups.includes(group));
}

function checked({ owner, grantee, groupId: group, days, reason }: AccessRequest): InputErrors<AccessCode> {
  const errors = new InputErrors<AccessCode>();
  if (owner !== null) errors.subject(['owner'], owner);
  if (grantee !== null) errors.subject(['grantee', 'subject'], grantee);
  if (group !== null) errors.form(['grantee', 'groupId'], group, groupId, 'the id of a group');
  errors.int(['days'], days, 1, maxDays);
  if (reason !== null) errors.text(['reason'], reason, 1, 1000);
  return errors;
}

function notFound({ jobId, taskId, share, owner }: AccessedJobs): string {
  const named =
    jobId !== null
      ? `Job "${jobId}"`
      : taskId !== null
        ? `Task "${taskId}"`
        : share !== null
          ? `Share "${share}"`
          : `Jobs of "${owner ?? ''}"`;
  return `${named} not found, or you may not grant access to it.`;
}

function refused(code: AccessCode, path: readonly string[], message: string): AccessResult {
  return { access: null, userErrors: [{ code, path: [...path], message }] };
}
