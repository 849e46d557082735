/** Grants and revocations of mandates. */
import { type Agents, type MandateDocument, mayRevoke, mostMandates, ofGateway } from '@rhizome/agents';
import { can, describePrincipal, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type CodedInputError, DomainError, type InputError, InputErrors } from '@rhizome/errors';
import {
  coerceInputValue,
  getNamedType,
  type GraphQLInputObjectType,
  isInputObjectType,
  isRequiredInputField,
} from 'graphql';
import type { BorrowEngine } from '../../own-operation.js';
import type { GrantMandateInput, GrantMandateUserErrorCode } from '../../types.generated.js';
import { assertFullLogin, type Logins } from '../full-login.js';
import { type MutationRule, ruleOf } from '../mutation-rules.js';

type GrantCode = Exclude<GrantMandateUserErrorCode, 'INVALID_VALUE'>;

/** A granted mandate, or the reasons why there is none. */
export interface GrantResult {
  readonly mandate: MandateDocument | null;
  readonly userErrors: readonly InputError<GrantCode>[];
}

/** Ports of {@link MandateGrants}. */
export interface MandateGrantsOptions {
  readonly agents: () => Agents;
  readonly borrow: BorrowEngine;
  /** True for mutations of the gateway itself. */
  readonly isOwn: (mutation: string) => boolean;
  readonly identity: Logins;
  readonly clock: Clock;
}

type Fields = Readonly<Record<string, unknown>>;

const dayMs = 86_400_000;
/** Revocations are kept for longer, since they end what a grantor has granted. */
const mostDays = 30;
const mostObjects = 10_000;
const mostBytes = 16 * 1024;

/** Grants and revokes mandates. */
export class MandateGrants {
  readonly #options: MandateGrantsOptions;

  constructor(options: MandateGrantsOptions) {
    this.#options = options;
  }

  /** @throws DomainError FORBIDDEN for a person without the permission, and for a token that is no login */
  async grant(input: GrantMandateInput, by: Principal): Promise<GrantResult> {
    const { agents, clock, identity } = this.#options;
    const errors = new InputErrors<GrantCode>();
    const { agent, experiment, mutation, maxPerDay, expiresAt, reason } = input;
    errors.subject(['agent'], agent);
    errors.line(['experiment'], experiment, 1, 100);
    errors.int(['maxPerDay'], maxPerDay, 1, mostObjects);
    errors.line(['reason'], reason, 1, 500);
    const leftMs = expiresAt.getTime() - clock.now().getTime();
    if (leftMs <= 0 || leftMs > mostDays * dayMs)
      errors.add(['expiresAt'], expiresAt.toISOString(), `a time within the next ${mostDays} days`);
    const allowed = await this.#changesOf(input, errors);
    if (!allowed || !errors.isEmpty) return { mandate: null, userErrors: errors.all };
    const { action } = allowed.rule;
    if (!can(by, action ?? 'admin:*', experiment))
      throw new DomainError(
        'FORBIDDEN',
        `${describePrincipal(by)} may not ${action ?? 'admin:*'} in "${experiment}"`,
        { action: action ?? 'admin:*', experiment },
      );
    if (agents().fourEyes.has(experiment) && !can(by, 'proposal:decide', experiment)) {
      const text = `experiment: ${experiment} asks for the decision of another person; you need proposal:decide`;
      errors.report('FOUR_EYES_REQUIRED', ['experiment'], text);
      return { mandate: null, userErrors: errors.all };
    }
    await assertFullLogin(by, identity);
    if (!(await agents().mandates.mayGrant(by))) {
      const text = `${mostMandates} of your mandates hold; must be fewer`;
      errors.report('INVALID_VALUE', [], text);
      return { mandate: null, userErrors: errors.all };
    }
    const { fixed, free } = allowed;
    const draft = { agent, experiment, mutation, maxPerDay, reason, expiresAt, fixed, free };
    return { mandate: await agents().mandates.grant(draft, by), userErrors: [] };
  }

  /** Ends a mandate at once. */
  async revoke(
    id: string,
    by: Principal,
  ): Promise<{
    readonly mandate: MandateDocument | null;
    readonly userErrors: readonly CodedInputError<'MANDATE_NOT_FOUND'>[];
  }> {
    const { mandates } = this.#options.agents();
    const found = await mandates.find(id, by);
    if (!found) {
      const message = `Mandate "${id}" not found, or you may not see it.`;
      return { mandate: null, userErrors: [{ code: 'MANDATE_NOT_FOUND', path: ['id'], message }] };
    }
    if (!mayRevoke(by, found))
      throw new DomainError(
        'FORBIDDEN',
        `${describePrincipal(by)} may not revoke mandates of ${found.grantor}`,
      );
    return { mandate: await mandates.revoke(found, by.subject), userErrors: [] };
  }

  /** The changes that a mandate allows: fields with defaults that it does not name keep them. */
  async #changesOf(
    { mutation, input, free: given }: GrantMandateInput,
    errors: InputErrors<GrantCode>,
  ): Promise<
    { readonly rule: MutationRule; readonly fixed: Fields; readonly free: readonly string[] } | undefined
  > {
    const { borrow, isOwn } = this.#options;
    const type = await borrow(async ({ publicSchema }) => {
      const field = publicSchema.getMutationType()?.getFields()[mutation];
      return getNamedType(field?.args.find(({ name }) => name === 'input')?.type);
    });
    const rule = isInputObjectType(type)
      ? ruleOf(mutation, 'idempotencyKey' in type.getFields(), isOwn(mutation))
      : undefined;
    if (!isInputObjectType(type) || !rule || rule.stakes === 'IRREVERSIBLE' || rule.isUncounted) {
      const text = `mutation: ${JSON.stringify(mutation.slice(0, 200))} cannot be approved in advance; must be one whose effects can be undone or limited, such as retryJobs`;
      errors.report('MUTATION_NOT_SUPPORTED', ['mutation'], text);
      return undefined;
    }
    const free = [...new Set(given ?? [])];
    errors.list(['free'], free, 100);
    for (const name of free)
      if (!Object.hasOwn(type.getFields(), name) || ofGateway.has(name))
        errors.add(['free'], name, `fields of ${type.name}`);
    const fixed = fixedOf(type, input ?? {}, free, errors);
    return { rule, fixed, free };
  }
}

function fixedOf(
  type: GraphQLInputObjectType,
  given: unknown,
  free: readonly string[],
  errors: InputErrors<GrantCode>,
): Fields {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    errors.add(['input'], given, 'an object');
    return {};
  }
  if (Buffer.byteLength(JSON.stringify(given)) > mostBytes)
    errors.report('INVALID_VALUE', ['input'], 'input: it is too large; must be at most 16 kB');
  const fields = type.getFields();
  const fixed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const field = Object.hasOwn(fields, name) && !ofGateway.has(name) ? fields[name] : undefined;
    if (!field || free.includes(name)) {
      errors.add(['input'], name, field ? 'a field that free does not name' : `fields of ${type.name}`);
      continue;
    }
    fixed[name] = coerceInputValue(value, field.type, (path, _value, error) =>
      errors.report('INVALID_VALUE', ['input'], `input.${[name, ...path].join('.')}: ${error.message}`),
    );
  }
  for (const field of Object.values(fields)) {
    const { name, defaultValue } = field;
    if (ofGateway.has(name) || free.includes(name) || Object.hasOwn(fixed, name)) continue;
    if (isRequiredInputField(field))
      errors.report('INVALID_VALUE', ['input'], `input: ${name} is missing; must be in input or in free`);
    else if (defaultValue !== undefined) fixed[name] = defaultValue;
  }
  return JSON.parse(JSON.stringify(fixed)) as Fields;
}
