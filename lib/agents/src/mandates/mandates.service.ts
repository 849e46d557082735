/** Rules of mandates: granted by a person, counted exactly, and revoked at once. */
import { isDeepStrictEqual } from 'node:util';
import { can, experimentsFor, owns, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import type { KeysetPage } from '@rhizome/mongo';
import type { BudgetsRepository } from '../budgets/budgets.repository.js';
import { windowAt } from '../budgets/windows.js';
import { storedCaller } from '../proposals/proposals.service.js';
import { isPerson } from '../proposals/visibility.js';
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
/** Time for which a mandate is kept after its end, in milliseconds. */
const keptMs = 90 * dayMs;
/** Fields of an input that the gateway sets. */
const ofGateway: ReadonlySet<string> = new Set(['idempotencyKey', 'isDryRun']);

/** Mandates of one store. */
export class MandatesService {
  readonly #options: MandatesOptions;

  constructor(options: MandatesOptions) {
    this.#options = options;
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

  /** Ends a mandate; returns it as it is now. */
  async revoke({ _id }: MandateDocument, by: string): Promise<MandateDocument | null> {
    const { mandates, clock } = this.#options;
    return (await mandates.revoke(_id, by, clock.now())) ?? mandates.mandate(_id);
  }

  /** True if a mandate holds now. */
  async isActive(id: string): Promise<boolean> {
    const found = await this.#options.mandates.mandate(id);
    return found !== null && found.revokedAt === null && found.expiresAt > this.#options.clock.now();
  }

  /** The mandates that a change fits, whatever was used of them. */
  async fitting({ input, ...change }: MandatedChange): Promise<readonly MandateDocument[]> {
    const found = await this.#options.mandates.current(change, this.#options.clock.now());
    return found.filter((mandate) => fits(mandate, input));
  }

  /** Counts changed objects of today, unless they exceed what is left. */
  async use({ _id, maxPerDay }: MandateDocument, objects: number): Promise<boolean> {
    const { usage, clock } = this.#options;
    const removeAt = new Date(clock.now().getTime() + 2 * dayMs);
    return usage.spend(this.#today(_id), objects, maxPerDay, removeAt);
  }

  /** Gives back objects that were not changed. */
  giveBack({ _id }: MandateDocument, objects: number): Promise<void> {
    return this.#options.usage.giveBack(this.#today(_id), objects);
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
    return mandates.page(visibleTo(principal), conditions, clock.now(), page);
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

function visibleTo(principal: Principal): VisibleMandates {
  const { kind, subject, linked = [] } = principal;
  if (kind === 'AGENT') return { agent: subject, grantors: [], experiments: [] };
  const grantors = kind === 'HUMAN' ? [subject, ...linked] : [];
  return { grantors, experiments: experimentsFor(principal, 'proposal:read') };
}

function sees(principal: Principal, { agent, grantor, experiment }: MandateDocument): boolean {
  if (principal.kind === 'AGENT') return principal.subject === agent;
  if (principal.kind === 'HUMAN' && owns(principal, grantor)) return true;
  return can(principal, 'proposal:read', experiment);
}
