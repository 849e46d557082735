/** Changes of budgets and stops: checks the input and the rights of the caller. */
import {
  type Agents,
  type AgentScope,
  type Authority,
  authorityFor,
  type BudgetState,
  mostOwn,
  type StopDocument,
} from '@rhizome/agents';
import { describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { ResumeAgentsInput, SetAgentBudgetInput, StopAgentsInput } from '../../types.generated.js';
import { assertFullLogin, type Logins } from '../full-login.js';

const largest = 1_000_000_000;

type Errors = InputErrors<never>;
type UserErrors = readonly InputError<never>[];

/** Ports of {@link BudgetChanges}. */
export interface BudgetChangesOptions {
  readonly agents: () => Agents;
  readonly identity: Logins;
}

/** Sets budgets, and stops and resumes agents. */
export class BudgetChanges {
  readonly #options: BudgetChangesOptions;

  constructor(options: BudgetChangesOptions) {
    this.#options = options;
  }

  /** @throws DomainError FORBIDDEN */
  async setBudget(
    input: SetAgentBudgetInput,
    by: Principal,
  ): Promise<{ readonly budget: BudgetState | null; readonly userErrors: UserErrors }> {
    const errors: Errors = new InputErrors();
    const scope = scopeOf(input, errors);
    const { unit, window, limit = null, softLimit = null } = input;
    errors.int(['limit'], limit, 1, largest);
    if (limit === null && softLimit !== null) errors.add(['softLimit'], softLimit, 'null where limit is');
    else errors.int(['softLimit'], softLimit, 1, limit ?? largest);
    if (!errors.isEmpty) return { budget: null, userErrors: errors.all };
    const authority = authorityOf(by, scope);
    await assertFullLogin(by, this.#options.identity);
    const setting = { ...scope, unit, window, limit, softLimit };
    if (limit !== null && !(await this.#budgets.mayAddBudget(setting, authority))) {
      errors.report('INVALID_VALUE', ['person'], tooMany('budgets'));
      return { budget: null, userErrors: errors.all };
    }
    return { budget: await this.#budgets.set(setting, authority, by.subject), userErrors: [] };
  }

  /** @throws DomainError FORBIDDEN */
  async stop(
    input: StopAgentsInput,
    by: Principal,
  ): Promise<{ readonly stop: StopDocument | null; readonly userErrors: UserErrors }> {
    const errors: Errors = new InputErrors();
    const scope = scopeOf(input, errors);
    errors.line(['reason'], input.reason, 1, 500);
    if (!errors.isEmpty) return { stop: null, userErrors: errors.all };
    const authority = authorityOf(by, scope);
    if (!(await this.#budgets.mayAddStop(scope, authority))) {
      errors.report('INVALID_VALUE', ['person'], tooMany('stops'));
      return { stop: null, userErrors: errors.all };
    }
    const stop = await this.#budgets.stop(scope, authority, input.reason, by.subject);
    return { stop, userErrors: [] };
  }

  /** @throws DomainError FORBIDDEN */
  async resume(
    input: ResumeAgentsInput,
    by: Principal,
  ): Promise<{ readonly stop: StopDocument | null; readonly userErrors: UserErrors }> {
    const errors: Errors = new InputErrors();
    const scope = scopeOf(input, errors);
    if (!errors.isEmpty) return { stop: null, userErrors: errors.all };
    const authority = authorityOf(by, scope);
    await assertFullLogin(by, this.#options.identity);
    return { stop: await this.#budgets.resume(scope, authority), userErrors: [] };
  }

  get #budgets(): Agents['budgets'] {
    return this.#options.agents().budgets;
  }
}

function tooMany(what: 'budgets' | 'stops'): string {
  return `person: your agents have ${mostOwn} ${what} that you set; must be fewer`;
}

function scopeOf({ agent, person, experiment }: ResumeAgentsInput, errors: Errors): AgentScope {
  if (agent != null) errors.subject(['agent'], agent);
  if (person != null) errors.subject(['person'], person);
  if (experiment != null) errors.line(['experiment'], experiment, 1, 100);
  return { agent: agent ?? null, person: person ?? null, experiment: experiment ?? null };
}

function authorityOf(by: Principal, scope: AgentScope): Authority {
  const found = authorityFor(by, scope);
  if (found) return found;
  const { experiment } = scope;
  const where = experiment === null ? 'all experiments' : `"${experiment}"`;
  const text = `${describePrincipal(by)} may not limit or stop these agents: administrators of ${where} may, and the person that they act for where person names it`;
  throw new DomainError('FORBIDDEN', text, { action: 'admin:*' });
}
