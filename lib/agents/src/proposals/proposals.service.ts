/** Rules of proposals: made once, decided by a person, run at most once. */
import { randomBytes } from 'node:crypto';
import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import type { KeysetPage } from '@rhizome/mongo';
import type {
  ListedProposal,
  ProposalDocument,
  StoredCaller,
  StoredDecision,
  StoredOutcome,
} from './proposal.document.js';
import type { ProposalConditions, ProposalsRepository } from './proposals.repository.js';
import { sees, visibleTo } from './visibility.js';

/** A change to propose, which was checked. */
export type ProposalDraft = Pick<
  ProposalDocument,
  | '_id'
  | 'mutation'
  | 'operation'
  | 'variables'
  | 'stakes'
  | 'repeatable'
  | 'reason'
  | 'evidence'
  | 'targets'
  | 'preview'
  | 'agent'
  | 'person'
  | 'experiment'
  | 'isFourEyes'
> & {
  /** The input of the mutation without its idempotency key. */
  readonly request: unknown;
  readonly expiresInSeconds: number;
};

/** A proposal, or the reason why there is none. */
export type Proposed =
  | { readonly proposal: ProposalDocument; readonly isNew: boolean }
  | { readonly denial: ProposalDocument }
  | { readonly openCount: number };

/** Settings of {@link ProposalsService}. */
export interface ProposalSettings {
  /** Days for which a denied change is not proposed again; 0 for none. Default 7. */
  readonly denialDays?: number | undefined;
  /** Proposals of a person that may wait at once. Default 200. */
  readonly openLimit?: number | undefined;
}

/** Ports of {@link ProposalsService}. */
export interface ProposalsOptions extends ProposalSettings {
  readonly proposals: ProposalsRepository;
  readonly clock: Clock;
  readonly ids: Ids;
}

const dayMs = 86_400_000;
/** Time for which a proposal is kept, in milliseconds. */
const keptMs = 90 * dayMs;
/** Time that a gateway has to extend the lease of a run, in milliseconds. */
export const leaseMs = 30_000;
/** Attempts to find a free short name. */
const nameAttempts = 5;

/** Proposals of one store. */
export class ProposalsService {
  readonly #options: ProposalsOptions;
  readonly #whole = new WeakMap<ListedProposal, Promise<ProposalDocument | null>>();

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** The identifier of a proposal to be made, with which its mutation will run. */
  nextId(): string {
    return this.#options.ids.next('proposal');
  }

  /** Stores a proposal. An equal change that is open is returned; one that was denied lately is refused. */
  async create({ request, expiresInSeconds, ...draft }: ProposalDraft): Promise<Proposed> {
    const { proposals, clock, denialDays = 7, openLimit = 200 } = this.#options;
    const now = clock.now();
    const requestHash = digestOf([draft.person, draft.mutation, request]);
    const openKey = digestOf([requestHash, draft.targets]);
    const denial = await proposals.denial(requestHash, new Date(now.getTime() - denialDays * dayMs));
    if (denial) return { denial };
    await proposals.expire(now);
    for (let attempt = 1; ; attempt++) {
      const open = await proposals.open(openKey);
      if (open) return { proposal: open, isNew: false };
      // Calls at the same time may exceed the limit by their number: it protects people from floods only.
      const openCount = await proposals.openOf(draft.person, now, openLimit);
      if (openCount >= openLimit) return { openCount };
      const proposal: ProposalDocument = {
        ...draft,
        ...{
          schemaVersion: 1,
          revision: 1,
          createdAt: now,
          updatedAt: now,
          ref: newRef(),
          status: 'PROPOSED',
        },
        ...{ operationHash: hashOf(draft), requestHash, openKey },
        ...{ decision: null, execution: null, outcome: null },
        expiresAt: new Date(now.getTime() + expiresInSeconds * 1000),
        removeAt: new Date(now.getTime() + keptMs),
      };
      if (await proposals.insert(proposal)) return { proposal, isNew: true };
      if (attempt === nameAttempts) throw new TypeError('No free short name was found for a proposal');
    }
  }

  /** A proposal that the principal sees. */
  async find(id: string, principal: Principal): Promise<ProposalDocument | null> {
    const found = await this.#options.proposals.proposal(id);
    return found && sees(principal, found) ? found : null;
  }

  /** A proposal of a list with what the list leaves out, read once for each. Null if it was removed. */
  whole(listed: ListedProposal): Promise<ProposalDocument | null> {
    const { variables, targets } = listed;
    if (variables !== undefined && targets !== undefined)
      return Promise.resolve({ ...listed, variables, targets });
    const known = this.#whole.get(listed);
    if (known) return known;
    const reading = this.#options.proposals.proposal(listed._id);
    this.#whole.set(listed, reading);
    return reading;
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    conditions: ProposalConditions,
    principal: Principal,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<ListedProposal>> {
    const { proposals, clock } = this.#options;
    return proposals.page(visibleTo(principal), conditions, clock.now(), page);
  }

  /** Approves a proposal and begins its run. Null if it does not wait any more. */
  approve(
    id: string,
    by: Principal,
    note: string | null,
    mandate?: string,
  ): Promise<ProposalDocument | null> {
    const decision = { ...this.#decision(true, by, note), ...(mandate !== undefined && { mandate }) };
    const execution = {
      ...{ caller: storedCaller(by), run: this.#options.ids.next('run'), tries: 1 },
      leaseUntil: new Date(decision.at.getTime() + leaseMs),
    };
    return this.#options.proposals.approve(id, decision, execution);
  }

  /** Denies a proposal. Null if it does not wait any more. */
  deny(id: string, by: Principal, note: string | null): Promise<ProposalDocument | null> {
    const decision = this.#decision(false, by, note);
    return this.#options.proposals.end(id, 'DENIED', decision.at, decision);
  }

  /** Ends a proposal without a decision. Null if it does not wait any more. */
  end(id: string, status: 'WITHDRAWN' | 'STALE'): Promise<ProposalDocument | null> {
    return this.#options.proposals.end(id, status, this.#options.clock.now());
  }

  /** Extends the lease of a run. False if it was lost. */
  renew({ _id, execution }: ProposalDocument, forMs = leaseMs): Promise<boolean> {
    const until = new Date(this.#options.clock.now().getTime() + forMs);
    return this.#options.proposals.renew(_id, execution?.run ?? '', until);
  }

  /** Notes, before a run sends its mutation, that it may have been made. False if the lease was lost. */
  send({ _id, execution }: ProposalDocument): Promise<boolean> {
    const now = this.#options.clock.now();
    const until = new Date(now.getTime() + leaseMs);
    return this.#options.proposals.send(_id, execution?.run ?? '', now, until);
  }

  /** Stores the outcome of a run. Null if the run has lost its lease to another one. */
  finish(
    { _id, execution }: ProposalDocument,
    status: 'DONE' | 'FAILED',
    outcome: Omit<StoredOutcome, 'at'>,
  ): Promise<ProposalDocument | null> {
    const { proposals, clock } = this.#options;
    return proposals.finish(_id, execution?.run ?? '', status, { ...outcome, at: clock.now() });
  }

  /** Takes over the run of a gateway that has ended, or does not reach the store. Null if there is none. */
  takeOver(): Promise<ProposalDocument | null> {
    const { proposals, clock, ids } = this.#options;
    const now = clock.now();
    return proposals.takeOver(ids.next('run'), now, new Date(now.getTime() + leaseMs));
  }

  /** Ends the proposals that nobody decided in time; returns their number. */
  expire(): Promise<number> {
    return this.#options.proposals.expire(this.#options.clock.now());
  }

  #decision(isApproval: boolean, by: Principal, note: string | null): StoredDecision {
    return { isApproval, by: by.subject, at: this.#options.clock.now(), note };
  }
}

/** Facts of a principal that its mutation runs with. */
export function storedCaller(principal: Principal): StoredCaller {
  const { kind, subject, grants, boundedBy, actions, issuer, tokenId, tokenKind } = principal;
  const { issuedAt, elevation, groups, linked } = principal;
  return {
    ...{ kind, subject, grants },
    ...(boundedBy && { boundedBy }),
    ...(actions && { actions }),
    ...(issuer !== undefined && { issuer }),
    ...(tokenId !== undefined && { tokenId }),
    ...(tokenKind !== undefined && { tokenKind }),
    ...(issuedAt && { issuedAt }),
    ...(elevation && { elevation }),
    ...(groups && { groups }),
    ...(linked && { linked }),
  };
}

/** Eight characters, 40 bits: people read it to each other. */
function newRef(): string {
  return `pr-${[...randomBytes(8)].map((byte) => (byte % 32).toString(32)).join('')}`;
}

function hashOf({ operation, variables }: Pick<ProposalDraft, 'operation' | 'variables'>): string {
  return Buffer.from(digestOf([operation, variables]), 'base64url').toString('hex');
}
