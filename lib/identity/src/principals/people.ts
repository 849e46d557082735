/** The rights that people and services have now: read once, and again when they change or end. */
import type { Grant, PeopleDirectory, PersonRights } from '@rhizome/authz';
import { type Clock, longestTimerMs } from '@rhizome/clock';
import type { ChangedDocument } from '@rhizome/mongo';
import { LRUCache } from 'lru-cache';
import { groupMembersCollection, groupsCollection } from '../groups/group.document.js';
import type { GroupsRepository } from '../groups/groups.repository.js';
import type { IssuerSettingsRecord } from '../issuers/issuer.document.js';
import { issuersCollection } from '../issuers/issuer.document.js';
import type { IssuersRepository } from '../issuers/issuers.repository.js';
import type { HeldRoles, RoleSource } from './principal.document.js';
import { membershipsCollection, principalsCollection } from './principal.document.js';
import type { PrincipalsRepository } from './principals.repository.js';
import { type DatedRights, rightsNow } from './rights-now.js';

/** Ports of {@link People}. */
export interface PeopleOptions {
  readonly principals: PrincipalsRepository;
  readonly issuers: Pick<IssuersRepository, 'all'>;
  /** Roles by groups; without it, only memberships give roles. */
  readonly groups?: RoleSource & Pick<GroupsRepository, 'memberIdsOf'>;
  readonly clock: Clock;
}

/** Subjects of principals that have documents; all others are unknown here. */
const knownSubject = /^(usr|svc)_[0-9A-Z]{26}$/;
const remembered = 50_000;
const batch = 500;

/** Rights in memory. They are current until something changes or ends. */
class Remembered implements PersonRights {
  isCurrent = true;
  readonly grants: readonly Grant[] | undefined;
  readonly ready: readonly Grant[] | undefined;
  readonly groups: readonly string[] | undefined;
  readonly linked: readonly string[] | undefined;
  readonly until: Date | undefined;
  readonly readAt: Date;

  constructor(rights: DatedRights | undefined, readAt: Date) {
    this.readAt = readAt;
    this.grants = rights?.grants;
    this.ready = rights?.ready;
    this.groups = rights?.groups;
    this.linked = rights?.linked;
    this.until = rights?.until;
  }
}

const unknown: PersonRights = { grants: undefined, isCurrent: true };

/** Called with the subjects whose rights became fewer. */
export type LossListener = (subjects: ReadonlySet<string>) => void;

/** Directory of the principals in the store. */
export class People implements PeopleDirectory {
  readonly #options: PeopleOptions;
  readonly #listeners = new Set<LossListener>();
  /**
   * Rights by subject. Those that are replaced or leave the memory are not followed any more, and must be
   * read again.
   */
  readonly #known = new LRUCache<string, Remembered>({
    max: remembered,
    dispose: (rights) => (rights.isCurrent = false),
  });
  readonly #reading = new Map<string, Promise<Remembered>>();
  #changes = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextEnd = Infinity;

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  async rightsOf(subject: string, issuedAt?: Date): Promise<PersonRights> {
    if (!knownSubject.test(subject)) return unknown;
    const known = this.#known.get(subject);
    if (known && this.#isUsable(known, issuedAt)) return known;
    let reading = this.#reading.get(subject);
    if (!reading) {
      reading = this.#readOne(subject).finally(() => this.#reading.delete(subject));
      this.#reading.set(subject, reading);
    }
    return reading;
  }

  /** A token may state rights that were given since: only what was read after its issue is comparable. */
  #isUsable({ isCurrent, until, readAt }: Remembered, issuedAt: Date | undefined): boolean {
    if (!isCurrent || (until && until <= this.#options.clock.now())) return false;
    return issuedAt === undefined || readAt.getTime() > issuedAt.getTime() + 1000;
  }

  /** Calls the listener when rights become fewer, so that what is open with them can end. */
  onLoss(listener: LossListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads what changed again; undefined: everything that is in memory. */
  async refresh(changed?: readonly ChangedDocument[]): Promise<void> {
    this.#changes += 1;
    const subjects = changed && (await this.#subjectsOf(changed));
    const affected = subjects
      ? [...subjects].filter((subject) => this.#known.has(subject))
      : [...this.#known.keys()];
    for (let at = 0; at < affected.length; at += batch) await this.#reread(affected.slice(at, at + batch));
  }

  /** The principals that changed documents are about; undefined: any of them. */
  async #subjectsOf(changed: readonly ChangedDocument[]): Promise<ReadonlySet<string> | undefined> {
    // They rarely change.
    if (changed.some(({ collection }) => collection === issuersCollection.name)) return undefined;
    const groupIds = changed
      .filter(({ collection }) => collection === groupsCollection.name)
      .map(({ id }) => String(id));
    const members = groupIds.length === 0 ? [] : await this.#options.groups?.memberIdsOf(groupIds);
    return new Set([...subjectsOf(changed), ...(members ?? [])]);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #readOne(subject: string): Promise<Remembered> {
    const { found, readAt } = await this.#readCurrent([subject]);
    const rights = new Remembered(found.get(subject), readAt);
    this.#remember(subject, rights);
    return rights;
  }

  async #reread(subjects: readonly string[]): Promise<void> {
    const { found, readAt } = await this.#readCurrent(subjects);
    const lost = new Set<string>();
    for (const subject of subjects) {
      const before = this.#known.get(subject);
      const rights = new Remembered(found.get(subject), readAt);
      if (before && hasLost(rights, before)) lost.add(subject);
      this.#remember(subject, rights);
    }
    if (lost.size > 0) for (const listener of this.#listeners) listener(lost);
  }

  #remember(subject: string, rights: Remembered): void {
    this.#known.set(subject, rights);
    if (rights.until) this.#wakeAt(rights.until);
  }

  /** Rights that end by time are read again at that time. */
  #wakeAt(end: Date): void {
    if (this.#timer !== undefined && this.#nextEnd <= end.getTime()) return;
    clearTimeout(this.#timer);
    this.#nextEnd = end.getTime();
    const waitMs = Math.max(0, this.#nextEnd - this.#options.clock.now().getTime());
    this.#timer = setTimeout(() => this.#endDue(), Math.min(waitMs, longestTimerMs));
    this.#timer.unref();
  }

  #endDue(): void {
    this.#timer = undefined;
    this.#nextEnd = Infinity;
    const now = this.#options.clock.now();
    const due: string[] = [];
    for (const [subject, { until }] of this.#known.entries()) {
      if (until === undefined) continue;
      if (until <= now) due.push(subject);
      else this.#wakeAt(until);
    }
    // An outage of the store must not extend rights: what cannot be read again is not current.
    this.#reread(due).catch(() => due.forEach((subject) => this.#known.delete(subject)));
  }

  /** Reads again what was read before a change: nothing would refresh it. */
  async #readCurrent(
    subjects: readonly string[],
  ): Promise<{ readonly found: ReadonlyMap<string, DatedRights>; readonly readAt: Date }> {
    for (;;) {
      const changes = this.#changes;
      const readAt = this.#options.clock.now();
      const found = await this.#read(subjects, readAt);
      if (changes === this.#changes) return { found, readAt };
    }
  }

  async #read(subjects: readonly string[], now: Date): Promise<ReadonlyMap<string, DatedRights>> {
    const { principals, issuers, groups } = this.#options;
    if (subjects.length === 0) return new Map();
    const [found, all, memberships, byGroups] = await Promise.all([
      principals.principalsOf(subjects),
      issuers.all(),
      principals.membershipsOf(subjects, now),
      groups?.rolesOf(subjects, now) ?? [],
    ]);
    const byName = new Map<string, IssuerSettingsRecord>(all.map((one) => [one.issuer, one]));
    const people = found.flatMap(({ personId }) => personId ?? []);
    const linked = people.length === 0 ? [] : await principals.identitiesOfPeople(people);
    const held = grouped([...memberships, ...byGroups]);
    const rights = new Map<string, DatedRights>();
    for (const principal of found) {
      const own = held.get(principal._id) ?? [];
      const dated = rightsNow({ principal, held: own, issuers: byName, linked }, now);
      if (dated) rights.set(principal._id, dated);
    }
    return rights;
  }
}

function grouped(roles: readonly HeldRoles[]): ReadonlyMap<string, HeldRoles[]> {
  const found = new Map<string, HeldRoles[]>();
  for (const one of roles) found.set(one.principalId, [...(found.get(one.principalId) ?? []), one]);
  return found;
}

/** Their identifiers begin with that of a principal. */
const ofPrincipal = new Set([membershipsCollection.name, groupMembersCollection.name]);

/** The principals that the identifiers of changed documents name. */
function subjectsOf(changed: readonly ChangedDocument[]): ReadonlySet<string> {
  const subjects = new Set<string>();
  for (const { collection, id } of changed) {
    if (collection === principalsCollection.name) subjects.add(String(id));
    if (ofPrincipal.has(collection)) subjects.add(String(id).split(':', 1)[0] ?? '');
  }
  return subjects;
}

/**
 * True if a role was lost, or a group, to whose members somebody may have given access to jobs, or a linked
 * identity.
 */
function hasLost(now: PersonRights, before: PersonRights): boolean {
  const left = now.grants === undefined ? [] : [...(before.groups ?? []), ...(before.linked ?? [])];
  const kept = new Set([...(now.groups ?? []), ...(now.linked ?? [])]);
  return (
    left.some((id) => !kept.has(id)) || isLess(now.grants, before.grants) || isLess(now.ready, before.ready)
  );
}

/** True if some role was lost. */
function isLess(now: readonly Grant[] | undefined, before: readonly Grant[] | undefined): boolean {
  if (now === undefined) return false;
  return (before ?? []).some(({ experiment, roles }) => {
    const left = now.find((one) => one.experiment === experiment)?.roles ?? [];
    return roles.some((role) => !left.includes(role));
  });
}
