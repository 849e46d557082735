/** Rules of mandates: granted by a person, counted exactly, and revoked at once. */
import { isDeepStrictEqual } from 'node:util';
import { can, owns, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import type { KeysetPage } from '@rhizome/mongo';
import type { BudgetsRepository } from '../budgets/budgets.repository.js';
import { windowAt } from '../budgets/windows.js';
import { storedCaller } from '../proposals/proposals.service.js';
import { isPerson, seesOwn, visibleTo } from '../proposals/visibility.js';
import type { MandateDocument } from './mandate.document.js';
import type { MandateConditions, MandatesRepository, VisibleMandates } from './mandates.repository.js';

/** A mandate to grant, which was checked. */
export type MandateDraft = Pick<
  MandateDocument,
  'agent' | 'experiment' | 'mutation' | 'free' | 'maxPerDay' | 'reason' | 'expiresAt'
> & { readonly fixed: Readonly<Record<string, unknown>> };

/** A change of an agent to compare with mandates. */
export type MandatedChange = Pick<MandateDocument, 'agent' | 'experiment' | 'mutation'> & {
  readonly input: Readonly<Record<string, unknown>>;
};

/** Ports of {@link MandatesService}. */
export interface MandatesOptions {
  readonly mandates: MandatesRepository;
  /** Counts the use of each day. */
  readonly usage: Pick<BudgetsRepository, 'spend' | 'giveBack' | 'spent'>;
  readonly clock: Clock;
}

const dayMs = 86_400_000;
/** Mandates of a person that may hold at the same time. */
export const mostMandates = 200;
/** Time for which a mandate is kept after its end, in milliseconds. */
const keptMs = 90 * dayMs;
/** Fields of an input that the gateway sets. */
export const ofGateway: ReadonlySet<string> = new Set(['idempotencyKey', 'isDryRun']);

/** True if a mandate holds at a time: it was not revoked, and has not ended. */
export function holds({ revokedAt, expiresAt }: MandateDocument, at: Date): boolean {
  return revokedAt === null && expiresAt > at;
}

/** Mandates of one store. */
export class MandatesService {
  readonly #options: MandatesOptions;

  constructor(options: MandatesOptions) {
    this.#options = options;
  }

  /**
   * True if a person may grant a further mandate. Calls at the same time may exceed the number: it bounds
   * what is compared with a proposal.
   */
  async mayGrant(by: Principal): Promise<boolean> {
    const { mandates, clock } = this.#options;
    return (await mandates.countOf(by.subject, clock.now(), mostMandates)) < mostMandates;
  }

  /** Grants a mandate. An equal one of the same person gets the new limits, and holds again. */
  grant({ fixed, free, ...draft }: MandateDraft, by: Principal): Promise<MandateDocument | null> {
    const { mandates, clock } = this.#options;
    const now = clock.now();
    const { agent, experiment, mutation, expiresAt } = draft;
    const sorted = [...new Set(free)].sort();
    return mandates.grant({
      _id: `mandate_${digestOf([by.subject, agent, experiment, mutation, fixed, sorted])}`,
      ...{ schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, ...draft },
      ...{ grantor: by.subject, caller: storedCaller(by), fixed: JSON.stringify(fixed), free: sorted },
      ...{ revokedAt: null, revokedBy: null, removeAt: new Date(expiresAt.getTime() + keptMs) },
    });
  }

  /** A mandate that the principal sees. */
  async find(id: string, principal: Principal): Promise<MandateDocument | null> {
    const found = await this.#options.mandates.mandate(id);
    return found && sees(principal, found) ? found : null;
  }

  /** Ends a mandate; returns it as it is now. `by` is null if the token of the grantor was revoked. */
  async revoke({ _id }: MandateDocument, by: string | null): Promise<MandateDocument | null> {
    const { mandates, clock } = this.#options;
    return (await mandates.revoke(_id, by, clock.now())) ?? mandates.mandate(_id);
  }

  /** True if a mandate holds now. */
  async isActive(id: string): Promise<boolean> {
    const found = await this.#options.mandates.mandate(id);
    return found !== null && holds(found, this.#options.clock.now());
  }

  /** The mandates that a change fits, whatever was used of them. */
  async fitting({ input, ...change }: MandatedChange): Promise<readonly MandateDocument[]> {
    const found: MandateDocument[] = [];
    // One at a time: there may be many, of other people, that do not fit.
    for await (const mandate of this.#options.mandates.current(change, this.#options.clock.now()))
      if (fits(mandate, input)) found.push(mandate);
    return found;
  }

  /**
   * Counts changed objects of today, unless they exceed what is left.
   * @returns where they were counted, for {@link giveBack}; undefined if they exceed it
   */
  async use({ _id, maxPerDay }: MandateDocument, objects: number): Promise<string | undefined> {
    const { usage, clock } = this.#options;
    const day = this.#today(_id);
    const removeAt = new Date(clock.now().getTime() + 2 * dayMs);
    return (await usage.spend(day, objects, maxPerDay, removeAt)) ? day : undefined;
  }

  /** Gives back objects that were not changed, where {@link use} has counted them. */
  giveBack(counted: string, objects: number): Promise<void> {
    return this.#options.usage.giveBack(counted, objects);
  }

  /** Objects changed today, by mandate. */
  async usedToday(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const spent = await this.#options.usage.spent(ids.map((id) => this.#today(id)));
    return new Map(ids.map((id) => [id, spent.get(this.#today(id)) ?? 0]));
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    conditions: MandateConditions,
    principal: Principal,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<MandateDocument>> {
    const { mandates, clock } = this.#options;
    return mandates.page(visibleMandates(principal), conditions, clock.now(), page);
  }

  #today(id: string): string {
    return `${id} ${windowAt('DAY', this.#options.clock.now()).start.toISOString()}`;
  }
}

/** True if the principal may end a mandate that it sees. */
export function mayRevoke(principal: Principal, { grantor, experiment }: MandateDocument): boolean {
  return isPerson(principal) && (owns(principal, grantor) || can(principal, 'admin:*', experiment));
}

/** True if an input has the fixed fields of a mandate, and no others but those that the agent chooses. */
export function fits(
  { fixed, free }: Pick<MandateDocument, 'fixed' | 'free'>,
  input: Readonly<Record<string, unknown>>,
): boolean {
  const wanted = JSON.parse(fixed) as Readonly<Record<string, unknown>>;
  const names = new Set([...Object.keys(wanted), ...Object.keys(input)]);
  return [...names].every(
    (name) =>
      ofGateway.has(name) ||
      free.includes(name) ||
      isDeepStrictEqual(input[name] ?? null, wanted[name] ?? null),
  );
}

function visibleMandates(principal: Principal): VisibleMandates {
  const { agent, people = [], experiments } = visibleTo(principal);
  return { agent, grantors: people, experiments };
}

function sees(principal: Principal, { agent, grantor, experiment }: MandateDocument): boolean {
  if (principal.kind === 'AGENT') return principal.subject === agent;
  if (seesOwn(principal) && owns(principal, grantor)) return true;
  return can(principal, 'proposal:read', experiment);
}
