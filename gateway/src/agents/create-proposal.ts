/** Makes a proposal: freezes the change, reads what it concerns, checks it, and stores it. */
import { type Agents, type ProposalDocument, sees, type StoredPreview } from '@rhizome/agents';
import { can, type CurrentRights, owns, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { Engine } from '@rhizome/federation';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { BorrowEngine } from '../own-operation.js';
import type { CreateProposalInput } from '../types.generated.js';
import type { AgentMeter } from './budgets/meter.js';
import { checkInput, type CheckedInput, type CreateCode } from './check-input.js';
import { type DryRun, runDry } from './dry-run.js';
import { freeze, type FrozenChange, isFault } from './freeze.js';
import { isListed } from './mutation-rules.js';
import { hoursOfJobs, hoursOfSubmission, submittedJobs } from './preview.js';
import { personOf, type Proposer, proposerOf } from './proposer.js';
import { findTargets, type FoundTarget, type FoundTargets, maxTargets } from './targets.js';

/** A proposal, or the reasons why there is none. */
export interface CreateResult {
  readonly proposal: ProposalDocument | null;
  readonly isNew: boolean;
  readonly userErrors: readonly InputError<CreateCode>[];
}

/** Ports of {@link ProposalMaker}. */
export interface ProposalMakerOptions {
  readonly agents: () => Agents;
  readonly borrow: BorrowEngine;
  /** True for mutations of the gateway itself. */
  readonly isOwn: (mutation: string) => boolean;
  /** Experiments whose subgraphs answer a mutation; none for one of core. */
  readonly experimentsOf: (engine: Engine, mutation: string) => readonly string[];
  readonly rights: () => CurrentRights;
  readonly meter: Pick<AgentMeter, 'proposal'>;
  readonly clock: Clock;
}

/** Proposals of a person that one gateway makes at once; each may read a thousand jobs. */
const maxAtOnce = 8;
const maxDryRunBytes = 16 * 1024;
/** Largest input with the defaults of the schema and the identifiers of its jobs, in bytes. */
const maxInputBytes = 256 * 1024;

/** Makes proposals. */
export class ProposalMaker {
  readonly #options: ProposalMakerOptions;
  /** Numbers of calls that run now, by person. */
  readonly #making = new Map<string, number>();

  constructor(options: ProposalMakerOptions) {
    this.#options = options;
  }

  /** @throws DomainError FORBIDDEN, LIMIT_EXCEEDED for an agent without a rest, SERVICE_UNAVAILABLE */
  async create(input: CreateProposalInput, by: Principal): Promise<CreateResult> {
    const proposer = proposerOf(by);
    if (!proposer) throw new DomainError('FORBIDDEN', 'Only people and their agents propose changes');
    const errors = new InputErrors<CreateCode>();
    const checked = checkInput(input, errors);
    const { person } = proposer;
    const making = this.#making.get(person) ?? 0;
    if (making >= maxAtOnce) {
      const text = `${making} proposals of ${person} are being made; must be fewer at once`;
      errors.report('TOO_MANY_PROPOSALS', [], text);
    }
    if (!errors.isEmpty) return refused(errors);
    this.#making.set(person, making + 1);
    try {
      await this.#options.meter.proposal(by);
      return await this.#make({ input, checked, proposer, by }, errors);
    } finally {
      const left = (this.#making.get(person) ?? 1) - 1;
      if (left > 0) this.#making.set(person, left);
      else this.#making.delete(person);
    }
  }

  async #make(
    { input, checked, proposer, by }: MakeRequest,
    errors: InputErrors<CreateCode>,
  ): Promise<CreateResult> {
    const { agents, borrow, isOwn, experimentsOf } = this.#options;
    const _id = agents().proposals.nextId();
    const { variables } = checked;
    const change = await borrow(async (engine) => {
      const { publicSchema: schema } = engine;
      const ofSubgraph = (mutation: string): readonly string[] => experimentsOf(engine, mutation);
      return freeze({
        ...{ schema, text: input.operation, variables, key: _id, isOwn },
        experimentsOf: ofSubgraph,
      });
    });
    if (isFault(change)) {
      errors.report(change.code, [change.field], change.message);
      return refused(errors);
    }
    const found = await this.#targetsOf(change, by, errors);
    if (!found) return refused(errors);
    const frozen = { ...change, input: found.input };
    if (Buffer.byteLength(JSON.stringify(found.input)) > maxInputBytes) {
      const text = 'variables: with the defaults of the schema they are too large; must be at most 256 kB';
      errors.report('INVALID_VALUE', ['variables'], text);
      return refused(errors);
    }
    const preview = await this.#check(frozen, found, by, errors);
    if (!preview) return refused(errors);
    return this.#store({ _id, input, checked, frozen, found, preview, proposer, by }, errors);
  }

  /** The objects of the change, as the proposer may read them. */
  async #targetsOf(
    change: FrozenChange,
    by: Principal,
    errors: InputErrors<CreateCode>,
  ): Promise<FoundTargets | undefined> {
    const found = await findTargets(this.#options.borrow, by, change);
    const [missing] = found.missing;
    if (found.isTooMany)
      errors.report(
        'TOO_MANY_TARGETS',
        ['variables'],
        `variables: the change concerns more than ${maxTargets} jobs`,
      );
    else if (missing !== undefined)
      errors.report('TARGET_NOT_FOUND', ['variables'], `"${missing}" not found, or you may not see it.`);
    else if (change.rule.repeatable === 'BY_STATE' && found.targets.length === 0)
      errors.report('TARGET_NOT_FOUND', ['variables'], 'variables: they name no object to change');
    else if (change.rule.target?.kind === 'JOBS' && found.targets.length === 0)
      errors.report('TARGET_NOT_FOUND', ['variables'], 'variables: no job matches that you may see');
    return errors.isEmpty ? found : undefined;
  }

  /** Checks the rights of the person, the states of the objects, and the dry run. */
  async #check(
    change: FrozenChange,
    { targets }: FoundTargets,
    by: Principal,
    errors: InputErrors<CreateCode>,
  ): Promise<StoredPreview | undefined> {
    const { borrow, rights, clock } = this.#options;
    const { rule, mutation } = change;
    const person = await personOf(by, rights(), clock.now());
    const experiments = experimentsOf(change, targets);
    const { action } = rule;
    const denied =
      action &&
      (experiments.length === 0 ? [undefined] : experiments).find((one) => !can(person, action, one));
    if (action && (denied !== undefined || (experiments.length === 0 && !can(person, action)))) {
      const where = denied === undefined ? '' : ` in "${denied}"`;
      errors.report('FORBIDDEN', ['operation'], `${person.subject} may not ${action}${where}`);
      return undefined;
    }
    const outside = experiments.find((one) => !hasRoleIn(by, one));
    if (outside !== undefined) {
      const text = `${by.subject} has no role in "${outside}"; its token must name the experiment`;
      errors.report('FORBIDDEN', ['operation'], text);
      return undefined;
    }
    const foreign = rule.target?.kind === 'JOBS' && targets.find((job) => !mayChange(person, job));
    if (foreign) {
      const text = `job "${foreign.id}" belongs to ${foreign.owners[0] ?? 'nobody'}; ${person.subject} may not change it`;
      errors.report('FORBIDDEN', ['variables'], text);
      return undefined;
    }
    const refusedCount = refusedOf(change, targets);
    if (targets.length > 0 && refusedCount === targets.length) {
      const states = [...new Set(targets.map(({ state }) => state))].join(', ');
      errors.report('CHANGE_REFUSED', ['variables'], `${mutation} changes no job in the state ${states}`);
      return undefined;
    }
    // An experiment may ignore isDryRun, and nobody has approved the change yet.
    const dryRun = change.hasDryRun && isListed(mutation) ? await runDry(borrow, person, change) : undefined;
    for (const { code, message } of dryRun?.refusals ?? [])
      errors.report(code === 'FORBIDDEN' ? code : 'CHANGE_REFUSED', ['variables'], message);
    return errors.isEmpty ? previewOf(change, { targets, refusedCount, dryRun }) : undefined;
  }

  async #store(
    { _id, input, checked, frozen, found, preview, proposer, by }: StoreRequest,
    errors: InputErrors<CreateCode>,
  ): Promise<CreateResult> {
    const { proposals, fourEyes } = this.#options.agents();
    const { mutation, operation, rule } = frozen;
    const experiments = experimentsOf(frozen, found.targets);
    // Another text for people is no other change.
    const { idempotencyKey: _key, reason: _reason, ...request } = frozen.input;
    const stored = await proposals.create({
      ...{ _id, mutation, operation, request, preview, ...proposer },
      ...{ variables: JSON.stringify({ input: frozen.input }), stakes: rule.stakes, reason: input.reason },
      ...{ evidence: checked.evidence, expiresInSeconds: checked.expiresInSeconds },
      repeatable: rule.repeatable ?? 'BY_KEY',
      targets: found.targets.map(({ type, id, name, state, attempt }) => ({
        type,
        id,
        name,
        state,
        attempt,
      })),
      experiment: experiments.length === 1 ? (experiments[0] ?? null) : null,
      // A change of an unknown experiment may be one of an experiment that asks for another person.
      isFourEyes: experiments.length === 0 ? fourEyes.size > 0 : experiments.some((one) => fourEyes.has(one)),
    });
    if ('proposal' in stored) {
      if (stored.isNew || sees(by, stored.proposal)) return { ...stored, userErrors: [] };
      const text = `The same change waits for a decision already: ${stored.proposal.ref}, which another caller has proposed`;
      errors.report('CHANGE_REFUSED', ['operation'], text);
    } else if ('denial' in stored) {
      const { ref, decision } = stored.denial;
      const when = decision?.at.toISOString() ?? '';
      const text = `The same change was denied at ${when} (${ref}): ${decision?.note ?? 'without a note'}`;
      errors.report('PROPOSAL_DENIED_BEFORE', ['operation'], text);
    } else {
      const text = `${stored.openCount} proposals of ${proposer.person} wait for a decision; must be fewer`;
      errors.report('TOO_MANY_PROPOSALS', [], text);
    }
    return refused(errors);
  }
}

interface MakeRequest {
  readonly input: CreateProposalInput;
  readonly checked: CheckedInput;
  readonly proposer: Proposer;
  readonly by: Principal;
}

interface StoreRequest {
  readonly _id: string;
  readonly input: CreateProposalInput;
  readonly checked: CheckedInput;
  readonly frozen: FrozenChange;
  readonly found: FoundTargets;
  readonly preview: StoredPreview;
  readonly proposer: Proposer;
  readonly by: Principal;
}

const refused = (errors: InputErrors<CreateCode>): CreateResult => ({
  ...{ proposal: null, isNew: false },
  userErrors: errors.all,
});

/** The experiments of the mutation, of its input and of the objects; none if they are unknown. */
function experimentsOf(
  { input, experiments }: Pick<FrozenChange, 'input' | 'experiments'>,
  targets: FoundTargets['targets'],
): readonly string[] {
  const named = input['experiment'];
  const ofObjects = targets.flatMap(({ experiment }) => experiment ?? []);
  return [...new Set([...experiments, ...(typeof named === 'string' ? [named] : []), ...ofObjects])].sort();
}

/** True if the own grants of a principal name an experiment. */
function hasRoleIn({ grants }: Principal, experiment: string): boolean {
  return grants.some((grant) => grant.experiment === '*' || grant.experiment === experiment);
}

/** The rule of core: jobs of others need a permission, or an access that was granted. */
function mayChange(person: Principal, { owners, experiment, isGranted }: FoundTarget): boolean {
  if (isGranted || owners.some((owner) => owns(person, owner))) return true;
  return can(person, 'job:manageAny', experiment ?? '*');
}

/** Number of jobs whose state does not allow the change. */
function refusedOf({ rule }: FrozenChange, targets: FoundTargets['targets']): number {
  const { target } = rule;
  return target?.kind === 'JOBS' ? targets.filter(({ state }) => !target.states.has(state)).length : 0;
}

function previewOf(
  { mutation, input, rule }: FrozenChange,
  {
    targets,
    refusedCount,
    dryRun,
  }: Pick<FoundTargets, 'targets'> & { readonly refusedCount: number; readonly dryRun: DryRun | undefined },
): StoredPreview {
  const effect = dryRun?.payload?.['effect'] as { readonly jobCount?: unknown } | null | undefined;
  const counted = typeof effect?.jobCount === 'number' ? effect.jobCount : undefined;
  const text = dryRun ? JSON.stringify(dryRun.payload) : null;
  const hours =
    rule.target?.kind === 'JOBS'
      ? hoursOfJobs(
          targets.map(({ requirements }) => requirements),
          input,
        )
      : hoursOfSubmission(mutation, input);
  return {
    targetCount: counted ?? submittedJobs(input) ?? (targets.length > 0 ? targets.length : null),
    ...hours,
    refusedCount,
    isDryRun: dryRun !== undefined,
    dryRun: text !== null && Buffer.byteLength(text) <= maxDryRunBytes ? text : null,
  };
}
